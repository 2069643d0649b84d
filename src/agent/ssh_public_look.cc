#include "agent/ssh_public_look.h"

#include <utility>

#include "agent/ssh_advice.h"
#include "wire/host_name.h"

namespace sallyport {

std::optional<PublicLookPlan> plan_public_look(const RemoteForward& forward, const SshLink::Up& up) {
    // A relay of ours binds nothing, and probes by itself. Behind a ProxyCommand the server has no address that we know.
    if (is_sallyport(up.version)) return std::nullopt;
    const auto server = parse_authority(up.address);
    if (!server) return std::nullopt;
    const auto bind = parse_authority(forward.bind.contains(':') ? "[" + forward.bind + "]" : forward.bind);
    if (forward.binds_loopback()) {
        // On the same machine the server's loopback is ours.
        const bool same = server->host == "127.0.0.1" || server->host == "::1";
        return same ? std::nullopt : std::optional(PublicLookPlan{server->host, false});
    }
    const bool wildcard = forward.bind.empty() || forward.bind == "0.0.0.0" || forward.bind == "::" || !bind || bind->kind == HostKind::name;
    return PublicLookPlan{wildcard ? server->host : forward.bind, true};
}

SshPublicLook::SshPublicLook(Loop& loop, Workers& workers, Log& log, std::string server, std::size_t forward, std::string listen, std::uint16_t port,
                             PublicLookPlan plan)
    : log_(log),
      server_(std::move(server)),
      forward_(forward),
      listen_(std::move(listen)),
      plan_(std::move(plan)),
      patience_(loop, [this] { connection_.reset(); }),
      connector_(loop, workers, plan_.host, port, Connector::Limits{}, [this](Result<Descriptor> connected) { on_connected(std::move(connected)); }) {}

void SshPublicLook::on_connected(Result<Descriptor> connected) {
    if (!plan_.should_be_reached) {
        if (!connected) return;
        connection_ = std::move(*connected);
        patience_.start(kArrival);
        return judge_arrival();
    }
    if (connected) return;
    log_.warn("agent.ssh_not_public", {{"server", server_},
                                       {"listen", listen_},
                                       {"reason", connected.error().detail},
                                       {"advice", connected.error().code == Errc::refused
                                                      ? "the server listens on its own loopback only, by all appearances: set GatewayPorts clientspecified in its sshd_config; or "
                                                        "put a reverse proxy there in front of 127.0.0.1, and set remote_ip_address to that"
                                                      : "a firewall may stand in front of it"}});
}

void SshPublicLook::on_stream() {
    arrived_ = true;
    judge_arrival();
}

void SshPublicLook::judge_arrival() {
    if (plan_.should_be_reached || !arrived_ || !connection_ || std::exchange(told_, true)) return;
    patience_.cancel();
    connection_.reset();
    log_.warn("agent.ssh_open_to_all", {{"server", server_},
                                        {"listen", listen_},
                                        {"address", plan_.host},
                                        {"advice", "the server opens this port to everybody, past the reverse proxy: set GatewayPorts no (or clientspecified) in its sshd_config"}});
}

}  // namespace sallyport
