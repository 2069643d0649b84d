#include "wire/authorization.h"

#include <algorithm>

#include "base/encoding.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxId = 128;
constexpr std::size_t kMaxSecret = 256;

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= kMaxId && std::ranges::all_of(text, [](char c) {
        const char lower = ascii_lower(c);
        return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

bool is_secret(std::string_view text) {
    return !text.empty() && text.size() <= kMaxSecret &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<SharedCredential> split(std::string_view text, char separator, Errc code) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos || !is_id(text.substr(0, at)) || !is_secret(text.substr(at + 1)))
        return fail(code, separator == '.' ? "a token is <id>.<secret>" : "malformed credential");
    return SharedCredential{std::string(text.substr(0, at)), Secret(std::string(text.substr(at + 1)))};
}

// The text behind "<scheme> ". Empty if the scheme is another one.
std::string_view behind_scheme(std::string_view value, std::string_view scheme) {
    if (value.size() <= scheme.size() || value[scheme.size()] != ' ' ||
        !equals_ignoring_case(value.substr(0, scheme.size()), scheme))
        return {};
    return trim_ows(value.substr(scheme.size()));
}

std::string join(const SharedCredential& credential, char separator) {
    std::string out = credential.id;
    out += separator;
    return out.append(credential.secret.reveal());
}

}  // namespace

Result<SharedCredential> parse_token(std::string_view token) { return split(token, '.', Errc::invalid_argument); }

Secret format_token(const SharedCredential& credential) { return Secret(join(credential, '.')); }

Result<SharedCredential> parse_bearer(std::string_view value) {
    return split(behind_scheme(value, "Bearer"), '.', Errc::unauthorized);
}

Result<SharedCredential> parse_basic(std::string_view value) {
    const std::string_view encoded = behind_scheme(value, "Basic");
    if (encoded.empty() || encoded.size() > 2 * (kMaxId + kMaxSecret))
        return fail(Errc::unauthorized, "another scheme");
    Result<std::string> text = from_base64(encoded);
    if (!text) return fail(Errc::unauthorized, "malformed credential");
    const Secret decoded(std::move(*text));  // wiped when it dies
    return split(decoded.reveal(), ':', Errc::unauthorized);
}

Secret format_bearer(const SharedCredential& credential) { return Secret("Bearer " + join(credential, '.')); }

Secret format_basic(const SharedCredential& credential) {
    const Secret plain(join(credential, ':'));
    return Secret("Basic " + to_base64(as_octets(plain.reveal())));
}

}  // namespace sallyport
