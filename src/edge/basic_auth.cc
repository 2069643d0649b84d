#include "edge/basic_auth.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/password_hash.h"
#include "edge/path_reading.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

constexpr std::size_t kLongestUser = 255;

// What stands behind the scheme, or nothing where it is another scheme.
std::string_view behind_scheme(std::string_view value, std::string_view scheme) {
    if (value.size() <= scheme.size() || value[scheme.size()] != ' ' || !equals_ignoring_case(value.substr(0, scheme.size()), scheme)) return {};
    return trim_ows(value.substr(scheme.size()));
}

}  // namespace

const BasicAuth::User* BasicAuth::find(std::string_view name) const {
    const User* found = nullptr;
    for (const User& user : users)
        if (equal_in_constant_time(user.name, name)) found = &user;
    return found;
}

bool BasicAuth::is_open(std::string_view path) const {
    std::string reading;
    if (open_paths.empty() || !read_path(path, reading)) return false;
    return std::ranges::any_of(open_paths, [&](const PathPattern& open) { return open.covers(reading); });
}

bool is_basic(std::string_view field_value) { return equals_ignoring_case(field_value.substr(0, field_value.find(' ')), "basic"); }

Presented read_presented(const FieldSection& fields) {
    Presented presented;
    const auto value = fields.find(FieldId::authorization);
    if (!value) return presented;
    presented.kind = Presented::Kind::other;
    if (fields.count(FieldId::authorization) > 1) return presented;
    if (!behind_scheme(*value, "bearer").empty()) {
        presented.kind = Presented::Kind::bearer;
        return presented;
    }
    auto decoded = from_base64(behind_scheme(*value, "basic"));
    if (!decoded) return presented;
    const Secret pair{std::move(*decoded)};
    const std::string_view text = pair.reveal();
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon > kLongestUser || text.size() - colon - 1 > kLongestPassword) return presented;
    presented.kind = Presented::Kind::basic;
    presented.user = text.substr(0, colon);
    presented.password = Secret(std::string(text.substr(colon + 1)));
    return presented;
}

}  // namespace sallyport
