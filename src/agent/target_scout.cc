#include "agent/target_scout.h"

#include "agent/proxy_refusal.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxKnown = 256;     // entries beyond the table come from allow_any_target only
constexpr std::size_t kMaxWaiting = 4096;  // no more than streams of a tunnel

std::string_view name_of(ForwardedForSupport support) {
    switch (support) {
        case ForwardedForSupport::accepted: return "accepted";
        case ForwardedForSupport::refused: return "refused";
        case ForwardedForSupport::unknown: break;
    }
    return "unknown";
}

}  // namespace

struct TargetScout::Known {
    Known(Loop& loop, TargetScout& scout, const Target& entry)
        : target(entry),
          searched(!entry.is_located()),
          patience(loop, [this, &scout] { scout.lose_patience(*this); }) {}

    Target target;  // where searched, without host until it was found
    bool searched;
    State state = State::unknown;
    bool probed = false;             // findings hold; the relay decides by them
    TimePoint turned_at{};           // when they came to need the field, though the relay had heard otherwise
    bool is_home_assistant = false;  // it was one when it last answered
    HomeAssistantFindings findings;
    Url told_url;  // as reports() gave it when on_change was last called
    TimePoint asked_at{};
    std::vector<Ready> waiting;
    std::unique_ptr<HomeAssistantSearch> search;
    std::unique_ptr<HomeAssistantProbe> probe;
    Timer patience;

    bool depends_on_providers() const {
        return findings.home_assistant && findings.forwarded_for != ForwardedForSupport::accepted;
    }
    bool supposed_home_assistant() const { return is_home_assistant || searched || target.name == kHomeAssistant; }
};

TargetScout::TargetScout(Loop& loop, Workers& workers, OriginTrust& trust, Log& log, const TargetTable& table,
                         std::function<void()> on_change, Pace pace)
    : loop_(loop),
      workers_(workers),
      trust_(trust),
      log_(log),
      table_(table),
      on_change_(std::move(on_change)),
      pace_(pace) {}

TargetScout::~TargetScout() = default;

TargetScout::Known& TargetScout::known_of(const Target& target) {
    if (const auto known = known_.find(target.name); known != known_.end()) return *known->second;
    if (known_.size() >= kMaxKnown) {
        std::erase_if(known_, [this](const auto& entry) {
            return entry.second->state != State::asking && !table_.has(entry.first);
        });
    }
    return *known_.emplace(target.name, std::make_unique<Known>(loop_, *this, target)).first->second;
}

void TargetScout::prepare(const Target& target, Ready ready) {
    if (!target.is_http()) return ready(target);
    Known& known = known_of(target);
    const bool fresh = !known.depends_on_providers() || loop_.now() - known.asked_at < pace_.again;
    if (known.state == State::known && fresh) {
        if (const auto why = objection(known)) return ready(std::unexpected(*why));
        return ready(known.target);
    }
    if (known.waiting.size() >= kMaxWaiting)
        return ready(
            std::unexpected(make_refusal(ProxyError::connection_limit_reached, "too many wait for this target")));
    known.waiting.push_back(std::move(ready));
    if (!known.supposed_home_assistant() && table_.has(target.name) && !known.patience.running()) known.patience.start(pace_.patience);
    if (known.state == State::known) return ask_for_providers(known);
    ask(known);
}

void TargetScout::ask_for_providers(Known& known) {
    known.state = State::asking;
    known.asked_at = loop_.now();
    known.probe = std::make_unique<HomeAssistantProbe>(
        loop_, workers_, trust_, known.target, known.findings,
        [this, &known](const HomeAssistantProbe::Outcome& outcome) { on_outcome(known, outcome); });
}

void TargetScout::ask(Known& known) {
    if (known.state == State::asking) return;
    known.state = State::asking;
    known.asked_at = loop_.now();
    if (known.searched && !known.target.is_located()) {
        known.search = std::make_unique<HomeAssistantSearch>(
            loop_, workers_, trust_, home_assistant_candidates(),
            [this, &known](std::optional<Target> t) { on_found(known, std::move(t)); });
        return;
    }
    ask_target(known);
}

void TargetScout::on_found(Known& known, std::optional<Target> target) {
    loop_.dispose(std::move(known.search));
    if (!target) {
        known.state = State::unknown;
        forget_verdict(known);
        return answer(known, std::unexpected(make_refusal(
                                 ProxyError::connection_refused,
                                 "no Home Assistant answers at homeassistant, homeassistant.local, localhost or "
                                 "172.30.32.1, port 8123 or 80; set services: homeassistant: http://HOST:PORT")));
    }
    known.target.url = std::move(target->url);
    ask_target(known);
}

void TargetScout::ask_target(Known& known) {
    known.probe = std::make_unique<HomeAssistantProbe>(
        loop_, workers_, trust_, known.target,
        [this, &known](const HomeAssistantProbe::Outcome& outcome) { on_outcome(known, outcome); });
}

