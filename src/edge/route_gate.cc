#include "edge/route_gate.h"

#include "edge/request_policy.h"

namespace sallyport {
namespace {

GateRefusal refusal(PolicyRefusal reason, const Problem& told) { return {reason, told}; }

GateRefusal maintenance_refusal(const RoutePolicy::Maintenance& maintenance) {
    Problem told = problem::kMaintenance;
    if (!maintenance.text.empty()) told.detail = maintenance.text;
    told.retry_after = static_cast<int>(maintenance.retry_after.count());
    return {PolicyRefusal::maintenance, told};
}

}  // namespace

std::string_view path_at_origin(const Route& route, const RequestHead& head, std::string& memory) {
    if (!route.strip_prefix) return head.path();
    memory = head.path();
    strip_prefix(memory, route.path_prefix);
    return memory;
}

std::optional<GateRefusal> judge_request(const Route& route, const RequestHead& head, std::string_view visitor_ip) {
    const RoutePolicy& policy = *route.policy;
    if (policy.unreadable) return refusal(PolicyRefusal::unreadable, problem::kPolicyUnreadable);
    if (!policy.addresses.admits(visitor_ip)) return refusal(PolicyRefusal::address, problem::kAddressDenied);
    if (policy.maintenance) return maintenance_refusal(*policy.maintenance);
    if (!policy.paths.empty()) {
        std::string memory;
        switch (policy.paths.judge(path_at_origin(route, head, memory))) {
            case PathRules::Verdict::pass: break;
            case PathRules::Verdict::denied: return refusal(PolicyRefusal::path, problem::kPathDenied);
            case PathRules::Verdict::ambiguous: return refusal(PolicyRefusal::ambiguous_path, problem::kPathAmbiguous);
        }
    }
    const bool announced = head.framing.kind == Framing::Kind::content_length;
    if (policy.max_body && announced && head.framing.length > *policy.max_body) return refusal(PolicyRefusal::content, problem::kContentTooLarge);
    return std::nullopt;
}

PasswordNeed need_password(const Route& route, const RequestHead& head, Presented& presented) {
    const BasicAuth& auth = *route.policy->basic_auth;
    std::string memory;
    if (!auth.open_paths.empty() && auth.is_open(path_at_origin(route, head, memory))) return PasswordNeed::none;
    presented = read_presented(head.fields);
    if (presented.kind == Presented::Kind::basic) return PasswordNeed::judge;
    if (presented.kind == Presented::Kind::bearer && auth.bearer == BasicAuth::Bearer::pass) return PasswordNeed::bearer;
    return PasswordNeed::absent;
}

void drop_basic_credentials(FieldSection& fields) {
    fields.remove_if([](const Field& field) { return field.id == FieldId::authorization && is_basic(field.value); });
}

}  // namespace sallyport
