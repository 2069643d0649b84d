// encoding.h: base64url without padding (RFC 4648 5), base64 (RFC 4648 4) and lower-case hex. Pure; decoding is strict:
// a foreign character, a wrong length or stray bits is Errc::protocol.
#pragma once
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

std::string to_base64url(Octets octets);
Result<std::string> from_base64url(std::string_view text);

std::string to_base64(Octets octets);                   // with padding
Result<std::string> from_base64(std::string_view text); // padding required

std::string to_hex(Octets octets);

}  // namespace sallyport
