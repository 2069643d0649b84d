#include "agent/agent_start.h"

#include <unistd.h>

#include "agent/identity.h"
#include "wire/authorization.h"

namespace sallyport {
namespace {

KeyTrust key_trust_of(TargetTrust trust) {
    switch (trust) {
        case TargetTrust::automatic: return KeyTrust::first_use;
        case TargetTrust::system_ca: return KeyTrust::authorities;
        case TargetTrust::pin: return KeyTrust::pin;
    }
    return KeyTrust::authorities;
}

Target target_of(const ServiceConfig& service) {
    Target target;
    target.name = service.name;
    if (service.url) target.url = *service.url;
    target.tls_server_name = service.tls_server_name;
    target.trust = key_trust_of(service.trust);
    target.pin = service.pin;
    return target;
}

// Where the key of a code waits until the relay has taken it.
std::string waiting_key_file(std::string_view fingerprint) {
    return std::string(kIdentityFile) + "." + std::string(fingerprint.substr(0, 16));
}

// A process that was killed between the two writes of keep().
Result<> finish_kept_enrolment(const StateFolder& folder, const Enrolment& enrolment) {
    for (const std::string& fingerprint : enrolment.used_codes) {
        const std::string waiting = waiting_key_file(fingerprint);
        if (!folder.has(waiting)) continue;
        if (const auto renamed = folder.rename(waiting, kIdentityFile); !renamed) return renamed;
    }
    return {};
}

void keep(const StateFolder& folder, const Enrolment& enrolment, Log& log) {
    Result<> kept = store_enrolment(folder, enrolment);
    if (kept) kept = finish_kept_enrolment(folder, enrolment);
    if (!kept)
        log.error("agent.state_not_written",
                  {{"reason", kept.error().detail}, {"advice", "the code will be used again at the next start"}});
}

Result<Url> relay_url_of_code(const EnrolmentCode& code) {
    const auto url = parse_public_url(code.public_url);
    if (!url) return std::unexpected(url.error());
    Url relay = *url;
    relay.scheme = relay.scheme == "https" ? "wss" : "ws";
    return parse_relay_url(relay.text());
}

std::optional<Secret> shared_authorization(const AgentConfig& config, Result<>& problem) {
    if (!config.api_key.empty()) {
        const auto credential = parse_token(config.api_key.reveal());
        if (credential) return format_bearer(*credential);
        problem = fail(Errc::invalid_config, "api_key: " + credential.error().detail);
    } else if (!config.device_id.empty()) {
        return format_basic({config.device_id, config.secret});
    }
    return std::nullopt;
}

void show_proposal(const EnrolmentCode& code, std::FILE* out) {
    std::fprintf(out, "Enrolling with %s\n", code.public_url.c_str());
    if (code.targets.empty()) return;
    std::fprintf(out, "The code proposes targets; by pasting it you have accepted them:\n");
    for (const ProposedTarget& target : code.targets)
        std::fprintf(out, "  %s = %s\n", target.name.c_str(), target.url.c_str());
}

void show_key(const Identity& identity, Log& log, std::FILE* out) {
    if (!identity.made_now) return;
    const std::string key = public_key_text(identity.key);
    std::fprintf(out, "This agent's public key: %s\n", key.c_str());
    log.info("agent.key_made", {{"public_key", key}});
}

}  // namespace

Result<std::optional<EnrolmentCode>> choose_code(const AgentConfig& config, const EnrolmentInput& input) {
    const auto given = [](Result<EnrolmentCode> code) -> Result<std::optional<EnrolmentCode>> {
        if (code) return std::move(*code);
        return std::unexpected(code.error());
    };
    if (input.code) return given(parse_enrolment_code(input.code->reveal()));
    if (input.asked) return given(read_code(STDIN_FILENO));
    if (!config.enroll.empty()) return given(parse_enrolment_code(config.enroll.reveal()));
    if (!config.enroll_file.empty()) return given(read_code_file(config.enroll_file));
    return std::nullopt;
}

TargetTable make_target_table(const AgentConfig& config, const std::vector<ProposedTarget>& proposed) {
    std::vector<Target> entries;
    for (const ServiceConfig& service : config.services) entries.push_back(target_of(service));
    // The built-in search stands for "nobody said where it is", so a code that says it comes first.
    for (const ProposedTarget& proposal : proposed) {
        auto url = parse_target_url(proposal.url);
        if (!url) continue;
        Target target;
        target.name = proposal.name;
        target.url = std::move(*url);
        std::erase_if(entries, [&](const Target& entry) { return entry.name == target.name && !entry.is_located(); });
        entries.push_back(std::move(target));
    }
    return TargetTable(std::move(entries),
                       config.allow_any_target ? TargetTable::AnyTarget::allowed : TargetTable::AnyTarget::refused);
}

Result<AgentSetup> prepare_agent(const AgentConfig& config, const StateFolder& folder,
                                 const std::optional<EnrolmentCode>& code, Log& log, std::FILE* out) {
    auto enrolment = load_enrolment(folder);
    if (!enrolment) return std::unexpected(enrolment.error());
    if (const auto finished = finish_kept_enrolment(folder, *enrolment); !finished)
        return std::unexpected(finished.error());

    Result<> problem;
    auto authorization = shared_authorization(config, problem);
    if (!problem) return std::unexpected(problem.error());
    const bool used = code && enrolment->has_used(fingerprint_of(*code));
    const bool enrolling = code && !used && !authorization;
    if (used) log.info("agent.code_ignored", {{"reason", "it was used already"}});
    if (code && authorization) log.warn("agent.code_ignored", {{"reason", "api_key or device_id is set"}});

    AgentSetup setup;
    std::string pin = config.pin;
    const bool pin_wanted = pin.empty() && config.ca_file.empty();
    const auto enrolled_relay = parse_relay_url(enrolment->relay_url);
    if (config.relay_url) {
        setup.relay.url = *config.relay_url;
    } else if (enrolling) {
        const auto url = relay_url_of_code(*code);
        if (!url) return std::unexpected(url.error());
        setup.relay.url = *url;
    } else if (enrolled_relay) {
        setup.relay.url = *enrolled_relay;
    } else {
        return fail(
            Errc::invalid_config,
            "this agent is not enrolled: start it with --enroll and paste what `sallyport admin agent add NAME` "
            "prints on the relay, or set relay_url and api_key");
    }
    if (pin_wanted && enrolling)
        pin = code->pin;
    else if (pin_wanted && enrolled_relay && *enrolled_relay == setup.relay.url)
        pin = enrolment->pin;

    if (authorization) {
        setup.relay.proof = SharedProof{std::move(*authorization)};
    } else {
        const bool fresh_key = enrolling && !enrolment->used_codes.empty();
        const auto identity = load_or_make_identity(
            folder, fresh_key ? waiting_key_file(fingerprint_of(*code)) : std::string(kIdentityFile));
        if (!identity) return std::unexpected(identity.error());
        show_key(*identity, log, out);
        setup.relay.proof = identity->key;
    }
    if (enrolling) {
        show_proposal(*code, out);
        setup.relay.enrolment = enrol_field(*code);
        enrolment->relay_url = setup.relay.url.text();
        enrolment->pin = code->pin;
        enrolment->note_used(fingerprint_of(*code));
        enrolment->targets = code->targets;
        setup.keep_enrolment = [folder, kept = *enrolment, &log] { keep(folder, kept, log); };
    }
    auto tls = make_relay_tls(setup.relay.url, pin, config.ca_file);
    if (!tls) return std::unexpected(tls.error());
    setup.relay.tls = std::move(*tls);

    setup.targets = make_target_table(config, enrolment->targets);
    setup.state = folder;
    setup.tunnel.heartbeat_interval = config.heartbeat_interval;
    setup.tunnel.heartbeat_timeout = config.heartbeat_timeout;
    setup.tunnel.resume_window = config.resume_window;
    setup.reconnect_base = config.reconnect_base;
    setup.reconnect_max = config.reconnect_max;
    setup.request_timeout = config.request_timeout;
    setup.concurrency_limit = config.concurrency_limit;
    return setup;
}

}  // namespace sallyport
