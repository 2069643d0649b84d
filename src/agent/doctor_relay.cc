// The doctor's steps from the configuration to the relay's view of this agent.
#include <unistd.h>

#include <algorithm>

#include "agent/agent_start.h"
#include "agent/doctor_walk.h"
#include "agent/identity.h"
#include "base/version.h"
#include "wire/http1_writer.h"
#include "wire/websocket_handshake.h"

namespace sallyport {
namespace {

constexpr std::string_view kTunnelPath = "/tunnel";
constexpr std::chrono::seconds kTunnelPatience{15};  // an agent that has lost its connection dials again within a second or two
constexpr std::chrono::seconds kClockTolerance{30};

std::string age_text(std::int64_t seconds) {
    if (seconds < 120) return std::to_string(seconds) + " s";
    if (seconds < 7200) return std::to_string(seconds / 60) + " min";
    return std::to_string(seconds / 3600) + " h";
}

std::string quoted(const Url& url) { return url.text(); }

// The configuration's problems stand one on a line.
std::string one_line(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (std::size_t at; (at = text.find('\n')) != std::string::npos;) text.replace(at, 1, "; ");
    return text;
}

}  // namespace

DoctorWalk::Verdict DoctorWalk::configuration() {
    if (!config_) return bad(one_line(config_.error().detail), "correct it and try again; docs/agent.md lists the keys");
    fact("state_dir", config_->state_dir.string());
    for (const std::string& warning : config_->warnings) hint(warning);
    auto folder = StateFolder::open_existing(config_->state_dir);
    if (!folder && folder.error().code == Errc::permission_denied)
        return bad(folder.error().detail, "run this as the agent's own user, for example: sudo -u sallyport sallyport doctor …");
    const bool shared = !config_->api_key.empty() || !config_->device_id.empty();
    const std::string enrol =
        "start the agent once with a code that `sallyport admin agent add NAME` prints on the relay: sallyport agent --enroll; "
        "if it is enrolled, give this command the agent's --config or --state-dir, and run it as the agent's user";
    if (!folder && !shared) return bad("there is no enrolled agent: " + folder.error().detail, enrol);
    if (folder) {
        folder_ = *folder;
        agent_runs_here_ = folder_->is_locked();
        if (!shared && !folder_->has(kIdentityFile)) return bad("the state folder " + folder_->path().string() + " holds no key: the agent is not enrolled", enrol);
        if (::access((folder_->path() / kIdentityFile).c_str(), R_OK) != 0 && errno == EACCES)
            return bad("the agent's key in " + folder_->path().string() + " can't be read", "run this as the agent's own user, for example: sudo -u sallyport sallyport doctor …");
    } else {
        // A shared secret needs no state, and nothing is made here.
        folder_.reset();
    }
    const auto empty = StateFolder::open_existing("/");
    auto setup = prepare_agent(*config_, folder_ ? *folder_ : *empty, std::nullopt, log_, stderr);
    if (!setup) return bad(one_line(setup.error().detail), enrol);
    setup_ = std::move(*setup);
    setup_.state.reset();  // what is learnt here is not kept
    const bool by_key = std::holds_alternative<Ed25519PrivateKey>(setup_.relay.proof);
    if (by_key) fact("public_key", public_key_text(std::get<Ed25519PrivateKey>(setup_.relay.proof)));
    fact("relay_url", quoted(setup_.relay.url));
    fact("credential", by_key ? "key" : !config_->api_key.empty() ? "api_key" : "device");
    std::string targets;
    for (const Target& target : setup_.targets.entries()) targets += (targets.empty() ? "" : ", ") + target.name;
    fact("services", targets);
    return good(source_ + "; relay " + quoted(setup_.relay.url) + "; services: " + targets);
}

DoctorWalk::Verdict DoctorWalk::relay_dns() {
    const Url& url = setup_.relay.url;
    if (url.host_kind != HostKind::name) {
        relay_addresses_ = *line_.resolve(url.host, url.port);
        return good(url.host + " is an address; no name to look up");
    }
    auto found = line_.resolve(url.host, url.port);
    if (!found && found.error().code == Errc::timeout)
        return bad(url.host + ": no name server answered in time", "look at this machine's network and its name servers (/etc/resolv.conf); is the Internet there at all?");
    if (!found)
        return bad(url.host + " is not found (" + found.error().detail + ")",
                   "is relay_url (" + quoted(url) + ") right? If it is, make an A or AAAA record for " + url.host + " that leads to the relay");
    relay_addresses_ = std::move(*found);
    fact("addresses", addresses_text(relay_addresses_));
    return good(url.host + " is " + addresses_text(relay_addresses_));
}

DoctorWalk::Verdict DoctorWalk::relay_tcp() {
    const Url& url = setup_.relay.url;
    const std::string place = url.host + ":" + std::to_string(url.port);
    auto connected = line_.connect(url.host, url.port);
    if (connected) {
        relay_socket_ = std::move(*connected);
        relay_address_ = SocketAddress::peer_of(relay_socket_.get());
        fact("address", relay_address_.text());
        return good("connected to " + relay_address_.text());
    }
    const Error& why = connected.error();
    const std::string port = std::to_string(url.port);
    if (why.code == Errc::refused)
        return bad(place + " (" + addresses_text(relay_addresses_) + ") refuses the connection: nobody listens there",
                   "is the relay running (there: sallyport doctor --relay), does it listen on port " + port + ", and does the name lead to its machine?");
    if (why.code == Errc::timeout)
        return bad(place + " (" + addresses_text(relay_addresses_) + ") doesn't answer",
                   "a firewall drops it, or the machine is off: let TCP port " + port + " in at the relay (provider's firewall too), and out at home");
    return bad(place + ": " + why.detail, "is this machine's network up, and is there a way to " + addresses_text(relay_addresses_) + " (IPv6 that leads nowhere?)");
}

DoctorWalk::Verdict DoctorWalk::relay_tls() {
    const RelayEndpoint& relay = setup_.relay;
    if (!relay.tls) {
        relay_connection_ = make_plain_transport(line_.loop(), std::move(relay_socket_));
        return skip("ws://: no TLS from here to the proxy on this machine");
    }
    auto shaken = line_.shake_hands(std::move(relay_socket_), *relay.tls);
    if (!shaken) {
        const Error& why = shaken.error();
        const DialFailure failure = judge_tls_failure(relay, why);
        if (why.detail.find("not yet valid") != std::string::npos || why.detail.find("expired") != std::string::npos)
            hint("this machine's clock says " + std::to_string(wall_now().time_since_epoch().count()) + " s since 1970: is it right?");
        const auto says = [&](std::string_view word) { return why.detail.find(word) != std::string::npos; };
        if (failure.kind == DialFailure::Kind::network || says("wrong version number") || says("cut by the peer"))
            return bad("no TLS with " + relay.url.host + ": " + failure.reason, "something else than a relay listens on that port, or a firewall cuts TLS: check relay_url");
        return bad(failure.reason, failure.advice);
    }
    const std::string shown = (*shaken)->peer_pin();
    fact("pin", shown);
    relay_connection_ = std::move(*shaken);
    const std::string& pin = relay.tls->policy().pin;
    return good(pin.empty() ? "TLS 1.3, the certificate is valid for " + relay.url.host : "TLS 1.3, the relay's identity is the pinned one");
}

Result<TransportPtr> DoctorWalk::reach_relay() {
    auto connected = line_.connect(setup_.relay.url.host, setup_.relay.url.port);
    if (!connected) return std::unexpected(connected.error());
    if (!setup_.relay.tls) return make_plain_transport(line_.loop(), std::move(*connected));
    auto shaken = line_.shake_hands(std::move(*connected), *setup_.relay.tls);
    if (!shaken) return std::unexpected(shaken.error());
    return std::move(*shaken);
}

std::expected<RelayView, DialFailure> DoctorWalk::ask_view(TransportPtr connection) {
    using Kind = DialFailure::Kind;
    const RelayEndpoint& relay = setup_.relay;
    auto proof = prove_to_relay(relay, dynamic_cast<TlsTransport*>(connection.get()));
    if (!proof) return std::unexpected(DialFailure{Kind::setup, proof.error().detail, "see docs/agent.md about credentials", {}});
    HttpCall::Request request;
    const std::string& path = relay.url.path;
    fill_websocket_request(request.head, relay.url.authority(), path.empty() || path == "/" ? kTunnelPath : std::string_view(path), make_websocket_key());
    request.head.fields.add("Sec-WebSocket-Protocol", kViewProtocol);
    request.head.fields.add("Accept", "application/json");
    request.head.fields.add("Authorization", *proof);
    const Secret wiped(std::move(*proof));
    request.connection = ConnectionOption::upgrade;
    request.limit = std::chrono::seconds(20);
    const TimePoint began = Clock::now();
    const DoctorLine::Answer answer = line_.ask(std::move(connection), std::move(request), {});
    if (answer.head.status == 0 || !answer.end)
        return std::unexpected(DialFailure{Kind::network, answer.end ? "no answer" : answer.end.error().detail, {}, {}});
    if (answer.head.status != 200) return std::unexpected(judge_answer(answer.head, answer.content, false));
    auto view = parse_relay_view(answer.content);
    if (!view) return std::unexpected(DialFailure{Kind::protocol, view.error().detail, "what answers there doesn't seem to be a relay: check relay_url", {}});
    viewed_at_ = began;
    return std::move(*view);
}

bool DoctorWalk::refresh_view() {
    auto connection = reach_relay();
    if (!connection) return false;
    auto view = ask_view(std::move(*connection));
    if (!view) return false;
    view_ = std::move(*view);
    return true;
}

DoctorWalk::Verdict DoctorWalk::credential() {
    auto view = ask_view(std::move(relay_connection_));
    if (!view) {
        const DialFailure& why = view.error();
        fact("cause", std::string(name_of(why.kind)));
        if (why.kind == DialFailure::Kind::not_recognised)
            hint("a relay older than this program, or a proxy in front that doesn't pass WebSocket openings, answers the same");
        return bad(why.reason, why.advice.empty() ? "try again in a moment, and look into the relay's log (tunnel.refused)" : why.advice);
    }
    view_ = std::move(*view);
    compare_clocks(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - viewed_at_));
    fact("agent", view_.agent);
    fact("relay_version", view_.relay_version);
    return good("the relay knows this agent as \"" + view_.agent + "\"");
}

