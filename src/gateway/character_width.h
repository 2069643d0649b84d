// character_width.h: how many cells a character takes: 0 (combines with the one before), 1 or 2. As the C library knows it for UTF-8,
// whatever locale this process runs in; mosh asks the same library.
#pragma once

namespace sallyport::gateway {

int character_width(char32_t character);

}  // namespace sallyport::gateway
