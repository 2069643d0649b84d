// edge_context.h: what all connections of one loop share. Owned by the Edge; outlives them.
#pragma once
#include <memory>
#include <string_view>

#include "base/log.h"
#include "edge/access_log.h"
#include "edge/ban_shield.h"
#include "edge/doctor_tickets.h"
#include "edge/edge_metrics.h"
#include "edge/edge_settings.h"
#include "edge/origin_farewells.h"
#include "edge/origins.h"
#include "edge/password_checker.h"
#include "edge/route_table.h"
#include "edge/tunnel_door.h"
#include "net/loop.h"

namespace sallyport {

class VisitorConnection;

struct EdgeContext {
    // Takes connections that have ended.
    class Owner {
    public:
        virtual void on_connection_over(VisitorConnection& connection) = 0;

    protected:
        ~Owner() = default;
    };

    EdgeContext(Owner& o, Loop& l, Origins& origins_held, TunnelDoor& d, Log& log_used, EdgeSettings s)
        : owner(o), loop(l), origins(origins_held), door(d), log(log_used), settings(std::move(s)), access_log(l, log_used, settings.access_log), error_lines(l, log_used, "edge.error", 100), farewells(l) {}

    Owner& owner;
    Loop& loop;
    Origins& origins;
    TunnelDoor& door;
    Log& log;
    EdgeSettings settings;  // replaced by a reload: look at it when it is needed
    EdgeMetrics metrics;
    AccessLog access_log;
    BoundedLines error_lines;
    OriginFarewells farewells;
    std::shared_ptr<const RouteTable> routes;  // in force; requests hold the one they began with
    PasswordChecker* passwords = nullptr;  // shared by all loops; without one no password is ever right
    BanShield* shield = nullptr;  // shared by all loops; without one nobody is banned
    DoctorTickets* tickets = nullptr;  // shared by all loops; without it no request is a doctor's
    bool draining = false;  // an answer that begins is its connection's last, and says so
    bool hurried = false;   // and so is one that has begun; idle connections are closed
};

}  // namespace sallyport