void DoctorWalk::compare_clocks(std::chrono::milliseconds took) {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(WallClock::now().time_since_epoch());
    if (view_.time_ms == 0) return;
    const auto difference = now - took / 2 - std::chrono::milliseconds(view_.time_ms);
    fact("clock_difference_ms", static_cast<std::int64_t>(difference.count()));
    if (difference > kClockTolerance || difference < -kClockTolerance)
        hint("the clocks of this machine and the relay differ by " + std::to_string(std::abs(difference.count()) / 1000) +
             " s: set the one that is wrong (certificates are judged by it)");
}

DoctorWalk::Verdict DoctorWalk::tunnel() {
    if (view_.tunnel && !view_.tunnel->lost) return running_tunnel(agent_runs_here_);
    if (!agent_runs_here_ && !view_.tunnel) return temporary_tunnel();
    // It has lost its connection just now, or was started just now.
    const TimePoint end = Clock::now() + kTunnelPatience;
    while (Clock::now() < end && !line_.called_off()) {
        (void)line_.wait([] { return false; }, std::chrono::seconds(1));
        if (refresh_view() && view_.tunnel && !view_.tunnel->lost) return running_tunnel(agent_runs_here_);
    }
    fact("online", false);
    if (!agent_runs_here_)
        return bad("the tunnel's connection is lost, and nobody takes it up again", "the agent runs elsewhere: look there; or start it here");
    return bad("an agent runs here, but the relay has no tunnel of it",
               "its log says why (agent.not_connected): journalctl -u sallyport-agent; is it started with this same configuration?");
}

