#include "wire/forwarded.h"

#include "wire/host_name.h"
#include "wire/structured_text.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxFieldValue = 4096;

// RFC 7239 6: an address, IPv6 in brackets, with a port or without; "unknown" and "_hidden" name nobody.
Result<> take_node(std::string_view node, Forwarded& out) {
    if (equals_ignoring_case(node, "unknown") || node.starts_with('_')) return {};
    const Result<Authority> parsed = parse_authority(node);
    if (!parsed || parsed->kind == HostKind::name) return fail(Errc::protocol, "malformed node in Forwarded");
    out.for_address = parsed->host;
    out.for_port = parsed->port;
    return {};
}

void append_pair(std::string& out, std::string_view name, std::string_view value) {
    if (!out.empty()) out += ';';
    out += name;
    out += '=';
    if (is_token(value)) out += value;
    else append_quoted_string(out, value);
}

}  // namespace

std::string format_forwarded(const Forwarded& element) {
    std::string node = element.for_address.empty() ? "unknown" : element.for_address;
    if (node.find(':') != std::string::npos) node = "[" + node + "]";
    if (element.for_port && !element.for_address.empty()) node += ":" + std::to_string(*element.for_port);
    std::string out;
    append_pair(out, "for", node);
    if (!element.proto.empty()) append_pair(out, "proto", element.proto);
    if (!element.host.empty()) append_pair(out, "host", element.host);
    return out;
}

Result<Forwarded> parse_forwarded(std::string_view value) {
    if (value.size() > kMaxFieldValue) return fail(Errc::too_large, "Forwarded");
    std::string_view rest = last_list_member(value);
    Forwarded out;
    bool seen_for = false, seen_proto = false, seen_host = false;  // RFC 7239 4: each at most once
    while (auto parameter = take_parameter(rest)) {
        const bool is_for = equals_ignoring_case(parameter->name, "for");
        const bool is_proto = equals_ignoring_case(parameter->name, "proto");
        const bool is_host = equals_ignoring_case(parameter->name, "host");
        if ((is_for && std::exchange(seen_for, true)) || (is_proto && std::exchange(seen_proto, true)) ||
            (is_host && std::exchange(seen_host, true)))
            return fail(Errc::protocol, "parameter twice in Forwarded");
        if (is_for)
            if (Result<> taken = take_node(parameter->value, out); !taken)
                return std::unexpected(std::move(taken.error()));
        if (is_proto) {
            if (!is_token(parameter->value)) return fail(Errc::protocol, "malformed proto in Forwarded");
            out.proto = std::move(parameter->value);
        }
        if (is_host) {
            if (!is_authority(parameter->value)) return fail(Errc::protocol, "malformed host in Forwarded");
            out.host = std::move(parameter->value);
        }
        if (rest.empty()) return out;
    }
    return fail(Errc::protocol, "malformed Forwarded");
}

}  // namespace sallyport
