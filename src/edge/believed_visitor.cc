#include "edge/believed_visitor.h"

#include <string_view>
#include <vector>

#include "wire/forwarded.h"
#include "wire/host_name.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

using Names = std::optional<IpAddress>;

// What has been read of a list, from its right end, so far.
class Walk {
public:
    explicit Walk(std::span<const IpNetwork> trusted) : trusted_(trusted) {}
    // True: go on with what stands to its left.
    bool take(const Names& address) {
        found_ = address;
        broken_ = !address;
        return address && contains(trusted_, *address);
    }
    Result<Names> result() const {
        if (broken_) return fail(Errc::protocol, "the proxy in front names no address");
        return found_;
    }

private:
    std::span<const IpNetwork> trusted_;
    Names found_;
    bool broken_ = false;
};

// "192.0.2.1", "2001:db8::1", and with a port as some proxies write it: "192.0.2.1:4711", "[2001:db8::1]:4711".
Names read_node(std::string_view text) {
    if (const auto plain = parse_ip_address(text)) return *plain;
    const auto authority = parse_authority(text);
    if (!authority || authority->kind == HostKind::name) return std::nullopt;
    const auto address = parse_ip_address(authority->host);
    return address ? Names(*address) : std::nullopt;
}

// Not a list with quoted strings: a '"' that a visitor sent must not hide what a proxy has added behind it.
bool walk_plain_list(std::string_view list, Walk& walk) {
    while (true) {
        const std::size_t comma = list.rfind(',');
        const std::string_view member = trim_ows(comma == std::string_view::npos ? list : list.substr(comma + 1));
        if (!member.empty() && !walk.take(read_node(member))) return false;
        if (comma == std::string_view::npos) return true;
        list = list.substr(0, comma);
    }
}

bool walk_forwarded(std::string_view list, Walk& walk) {
    std::vector<std::string_view> elements;
    for_each_list_member(list, [&](std::string_view member) { elements.push_back(member); });
    for (std::size_t i = elements.size(); i-- > 0;) {
        const auto element = parse_forwarded(elements[i]);
        if (!walk.take(element && !element->for_address.empty() ? read_node(element->for_address) : std::nullopt)) return false;
    }
    return true;
}

std::optional<std::string_view> last_value(const FieldSection& fields, FieldId id) {
    for (std::size_t i = fields.size(); i-- > 0;)
        if (const Field field = fields[i]; field.id == id) return field.value;
    return std::nullopt;
}

Scheme scheme_of(std::string_view name) {
    return equals_ignoring_case(name, "https") || equals_ignoring_case(name, "wss") ? Scheme::https : Scheme::http;
}

}  // namespace

Result<std::optional<IpAddress>> believed_address(const FieldSection& fields, std::span<const IpNetwork> trusted) {
    const bool plain = fields.contains(FieldId::x_forwarded_for);
    const FieldId id = plain ? FieldId::x_forwarded_for : FieldId::forwarded;
    Walk walk(trusted);
    for (std::size_t i = fields.size(); i-- > 0;) {
        const Field field = fields[i];
        if (field.id != id) continue;
        if (!(plain ? walk_plain_list(field.value, walk) : walk_forwarded(field.value, walk))) break;
    }
    return walk.result();
}

std::optional<Scheme> believed_scheme(const FieldSection& fields) {
    if (const auto plain = last_value(fields, FieldId::x_forwarded_proto)) {
        const std::size_t comma = plain->rfind(',');
        return scheme_of(trim_ows(comma == std::string_view::npos ? *plain : plain->substr(comma + 1)));
    }
    const auto list = last_value(fields, FieldId::forwarded);
    if (!list) return std::nullopt;
    const auto element = parse_forwarded(*list);
    if (!element || element->proto.empty()) return std::nullopt;
    return scheme_of(element->proto);
}

}  // namespace sallyport