DoctorWalk::Verdict DoctorWalk::running_tunnel(bool here) {
    const RelayView::Tunnel& tunnel = *view_.tunnel;
    fact("online", true);
    fact("temporary", false);
    fact("peer", tunnel.peer);
    fact("connected_s", tunnel.connected_s);
    fact("agent_version", tunnel.version);
    fact("round_trip_us", tunnel.round_trip_us);
    if (!here && !options_.brief)
        hint("no agent runs with the state folder " + config_->state_dir.string() + ": the tunnel is that of another process or machine with this credential (" + tunnel.peer + ")");
    if (tunnel.version != kVersion)
        hint("the agent that runs is version " + tunnel.version + ", this program " + std::string(kVersion) + ": restart the agent after an update");
    if (!view_.refused_peer.empty())
        hint("another process with this credential tries to connect from " + view_.refused_peer + ": stop it, or see `sallyport admin agent takeover`");
    std::string text = "up for " + age_text(tunnel.connected_s) + ", from " + tunnel.peer;
    if (tunnel.round_trip_us > 0) text += ", round trip " + std::to_string((tunnel.round_trip_us + 500) / 1000) + " ms";
    return good(text);
}

DoctorWalk::Verdict DoctorWalk::temporary_tunnel() {
    temporary_ = std::make_unique<Agent>(line_.loop(), line_.workers(), log_, setup_);
    temporary_->start();
    fact("temporary", true);
    if (!line_.wait([this] { return temporary_->is_connected(); }, kTunnelPatience)) {
        fact("online", false);
        return bad("no agent runs here, and a tunnel for this check doesn't come up within 15 s, though the relay takes the credential",
                   "run it again with --verbose, and look into the relay's log (tunnel.refused, tunnel.closed)");
    }
    fact("online", true);
    (void)refresh_view();
    hint("no agent runs here: nobody reaches this home once this check is over. Start it: systemctl enable --now sallyport-agent, or sallyport agent");
    return good("no agent runs here; a temporary tunnel is up for this check");
}

