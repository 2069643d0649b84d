// password_hash.h: hashes of passwords that people choose: bcrypt and yescrypt, through libxcrypt. Slow by intent (tens of
// milliseconds up to a second, up to 128 MiB): never called on an event loop. Any thread.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace sallyport {

inline constexpr std::size_t kLongestPassword = 511;  // octets; libxcrypt takes no more

// A hash as people paste it: $2a$, $2b$ or $2y$ (cost 4 to 15), $y$ (at most 128 MiB), or one of the former wrapped in base64, as
// Caddy's old Caddyfiles have it. Gives the form to be kept; Errc::invalid_argument with a text that doesn't show the hash.
Result<std::string> check_password_hash(std::string_view text);

// `hash` as check_password_hash() gave it. Compares in constant time. bcrypt looks at the first 72 octets only.
bool password_fits(std::string_view password, const std::string& hash);

enum class PasswordScheme { yescrypt, bcrypt };
// `cost`: of bcrypt 4 to 15, of yescrypt 1 to 8; 0 is the default (12, 5). Refuses what couldn't be typed in again everywhere:
// nothing at all, NUL, more than 72 octets for bcrypt.
Result<std::string> make_password_hash(PasswordScheme scheme, const Secret& password, unsigned cost = 0);

}  // namespace sallyport
