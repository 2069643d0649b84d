// authorization.h: credentials that are shared secrets, as Authorization field values: Bearer (RFC 6750 2.1) holding
// "id.secret", and Basic (RFC 7617). For set-ups where a proxy ends TLS and RFC 9729 can't work.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace sallyport {

struct SharedCredential {
    std::string id;  // what it is looked up by: 1 to 128 of A-Z a-z 0-9 - _
    Secret secret;   // 1 to 256 visible ASCII octets
};

// The token "id.secret" by itself, as configured in api_key. Errc::invalid_argument.
Result<SharedCredential> parse_token(std::string_view token);
Secret format_token(const SharedCredential& credential);

// The whole field value. Errc::unauthorized for another scheme or a malformed value.
Result<SharedCredential> parse_bearer(std::string_view field_value);
Result<SharedCredential> parse_basic(std::string_view field_value);
Secret format_bearer(const SharedCredential& credential);
Secret format_basic(const SharedCredential& credential);

}  // namespace sallyport