DoctorWalk::Verdict DoctorWalk::relay_view() {
    std::string urls;
    for (const RouteNotice& route : view_.routes) urls += (urls.empty() ? "" : ", ") + route.url + " -> " + route.target;
    fact("routes", urls);
    const auto leads_to = [](const std::string& name) { return [name](const RouteNotice& route) { return route.target == name; }; };
    if (view_.routes.empty())
        return bad("no public URL leads here", "on the relay: sallyport admin route add HOSTNAME " + view_.agent + (options_.target.empty() ? "" : " " + options_.target));
    auto chosen = view_.routes.begin();
    if (!options_.target.empty()) {
        chosen = std::ranges::find_if(view_.routes, leads_to(options_.target));
        if (chosen == view_.routes.end())
            return bad("no public URL leads to " + options_.target + " (" + urls + ")", "on the relay: sallyport admin route add HOSTNAME " + view_.agent + " " + options_.target);
    } else if (const auto home = std::ranges::find_if(view_.routes, leads_to(std::string(kHomeAssistant))); home != view_.routes.end()) {
        chosen = home;
    }
    auto target = setup_.targets.find(chosen->target);
    fact("url", chosen->url);
    fact("target", chosen->target);
    if (!target)
        return bad(chosen->url + " leads to the service " + chosen->target + ", which isn't among this agent's", target.error().detail);
    target_ = std::move(*target);
    url_text_ = chosen->url;
    if (view_.routes.size() > 1) hint("looked at: this one of " + std::to_string(view_.routes.size()) + " public URLs; --target NAME takes another service");
    return good(url_text_ + " leads to " + target_.name);
}

}  // namespace sallyport
