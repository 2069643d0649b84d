// The doctor's steps at home: the service behind the route, reached from here.
#include "agent/doctor_walk.h"
#include "agent/home_assistant_search.h"
#include "net/tcp_transport.h"

namespace sallyport {
namespace {

constexpr std::chrono::seconds kProbePatience{30};

bool is_loopback_text(const std::string& ip) { return ip.starts_with("127.") || ip == "::1"; }

// What to enter as trusted proxy so that the agent is one.
std::string trusted_proxy(const std::string& local_ip) {
    if (is_loopback_text(local_ip)) return "127.0.0.1 and ::1";
    // The Supervisor gives bridged add-ons addresses of this network, another one after each start.
    if (local_ip.starts_with("172.30.33.")) return "172.30.33.0/24";
    return local_ip;
}

std::string proxy_settings(const std::string& local_ip) {
    return "in Home Assistant 2026.8 or later: Settings > System > Network, switch on \"Use X-Forwarded-For\" and enter " + trusted_proxy(local_ip) +
           " as trusted proxy, save, and confirm within 5 minutes; before 2026.8 in configuration.yaml: http: use_x_forwarded_for: true, trusted_proxies: [" +
           (is_loopback_text(local_ip) ? "127.0.0.1, \"::1\"" : trusted_proxy(local_ip)) + "], then restart it";
}

}  // namespace

std::optional<Target> DoctorWalk::find_home_assistant() {
    std::optional<std::optional<Target>> found;
    auto search = std::make_unique<HomeAssistantSearch>(line_.loop(), line_.workers(), *trust_, home_assistant_candidates(),
                                                        [&](std::optional<Target> target) { found = std::move(target); });
    (void)line_.wait([&] { return found.has_value(); }, kProbePatience);
    line_.loop().dispose(std::move(search));
    return found ? *found : std::nullopt;
}

DoctorWalk::Verdict DoctorWalk::target_port() {
    trust_ = std::make_unique<OriginTrust>(line_.workers(), log_, folder_);
    if (const auto loaded = trust_->load(); !loaded) hint("the noted keys of https services can't be read: " + loaded.error().detail);
    if (!target_.is_located()) {
        auto found = find_home_assistant();
        if (!found)
            return bad("no Home Assistant was found at homeassistant, homeassistant.local, localhost or 172.30.32.1, port 8123 or 80",
                       "is it running? If it is elsewhere, say where in the agent's configuration: services: {homeassistant: http://ADDRESS:8123}");
        const std::string name = target_.name;
        target_ = std::move(*found);
        target_.name = name;
        target_.trust = KeyTrust::first_use;
    }
    const std::string place = target_.url.host + ":" + std::to_string(target_.url.port);
    fact("authority", place);
    auto connected = line_.connect(target_.url.host, target_.url.port);
    if (connected) {
        fact("seen_as", SocketAddress::local_of(connected->get()).ip());
        return good(target_.url.text() + " takes connections; this machine is " + SocketAddress::local_of(connected->get()).ip() + " to it");
    }
    const Error& why = connected.error();
    const std::string entry = "services." + target_.name + " in the agent's configuration (" + target_.url.text() + ")";
    if (why.code == Errc::refused) return bad(place + " refuses the connection: nothing listens there", "is the service running, and is the port right? Correct " + entry);
    if (why.code == Errc::not_found) return bad(target_.url.host + " is not found", "correct the name in " + entry + ", or write its address");
    if (why.code == Errc::timeout) return bad(place + " doesn't answer", "is that machine on, and does its firewall let this one in? See " + entry);
    return bad(place + ": " + why.detail, "see " + entry);
}

std::expected<HttpGet::Answered, HttpGet::Failed> DoctorWalk::get_from_target(const Target& target, const std::string& path) {
    std::optional<std::expected<HttpGet::Answered, HttpGet::Failed>> got;
    auto get = std::make_unique<HttpGet>(line_.loop(), line_.workers(), *trust_, target, HttpGet::Request{path, {}, std::chrono::seconds(10)},
                                         [&](std::expected<HttpGet::Answered, HttpGet::Failed> result) { got = std::move(result); });
    (void)line_.wait([&] { return got.has_value(); }, std::chrono::seconds(11));
    line_.loop().dispose(std::move(get));
    if (!got) return std::unexpected(HttpGet::Failed{{504, "connection_read_timeout", "no answer in time"}, true});
    return std::move(*got);
}

// Something answers the other scheme on that port.
std::optional<DoctorWalk::Verdict> DoctorWalk::wrong_scheme() {
    Target other = target_;
    other.url.scheme = target_.is_tls() ? "http" : "https";
    other.trust = KeyTrust::unjudged;
    const auto got = get_from_target(other, "/manifest.json");
    // An HTTP server tells who speaks TLS to it, or plain HTTP to its TLS port, with a 400 at best.
    if (!got || (!other.is_tls() && got->answer.status == 400)) return std::nullopt;
    return bad(target_.url.authority() + " speaks " + other.url.scheme + ", not " + target_.url.scheme,
               "write services." + target_.name + ": " + other.url.text() + " in the agent's configuration, and restart the agent");
}

// It doesn't speak http: https, or neither.
DoctorWalk::Verdict DoctorWalk::guess_scheme() {
    target_.url.scheme = "https";
    target_.trust = KeyTrust::first_use;
    const auto got = get_from_target(target_, "/manifest.json");
    if (!got) {
        target_.url.scheme = "tcp";
        return skip("it speaks neither http nor https");
    }
    findings_.home_assistant = sallyport::is_home_assistant(got->answer);
    fact("home_assistant", findings_.home_assistant);
    return good("https, answers " + std::to_string(got->answer.status) + (findings_.home_assistant ? "; it is Home Assistant" : "; the proxy at the server must speak https to it"));
}

DoctorWalk::Verdict DoctorWalk::target_scheme() {
    if (!target_.is_http()) return skip("tcp: octets are passed as they are");
    fact("scheme", target_.url.scheme);
    const auto got = get_from_target(target_, "/manifest.json");
    if (got && !(got->answer.status == 400 && !target_.is_tls())) {
        findings_.home_assistant = sallyport::is_home_assistant(got->answer);
        fact("home_assistant", findings_.home_assistant);
        return good(target_.url.scheme + ", answers " + std::to_string(got->answer.status) + (findings_.home_assistant ? "; it is Home Assistant" : ""));
    }
    if (guess_scheme_) return guess_scheme();
    if (auto wrong = wrong_scheme()) return *wrong;
    if (got) return good(target_.url.scheme + ", answers " + std::to_string(got->answer.status));
    const Refusal& why = got.error().why;
    fact("cause", why.cause);
    if (why.cause == "tls_certificate_error") return bad(target_.url.text() + ": its key is not trusted", why.details);
    return bad(target_.url.text() + " gives no HTTP answer: " + why.details, "look into the service's own log; is it still starting?");
}

DoctorWalk::Verdict DoctorWalk::forwarded_for() {
    if (!target_.is_http()) return skip("not for tcp");
    std::optional<HomeAssistantProbe::Outcome> outcome;
    auto probe = std::make_unique<HomeAssistantProbe>(line_.loop(), line_.workers(), *trust_, target_,
                                                      [&](HomeAssistantProbe::Outcome found) { outcome = std::move(found); });
    (void)line_.wait([&] { return outcome.has_value(); }, kProbePatience);
    line_.loop().dispose(std::move(probe));
    if (!outcome || !outcome->findings.answered)
        return bad_alone("whether it takes X-Forwarded-For can't be found out: " + (outcome ? outcome->why.details : std::string("no answer")),
                         "look into the service's own log");
    findings_ = outcome->findings;
    fact("seen_as", findings_.local_ip);
    fact("trusted_networks", findings_.trusted_networks);
    const bool accepted = findings_.forwarded_for == ForwardedForSupport::accepted;
    fact("verdict", accepted ? "accepted" : findings_.forwarded_for == ForwardedForSupport::refused ? "refused" : "unknown");
    if (!findings_.home_assistant) return accepted ? good("the service answers the same with the field, and gets it") : skip("the service doesn't take X-Forwarded-For, and doesn't get it");
    if (accepted) return good("Home Assistant takes X-Forwarded-For from " + findings_.local_ip + ": it sees its visitors' addresses");
    const std::string settings = proxy_settings(findings_.local_ip);
    if (findings_.trusted_networks)
        return bad("Home Assistant doesn't take X-Forwarded-For from " + findings_.local_ip +
                       ", and its login provider trusted_networks would let anybody in without a password: visitors get 503",
                   settings + "; or remove trusted_networks");
    return bad_alone("Home Assistant refuses X-Forwarded-For from " + findings_.local_ip + " (400): every visitor looks like " + findings_.local_ip + " to it", settings);
}

Result<TransportPtr> DoctorWalk::reach_target() {
    std::optional<std::expected<TransportPtr, Refusal>> done;
    auto dialler = std::make_unique<OriginDialler>(line_.loop(), line_.workers(), *trust_, target_, OriginLimits{},
                                                   [&](std::expected<TransportPtr, Refusal> origin) { done = std::move(origin); });
    (void)line_.wait([&] { return done.has_value(); }, kProbePatience);
    line_.loop().dispose(std::move(dialler));
    if (!done) return fail(Errc::timeout, "no connection in time");
    if (!*done) return fail(Errc::unreachable, done->error().details);
    return std::move(**done);
}

}  // namespace sallyport
