#include "edge/request_policy.h"

#include <algorithm>
#include <array>

#include "wire/http_syntax.h"

namespace sallyport {
namespace {

// Names without a FieldId that proxies and gateways speak among themselves: who the visitor is (…-IP), which path was asked
// for (X-Original-URL), who is logged in (Remote-User, Remote-Groups of Authelia; X-Remote-User-…, X-Ingress-…: Home Assistant's
// Supervisor; X-Auth-Request-… of oauth2-proxy, X-Authentik-…, X-WebAuth-… of Grafana, Tailscale-User-…), "Proxy" (httpoxy), and
// what agents say to the relay (Sallyport-…: secrets among it).
constexpr std::array<std::string_view, 19> kForged{
    "cf-connecting-ip", "cf-connecting-ipv6", "client-ip", "fastly-client-ip", "proxy", "true-client-ip",
    "remote-email", "remote-groups", "remote-name", "x-client-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-http-host-override",
    "x-original-forwarded-for", "x-original-host", "x-original-url", "x-originating-ip", "x-proxyuser-ip", "x-rewrite-url"};
constexpr std::array<std::string_view, 11> kForgedBeginnings{
    "remote-user", "sallyport-", "tailscale-user-", "x-auth-request-", "x-authentik-", "x-forwarded-", "x-hass-", "x-ingress-",
    "x-remote-", "x-supervisor-", "x-webauth-"};

bool begins_with_ignoring_case(std::string_view text, std::string_view beginning) {
    return text.size() >= beginning.size() && equals_ignoring_case(text.substr(0, beginning.size()), beginning);
}

bool is_forged_name(std::string_view name) {
    const char first = ascii_lower(name.front());
    if (first != 'x' && first != 'c' && first != 'f' && first != 'p' && first != 'r' && first != 's' && first != 't')
        return false;
    return std::ranges::any_of(kForged, [&](std::string_view forged) { return equals_ignoring_case(name, forged); }) ||
           std::ranges::any_of(kForgedBeginnings, [&](std::string_view beginning) { return begins_with_ignoring_case(name, beginning); });
}

}  // namespace

bool is_untrusted(const Field& field) {
    if (field.has_underscore) return true;
    switch (field.id) {
        case FieldId::forwarded:
        case FieldId::x_forwarded_for:
        case FieldId::x_forwarded_host:
        case FieldId::x_forwarded_port:
        case FieldId::x_forwarded_proto:
        case FieldId::x_real_ip: return true;
        case FieldId::other: return is_forged_name(field.name);
        default: return false;
    }
}

void drop_untrusted_fields(RequestHead& head) {
    remove_connection_fields(head.fields);
    const bool keep_expect = head.expects_continue;
    head.fields.remove_if([keep_expect](const Field& field) {
        return is_untrusted(field) || (field.id == FieldId::expect && !keep_expect);
    });
}

ForwardedFields choose_forwarded_fields(ForwardClientIp choice, const AgentView::Target* target) {
    switch (choice) {
        case ForwardClientIp::always: return ForwardedFields::send;
        case ForwardClientIp::never: return ForwardedFields::omit;
        case ForwardClientIp::automatic: break;
    }
    if (!target) return ForwardedFields::omit;
    if (!target->probed) return ForwardedFields::undecided;
    if (target->forwarded_for == AgentView::ForwardedFor::accepted) return ForwardedFields::send;
    return target->trusted_networks ? ForwardedFields::refuse : ForwardedFields::omit;
}

void add_forwarded_fields(FieldSection& fields, std::string_view visitor_ip, Scheme scheme, std::string_view host) {
    fields.add("X-Forwarded-For", visitor_ip);
    fields.add("X-Forwarded-Proto", name_of(scheme));
    fields.add("X-Forwarded-Host", host);
}

bool has_looped(const FieldSection& fields, std::string_view cdn_loop_id) {
    for (const Field& field : fields) {
        if (field.id != FieldId::cdn_loop) continue;
        bool found = false;
        for_each_list_member(field.value, [&](std::string_view member) {
            // cdn-info = cdn-id *( OWS ";" OWS parameter )
            found = found || equals_ignoring_case(trim_ows(member.substr(0, member.find(';'))), cdn_loop_id);
        });
        if (found) return true;
    }
    return false;
}

void strip_prefix(std::string& target, std::string_view prefix) {
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    if (prefix.empty() || !target.starts_with(prefix)) return;
    target.erase(0, prefix.size());
    if (!target.starts_with('/')) target.insert(0, 1, '/');
}

}  // namespace sallyport
