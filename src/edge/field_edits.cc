#include "edge/field_edits.h"

#include "edge/request_policy.h"
#include "wire/http_syntax.h"
#include "wire/utf8.h"

namespace sallyport {
namespace {

constexpr std::size_t kMostEdits = 32;        // of a kind; arbitrary
constexpr std::size_t kLongestName = 64;      // arbitrary
constexpr std::size_t kLongestValue = 4096;   // arbitrary; Content-Security-Policy can be long

std::string quoted(std::string_view text) { return "\"" + bounded_utf8(text, 64) + "\""; }

bool begins_with_ignoring_case(std::string_view text, std::string_view beginning) {
    return equals_ignoring_case(text.substr(0, beginning.size()), beginning);
}

Result<> check_name(FieldEdits::Direction direction, std::string_view name) {
    if (!is_token(name) || name.size() > kLongestName) return fail(Errc::invalid_argument, quoted(name) + " is no field name");
    const Field field{name, {}, field_id(name), name.find('_') != std::string_view::npos};
    switch (field.id) {
        case FieldId::connection:
        case FieldId::content_length:
        case FieldId::expect:
        case FieldId::host:
        case FieldId::http2_settings:
        case FieldId::keep_alive:
        case FieldId::proxy_authenticate:
        case FieldId::proxy_authorization:
        case FieldId::proxy_connection:
        case FieldId::te:
        case FieldId::trailer:
        case FieldId::transfer_encoding:
        case FieldId::upgrade: return fail(Errc::invalid_argument, quoted(name) + " belongs to the connection or frames the message: the relay decides on it");
        case FieldId::cdn_loop: return fail(Errc::invalid_argument, quoted(name) + " stops loops: the relay decides on it");
        default: break;
    }
    if (begins_with_ignoring_case(name, "sec-websocket-"))
        return fail(Errc::invalid_argument, quoted(name) + " belongs to the WebSocket handshake: visitor and service decide on it");
    if (begins_with_ignoring_case(name, "sallyport-")) return fail(Errc::invalid_argument, quoted(name) + " is the relay's own");
    if (direction == FieldEdits::Direction::request && is_untrusted(field))
        return fail(Errc::invalid_argument, quoted(name) + " says who the visitor is, or can be taken for a field that does: the relay decides on it "
                                                           "(forward_client_ip)");
    return {};
}

}  // namespace

Result<> FieldEdits::add_set(Direction direction, std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return fail(Errc::invalid_argument, quoted(line) + " has to look like \"Name: value\"");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim_ows(line.substr(colon + 1));
    if (auto checked = check_name(direction, name); !checked) return checked;
    // Every list and backup would show it.
    if (direction == Direction::request && (field_id(name) == FieldId::authorization || field_id(name) == FieldId::cookie))
        return fail(Errc::invalid_argument, quoted(name) + " would hold a secret, which has no place here; it can be removed, not set");
    if (!is_field_value(value) || value.size() > kLongestValue)
        return fail(Errc::invalid_argument, "the value of " + quoted(name) + " has control characters or more than 4096 octets");
    if (set_.size() == kMostEdits) return fail(Errc::invalid_argument, "at most 32 fields can be set");
    for (const Line& other : set_)
        if (equals_ignoring_case(other.name, name)) return fail(Errc::invalid_argument, quoted(name) + " is set twice");
    set_.push_back({std::string(name), std::string(value)});
    return {};
}

Result<> FieldEdits::add_removal(Direction direction, std::string_view name) {
    if (auto checked = check_name(direction, name); !checked) return checked;
    if (removed_.size() == kMostEdits) return fail(Errc::invalid_argument, "at most 32 fields can be removed");
    removed_.emplace_back(name);
    return {};
}

void FieldEdits::apply(FieldSection& fields) const {
    for (const std::string& name : removed_) fields.remove(name);
    for (const auto& [name, value] : set_) fields.set(name, value);
}

void FieldEdits::drop_from_trailers(FieldSection& trailers) const {
    for (const std::string& name : removed_) trailers.remove(name);
    for (const auto& [name, value] : set_) trailers.remove(name);
}

}  // namespace sallyport
