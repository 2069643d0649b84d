// random.h: octets nobody can guess (the kernel's generator through OpenSSL). Ends the process if there are none.
#pragma once
#include <string>

#include "base/octets.h"

namespace sallyport {

void fill_random(MutableOctets out);
std::string random_octets(std::size_t count);

// `count` random octets as base64url text: 16 octets are 128 bits in 22 characters.
std::string random_token(std::size_t count);

}  // namespace sallyport
