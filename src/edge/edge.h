// edge.h: the visitor-facing HTTP engine (1.1 and 2) of one loop: listeners, TLS by SNI, routing, error pages, access log.
// Lives on its loop; every call comes on that loop's thread, or before the loop runs, but metrics(). What it is
// given must outlive it. Destroy it on the loop's thread (or after the loop has ended): open connections are cut.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "base/log.h"
#include "edge/ban_shield.h"
#include "edge/edge_metrics.h"
#include "edge/edge_settings.h"
#include "edge/local_handler.h"
#include "edge/origins.h"
#include "edge/password_checker.h"
#include "edge/route_table.h"
#include "edge/tcp_ports.h"
#include "edge/tunnel_door.h"
#include "edge/visitor_limits.h"
#include "net/descriptor.h"
#include "net/loop.h"
#include "net/tls_context.h"

namespace sallyport {

class Edge {
public:
    // Which edge is at home with an agent: the one on its owner loop. Null: stay here. Asked with "" never.
    // All edges outlive all loops' last turn.
    using ChooseEdge = std::function<Edge*(std::string_view agent_id)>;

    // `limits` are shared by all edges; null: this one's own, with the defaults.
    Edge(Loop& loop, Origins& origins, TunnelDoor& door, Log& log, EdgeSettings settings, std::shared_ptr<VisitorLimits> limits = {});
    ~Edge();
    Edge(const Edge&) = delete;
    Edge& operator=(const Edge&) = delete;

    // Snapshots; requests and handshakes under way end with the ones they began with.
    void set_routes(std::shared_ptr<const RouteTable> routes);
    void set_server_tls(std::shared_ptr<const ServerTls> tls);
    // For what begins from now on; deadlines that run stay.
    void set_settings(EdgeSettings settings);

    // For routes with basic_auth; one for all edges of a process. Without it nobody gets into those.
    void set_password_checker(PasswordChecker& passwords);
    // One for all edges of a process. Without it nobody is banned.
    void set_ban_shield(BanShield& shield);
    // One for all edges of a process. Without it no request is a doctor's.
    void set_doctor_tickets(DoctorTickets& tickets);

    // Each takes a bound, listening descriptor (listen_tcp, listen_unix).
    void listen_https(Descriptor listener, ChooseEdge choose_edge = {});
    // HTTP/1.1 without TLS, from settings.trusted_proxies only.
    void listen_plain(Descriptor listener);
    void listen_redirect(Descriptor listener);                      // http -> https, same host and path
    void listen_local(Descriptor listener, LocalHandler& handler);  // admin, metrics: no TLS, no routes

    // The TCP routes that this loop serves, from now on (edge/tcp_ports.h).
    void set_tcp_ports(const std::vector<TcpPort>& ports);

    // Closes the listeners. gently: what was accepted is kept, and each connection's next request is its last, answered with
    // "Connection: close" (closing an idle one would race with a request on its way); over HTTP/2 GOAWAY says so, in two steps. now: idle ones are closed too, and an
    // answer under way is the last one.
    enum class Drain { gently, now };
    void drain(Drain how);
    std::size_t open_connections() const;  // those being handshaken included

    const EdgeMetrics& metrics() const;  // any thread
    Loop& loop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sallyport
