#include "wire/field_section.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

namespace sallyport {
namespace {

struct KnownName {
    std::string_view name;
    FieldId id;
};

// Sorted by length, then by FieldId: see kFirstOfLength.
constexpr std::array kKnownNames = std::to_array<KnownName>({
    {"te", FieldId::te},
    {"age", FieldId::age},
    {"via", FieldId::via},
    {"date", FieldId::date},
    {"host", FieldId::host},
    {"accept", FieldId::accept},
    {"cookie", FieldId::cookie},
    {"expect", FieldId::expect},
    {"server", FieldId::server},
    {"trailer", FieldId::trailer},
    {"upgrade", FieldId::upgrade},
    {"cdn-loop", FieldId::cdn_loop},
    {"location", FieldId::location},
    {"forwarded", FieldId::forwarded},
    {"x-real-ip", FieldId::x_real_ip},
    {"connection", FieldId::connection},
    {"keep-alive", FieldId::keep_alive},
    {"set-cookie", FieldId::set_cookie},
    {"retry-after", FieldId::retry_after},
    {"content-type", FieldId::content_type},
    {"proxy-status", FieldId::proxy_status},
    {"authorization", FieldId::authorization},
    {"content-length", FieldId::content_length},
    {"http2-settings", FieldId::http2_settings},
    {"x-forwarded-for", FieldId::x_forwarded_for},
    {"proxy-connection", FieldId::proxy_connection},
    {"x-forwarded-host", FieldId::x_forwarded_host},
    {"x-forwarded-port", FieldId::x_forwarded_port},
    {"sec-websocket-key", FieldId::sec_websocket_key},
    {"transfer-encoding", FieldId::transfer_encoding},
    {"x-forwarded-proto", FieldId::x_forwarded_proto},
    {"proxy-authenticate", FieldId::proxy_authenticate},
    {"proxy-authorization", FieldId::proxy_authorization},
    {"sec-websocket-accept", FieldId::sec_websocket_accept},
    {"sec-websocket-version", FieldId::sec_websocket_version},
    {"sec-websocket-protocol", FieldId::sec_websocket_protocol},
    {"sec-websocket-extensions", FieldId::sec_websocket_extensions},
    {"strict-transport-security", FieldId::strict_transport_security},
});

constexpr std::size_t kLongestKnown = 25;

// kFirstOfLength[n] is where names of n octets begin in kKnownNames.
constexpr auto kFirstOfLength = [] {
    std::array<std::uint8_t, kLongestKnown + 2> first{};
    std::size_t at = 0;
    for (std::size_t length = 0; length < first.size(); ++length) {
        while (at < kKnownNames.size() && kKnownNames[at].name.size() < length) ++at;
        first[length] = static_cast<std::uint8_t>(at);
    }
    return first;
}();
static_assert(std::ranges::is_sorted(kKnownNames, {}, [](const KnownName& known) { return known.name.size(); }));
static_assert(kKnownNames.back().name.size() == kLongestKnown);

bool is_connection_field(FieldId id) {
    switch (id) {
        case FieldId::connection:
        case FieldId::keep_alive:
        case FieldId::proxy_connection:
        case FieldId::proxy_authenticate:
        case FieldId::proxy_authorization:
        case FieldId::te:
        case FieldId::upgrade:
        case FieldId::http2_settings: return true;
        default: return false;
    }
}

// Framing and routing: dropping these because Connection names them would change what the message is.
bool is_protected(FieldId id) {
    return id == FieldId::host || id == FieldId::content_length || id == FieldId::transfer_encoding ||
           id == FieldId::trailer;
}

}  // namespace

FieldId field_id(std::string_view name) {
    if (name.size() > kLongestKnown) return FieldId::other;
    for (std::size_t i = kFirstOfLength[name.size()]; i < kFirstOfLength[name.size() + 1]; ++i) {
        const std::string_view known = kKnownNames[i].name;
        if (ascii_lower(name.back()) == known.back() && equals_ignoring_case(name, known)) return kKnownNames[i].id;
    }
    return FieldId::other;
}

void FieldSection::clear() {
    buffer_.clear();
    entries_.clear();
    has_underscore_names_ = false;
}

Field FieldSection::operator[](std::size_t index) const {
    const Entry& entry = entries_[index];
    const std::string_view text = buffer_;
    return {text.substr(entry.name_at, entry.name_length), text.substr(entry.value_at, entry.value_length), entry.id,
            entry.has_underscore};
}

std::optional<std::string_view> FieldSection::find(FieldId id) const {
    for (const Entry& entry : entries_)
        if (entry.id == id) return std::string_view(buffer_).substr(entry.value_at, entry.value_length);
    return std::nullopt;
}

std::optional<std::string_view> FieldSection::find(std::string_view name) const {
    for (const Field& field : *this)
        if (equals_ignoring_case(field.name, name)) return field.value;
    return std::nullopt;
}

std::size_t FieldSection::count(FieldId id) const {
    return static_cast<std::size_t>(std::ranges::count(entries_, id, &Entry::id));
}

std::size_t FieldSection::count(std::string_view name) const {
    std::size_t found = 0;
    for (const Field& field : *this) found += equals_ignoring_case(field.name, name);
    return found;
}

bool FieldSection::has_member(FieldId id, std::string_view token) const {
    for (const Field& field : *this)
        if (field.id == id && has_list_member(field.value, token)) return true;
    return false;
}

void FieldSection::add(std::string_view name, std::string_view value) {
    const auto is_own = [this](std::string_view text) {
        return std::less_equal<>{}(buffer_.data(), text.data()) &&
               std::less<>{}(text.data(), buffer_.data() + buffer_.size());
    };
    if (is_own(name) || is_own(value)) return add(std::string(name), std::string(value));  // growing would move them
    name = name.substr(0, kMaxFieldName);
    value = trim_ows(value);
    const std::size_t name_at = buffer_.size();
    buffer_ += name;
    const std::size_t value_at = buffer_.size();
    buffer_ += value;
    for (std::size_t i = name_at; i < buffer_.size(); ++i)
        if (!syntax::is(buffer_[i], i < value_at ? syntax::kTchar : syntax::kFieldOctet))
            buffer_[i] = i < value_at ? '-' : ' ';
    add_at(name_at, name.size(), value_at, value.size());
}

void FieldSection::set(std::string_view name, std::string_view value) {
    remove(name);
    add(name, value);
}

std::size_t FieldSection::remove(FieldId id) {
    return std::erase_if(entries_, [id](const Entry& entry) { return entry.id == id; });
}

std::size_t FieldSection::remove(std::string_view name) {
    return remove_if([name](const Field& field) { return equals_ignoring_case(field.name, name); });
}

void FieldSection::take_text(std::string_view text) {
    clear();
    buffer_ = text;
}

void FieldSection::add_at(std::size_t name_at, std::size_t name_length, std::size_t value_at,
                          std::size_t value_length) {
    const std::string_view name = std::string_view(buffer_).substr(name_at, name_length);
    const bool has_underscore = name.find('_') != std::string_view::npos;
    has_underscore_names_ |= has_underscore;
    entries_.push_back({static_cast<std::uint32_t>(name_at), static_cast<std::uint32_t>(value_at),
                        static_cast<std::uint32_t>(value_length), static_cast<std::uint16_t>(name_length),
                        field_id(name), has_underscore});
}

std::size_t remove_connection_fields(FieldSection& fields) {
    std::vector<std::string_view> nominated;  // "close", "keep-alive" and "upgrade" name no field worth a compare
    for (const Field& field : fields) {
        if (field.id != FieldId::connection) continue;
        for_each_list_member(field.value, [&](std::string_view option) {
            if (!is_connection_field(field_id(option)) && !equals_ignoring_case(option, "close"))
                nominated.push_back(option);
        });
    }
    return fields.remove_if([&](const Field& field) {
        if (is_connection_field(field.id)) return true;
        if (nominated.empty() || is_protected(field.id)) return false;
        return std::ranges::any_of(nominated,
                                   [&](std::string_view name) { return equals_ignoring_case(name, field.name); });
    });
}

bool is_forbidden_trailer(const Field& field) {
    switch (field.id) {
        case FieldId::age:
        case FieldId::authorization:
        case FieldId::connection:
        case FieldId::content_length:
        case FieldId::content_type:
        case FieldId::cookie:
        case FieldId::date:
        case FieldId::expect:
        case FieldId::forwarded:
        case FieldId::host:
        case FieldId::http2_settings:
        case FieldId::keep_alive:
        case FieldId::location:
        case FieldId::proxy_authenticate:
        case FieldId::proxy_authorization:
        case FieldId::proxy_connection:
        case FieldId::retry_after:
        case FieldId::set_cookie:
        case FieldId::te:
        case FieldId::trailer:
        case FieldId::transfer_encoding:
        case FieldId::upgrade:
        case FieldId::via:
        case FieldId::x_forwarded_for:
        case FieldId::x_forwarded_host:
        case FieldId::x_forwarded_port:
        case FieldId::x_forwarded_proto:
        case FieldId::x_real_ip: return true;
        default: break;
    }
    if (field.has_underscore) return true;
    constexpr std::string_view others[] = {"cache-control",
                                           "content-encoding",
                                           "content-range",
                                           "max-forwards",
                                           "pragma",
                                           "range",
                                           "vary",
                                           "warning",
                                           "expires",
                                           "if-match",
                                           "if-none-match",
                                           "if-range",
                                           "if-modified-since",
                                           "if-unmodified-since",
                                           "www-authenticate"};
    return std::ranges::any_of(others, [&](std::string_view name) { return equals_ignoring_case(name, field.name); });
}

}  // namespace sallyport
