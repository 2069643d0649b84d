#include "agent/home_assistant_probe.h"

#include "agent/proxy_refusal.h"

namespace sallyport {
namespace {
constexpr std::string_view kNobody = "192.0.2.1";  // TEST-NET-1 (RFC 5737): no visitor has it
}

HomeAssistantProbe::HomeAssistantProbe(Loop& loop, Workers& workers, OriginTrust& trust, Target target, Done done)
    : loop_(loop), workers_(workers), trust_(trust), target_(std::move(target)), done_(std::move(done)) {
    get("/manifest.json", {}, &HomeAssistantProbe::on_manifest);
}

HomeAssistantProbe::HomeAssistantProbe(Loop& loop, Workers& workers, OriginTrust& trust, Target target,
                                       HomeAssistantFindings known, Done done)
    : loop_(loop),
      workers_(workers),
      trust_(trust),
      target_(std::move(target)),
      done_(std::move(done)),
      only_providers_(true) {
    outcome_.findings = std::move(known);
    get("/auth/providers", {}, &HomeAssistantProbe::on_providers);
}

HomeAssistantProbe::~HomeAssistantProbe() = default;

void HomeAssistantProbe::get(std::string path, std::string forwarded_for, void (HomeAssistantProbe::*then)(Got&)) {
    loop_.dispose(std::move(get_));
    get_ = std::make_unique<HttpGet>(loop_, workers_, trust_, target_,
                                     HttpGet::Request{std::move(path), std::move(forwarded_for)},
                                     [this, then](Got result) { (this->*then)(result); });
}

void HomeAssistantProbe::on_manifest(Got& result) {
    if (!result) return give_up(result.error());
    manifest_status_ = result->answer.status;
    outcome_.findings.home_assistant = is_home_assistant(result->answer);
    outcome_.findings.local_ip = result->local_ip;
    if (outcome_.findings.home_assistant) return get("/auth/providers", {}, &HomeAssistantProbe::on_providers);
    get("/manifest.json", std::string(kNobody), &HomeAssistantProbe::on_forwarded);
}

void HomeAssistantProbe::on_providers(Got& result) {
    if (!result) return give_up(result.error());
    const auto listed = lists_trusted_networks(result->answer);
    // Who can't tell must not say "no": the visitors would be let in.
    if (!listed)
        return give_up({make_refusal(ProxyError::http_protocol_error, "its login providers can't be read"), true});
    outcome_.findings.trusted_networks = *listed;
    if (only_providers_) return finish();
    get("/manifest.json", std::string(kNobody), &HomeAssistantProbe::on_forwarded);
}

void HomeAssistantProbe::on_forwarded(Got& result) {
    if (!result) return give_up(result.error());
    outcome_.findings.forwarded_for = judge_forwarded_for(manifest_status_, result->answer.status);
    outcome_.findings.answered = true;
    finish();
}

void HomeAssistantProbe::give_up(const HttpGet::Failed& why) {
    const bool home_assistant = outcome_.findings.home_assistant;
    outcome_ = {{}, why.why, why.connected};
    outcome_.findings.home_assistant = home_assistant;
    finish();
}

void HomeAssistantProbe::finish() {
    loop_.dispose(std::move(get_));
    if (auto done = std::exchange(done_, nullptr)) done(std::move(outcome_));
}

}  // namespace sallyport
