// lazy_memory.h: the allocator that nghttp2 gets. A session takes a frame buffer of 16 KiB at its start and an idle one touches only
// the first octets of it; from malloc that would be memory which somebody else has touched before. Large blocks are therefore
// mapped anew: what is never touched takes nothing. Any thread.
#pragma once
#include <nghttp2/nghttp2.h>

namespace sallyport {

// Lives as long as the program.
nghttp2_mem* lazy_memory();

}  // namespace sallyport