void TargetScout::on_outcome(Known& known, const HomeAssistantProbe::Outcome& outcome) {
    loop_.dispose(std::move(known.probe));
    const HomeAssistantFindings before = std::exchange(known.findings, outcome.findings);
    const bool was_probed = known.probed;
    known.is_home_assistant |= outcome.findings.home_assistant;
    if (outcome.findings.answered) {
        known.state = State::known;
        known.is_home_assistant = outcome.findings.home_assistant;
        known.probed = true;
        const bool turned = needs_forwarded_for(known.findings) && !needs_forwarded_for(before);
        if (turned && was_probed) known.turned_at = loop_.now();
        const bool new_to_people = known.findings != before || known.told_url != known.target.url;
        known.told_url = known.target.url;
        if (new_to_people) show(known);
        if (new_to_people || !was_probed) on_change_();
        // The relay learns it by this; what it sent before may come without the field.
        if (turned)
            return answer(known, std::unexpected(Refusal{503, "proxy_configuration_error", advice_of(known.findings)}));
        if (const auto why = objection(known)) return answer(known, std::unexpected(*why));
        return answer(known, known.target);
    }
    if (outcome.connected && !known.supposed_home_assistant()) {
        known.state = State::known;  // something that doesn't speak our kind of HTTP: serve it as it is
        known.probed = true;
        if (known.findings != before || !was_probed) on_change_();
        return answer(known, known.target);
    }
    known.state = State::unknown;
    known.probed = false;
    if (known.findings != before || was_probed) on_change_();
    if (known.searched) known.target.url = {};
    log_.debug("agent.target_silent",
               {{"target", known.target.name}, {"cause", outcome.why.cause}, {"reason", outcome.why.details}});
    answer(known, std::unexpected(outcome.why));
}

// Why no stream may pass, whatever the relay made of it.
std::optional<Refusal> TargetScout::objection(const Known& known) const {
    const bool on_the_way = known.turned_at != TimePoint{} && loop_.now() - known.turned_at < pace_.on_the_way;
    // Of targets beyond the table the relay is told nothing, so it never sends the field.
    const bool untold = known.findings.trusted_networks && !table_.has(known.target.name);
    if (!untold && !((on_the_way || pace_.decides) && needs_forwarded_for(known.findings))) return std::nullopt;
    std::string advice = advice_of(known.findings);
    if (untold) advice = "it lets some addresses in without password (trusted_networks); list it under services";
    return Refusal{503, "proxy_configuration_error", std::move(advice)};
}

void TargetScout::forget_verdict(Known& known) {
    if (std::exchange(known.probed, false)) on_change_();
}

void TargetScout::lose_patience(Known& known) {
    if (known.state == State::asking) answer(known, known.target);
}

void TargetScout::answer(Known& known, std::expected<Target, Refusal> answer) {
    known.patience.cancel();
    for (Ready& ready : std::exchange(known.waiting, {})) ready(answer);
}

void TargetScout::show(const Known& known) const {
    const HomeAssistantFindings& findings = known.findings;
    if (!findings.home_assistant) return;
    const std::string advice = advice_of(findings);
    const std::string url = known.target.url.text();
    if (advice.empty()) {
        return log_.info(
            "agent.home_assistant",
            {{"target", known.target.name}, {"url", url}, {"forwarded_for", name_of(findings.forwarded_for)}});
    }
    log_.warn("agent.home_assistant", {{"target", known.target.name},
                                       {"url", url},
                                       {"forwarded_for", name_of(findings.forwarded_for)},
                                       {"trusted_networks", findings.trusted_networks ? "yes" : "no"},
                                       {"advice", advice}});
}

void TargetScout::begin_anew() {
    for (auto& [name, known] : known_) {
        known->probed = false;
        if (known->state == State::known) known->state = State::unknown;
    }
}

void TargetScout::look_at(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
        const auto found = table_.find(name);
        if (!found || !found->is_http()) continue;
        Known& known = known_of(*found);
        if (known.state == State::unknown) ask(known);
    }
}

void TargetScout::look_again() {
    for (auto& [name, known] : known_)
        if (known->state != State::asking && loop_.now() - known->asked_at >= pace_.again) ask(*known);
}

void TargetScout::forget(std::string_view name) {
    const auto found = known_.find(name);
    if (found == known_.end() || found->second->state != State::known) return;
    found->second->state = State::unknown;
    if (found->second->searched) found->second->target.url = {};
    forget_verdict(*found->second);
}

std::vector<TargetReport> TargetScout::reports() const {
    std::vector<TargetReport> reports;
    for (const Target& entry : table_.entries()) {
        TargetReport report;
        report.name = entry.name;
        Url url = entry.url;
        report.probed = !entry.is_http();
        if (const auto known = known_.find(entry.name); known != known_.end()) {
            const HomeAssistantFindings& findings = known->second->findings;
            report.forwarded_for = findings.forwarded_for;
            report.trusted_networks = findings.trusted_networks;
            report.home_assistant = findings.home_assistant;
            report.note = advice_of(findings);
            report.probed |= known->second->probed;
            url = known->second->target.url;
        }
        report.scheme = url.host.empty() ? "http" : url.scheme;
        if (!url.host.empty()) report.authority = url.authority();
        reports.push_back(std::move(report));
    }
    return reports;
}

}  // namespace sallyport
