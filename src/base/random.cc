#include "base/random.h"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

#include "base/encoding.h"

namespace sallyport {

void fill_random(MutableOctets out) {
    if (RAND_bytes(as_u8(out), static_cast<int>(out.size())) == 1) return;
    std::fputs("no random numbers from the operating system\n", stderr);
    std::abort();
}

std::string random_octets(std::size_t count) {
    std::string out(count, '\0');
    fill_random(std::as_writable_bytes(std::span(out)));
    return out;
}

std::string random_token(std::size_t count) { return to_base64url(as_octets(random_octets(count))); }

}  // namespace sallyport
