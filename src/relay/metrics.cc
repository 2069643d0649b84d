#include "relay/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <unistd.h>

#include "base/version.h"

namespace sallyport::relay {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr std::array<std::string_view, 6> kStatusClasses{"cut", "1xx", "2xx", "3xx", "4xx", "5xx"};

class Family {
public:
    Family(MetricType type, std::string name, std::string help) : family_{std::move(name), std::move(help), type, {}} {}
    Family& add(double value, Labels labels = {}) {
        ClientMetric metric;
        metric.label = std::move(labels);
        (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
        family_.metric.push_back(std::move(metric));
        return *this;
    }
    Family& count(std::uint64_t value, Labels labels = {}) { return add(static_cast<double>(value), std::move(labels)); }
    MetricFamily take() { return std::move(family_); }

private:
    MetricFamily family_;
};

Family counter(std::string name, std::string help) { return {MetricType::Counter, std::move(name), std::move(help)}; }
Family gauge(std::string name, std::string help) { return {MetricType::Gauge, std::move(name), std::move(help)}; }

// The same route has counters on every loop.
struct RouteTotals {
    std::array<std::uint64_t, kStatusClasses.size()> requests{};
    std::uint64_t octets_in = 0;
    std::uint64_t octets_out = 0;
};

std::map<std::string, RouteTotals> add_up_routes(const std::vector<MeasuredLoop>& loops) {
    std::map<std::string, RouteTotals> totals;
    for (const MeasuredLoop& loop : loops)
        loop.edge->for_each_route([&](std::string_view, const RouteCounters& counters) {
            RouteTotals& total = totals[counters.hostname + counters.path_prefix];
            for (std::size_t i = 0; i < total.requests.size(); ++i) total.requests[i] += counters.requests[i].value();
            total.octets_in += counters.octets_in.value();
            total.octets_out += counters.octets_out.value();
        });
    return totals;
}

void add_routes(std::vector<MetricFamily>& out, const std::vector<MeasuredLoop>& loops) {
    Family requests = counter("sallyport_requests_total", "Requests answered, by route and status class; cut: ended without an answer");
    Family octets = counter("sallyport_content_octets_total", "Octets of content carried, by route; in: towards home");
    for (const auto& [route, total] : add_up_routes(loops)) {
        for (std::size_t i = 0; i < kStatusClasses.size(); ++i)
            if (total.requests[i] > 0) requests.count(total.requests[i], {{"route", route}, {"status", std::string(kStatusClasses[i])}});
        octets.count(total.octets_in, {{"route", route}, {"direction", "in"}});
        octets.count(total.octets_out, {{"route", route}, {"direction", "out"}});
    }
    out.push_back(requests.take());
    out.push_back(octets.take());
}

void add_tcp_routes(std::vector<MetricFamily>& out, const std::vector<MeasuredLoop>& loops) {
    struct Totals {
        std::uint64_t carried = 0, refused = 0, failed = 0, open = 0, octets_in = 0, octets_out = 0;
    };
    std::map<std::string, Totals> totals;
    for (const MeasuredLoop& loop : loops)
        loop.edge->for_each_tcp_route([&](std::string_view, const TcpRouteCounters& counters) {
            Totals& total = totals[counters.listen];
            total.carried += counters.connections.value() - counters.failed.value();
            total.refused += counters.refused.value();
            total.failed += counters.failed.value();
            total.open += counters.open.value();
            total.octets_in += counters.octets_in.value();
            total.octets_out += counters.octets_out.value();
        });
    Family connections = counter("sallyport_tcp_connections_total", "Connections to TCP routes; refused: not on the allow list; failed: TLS, agent or target");
    Family open = gauge("sallyport_tcp_open_connections", "Connections to TCP routes open now");
    Family octets = counter("sallyport_tcp_octets_total", "Octets carried by TCP routes; in: towards home");
    for (const auto& [listen, total] : totals) {
        connections.count(total.carried, {{"listen", listen}, {"result", "carried"}});
        connections.count(total.refused, {{"listen", listen}, {"result", "refused"}});
        connections.count(total.failed, {{"listen", listen}, {"result", "failed"}});
        open.count(total.open, {{"listen", listen}});
        octets.count(total.octets_in, {{"listen", listen}, {"direction", "in"}});
        octets.count(total.octets_out, {{"listen", listen}, {"direction", "out"}});
    }
    out.push_back(connections.take());
    out.push_back(open.take());
    out.push_back(octets.take());
}

void add_edges(std::vector<MetricFamily>& out, const std::vector<MeasuredLoop>& loops) {
    const auto sum = [&](Counter EdgeMetrics::* member) {
        std::uint64_t total = 0;
        for (const MeasuredLoop& loop : loops) total += (loop.edge->*member).value();
        return total;
    };
    out.push_back(gauge("sallyport_open_connections", "Visitors' connections, those being handshaken included")
                      .count(sum(&EdgeMetrics::open_connections))
                      .take());
    out.push_back(gauge("sallyport_upgraded_streams", "WebSockets and other upgraded connections open now")
                      .count(sum(&EdgeMetrics::upgraded_streams))
                      .take());
    out.push_back(counter("sallyport_connections_total", "Connections accepted").count(sum(&EdgeMetrics::accepted)).take());
    out.push_back(counter("sallyport_connections_handed_over_total", "Connections moved to another loop after their ClientHello")
                      .count(sum(&EdgeMetrics::handed_over))
                      .take());
    out.push_back(counter("sallyport_unknown_host_total", "Requests for a host no route names").count(sum(&EdgeMetrics::unknown_host)).take());
    out.push_back(counter("sallyport_error_pages_total", "Answers the relay made itself for want of an origin's")
                      .count(sum(&EdgeMetrics::error_pages))
                      .take());
    out.push_back(counter("sallyport_http2_connections_refused_total", "HTTP/2 connections whose visitor asked too much of us").count(sum(&EdgeMetrics::http2_refused)).take());
    out.push_back(counter("sallyport_retried_requests_total", "Requests sent once more on a fresh stream").count(sum(&EdgeMetrics::retried)).take());
}

void add_policy_refusals(std::vector<MetricFamily>& out, const std::vector<MeasuredLoop>& loops) {
    Family refused = counter("sallyport_policy_refusals_total", "Requests that a route's policy let not through");
    for (std::size_t i = 0; i < kPolicyRefusals; ++i) {
        std::uint64_t total = 0;
        for (const MeasuredLoop& loop : loops) total += loop.edge->policy_refused[i].value();
        refused.count(total, {{"reason", std::string(name_of(static_cast<PolicyRefusal>(i)))}});
    }
    out.push_back(refused.take());
}

void add_refusals(std::vector<MetricFamily>& out, Agents& agents, const std::vector<MeasuredLoop>& loops) {
    Family refused = counter("sallyport_handshakes_refused_total", "Connections that came to nothing: visitors' before their first request, agents' before their tunnel");
    for (std::size_t i = 0; i < kHandshakeRefusals; ++i) {
        std::uint64_t total = 0;
        for (const MeasuredLoop& loop : loops) total += loop.edge->handshakes_refused[i].value();
        refused.count(total, {{"side", "visitor"}, {"reason", std::string(name_of(static_cast<HandshakeRefusal>(i)))}});
    }
    std::uint64_t opened = 0;
    for (std::size_t i = 0; i < kAdmissionRefusals; ++i) {
        const auto reason = static_cast<AdmissionRefusal>(i);
        std::uint64_t total = 0;
        for (std::size_t loop = 0; loop < agents.size(); ++loop) total += agents.at(loop).counters().refused(reason);
        refused.count(total, {{"side", "agent"}, {"reason", std::string(name_of(reason))}});
    }
    for (std::size_t loop = 0; loop < agents.size(); ++loop) opened += agents.at(loop).counters().tunnels_opened.value();
    out.push_back(refused.take());
    out.push_back(counter("sallyport_tunnels_opened_total", "Tunnels that agents opened").count(opened).take());
}

void add_agents(std::vector<MetricFamily>& out, const std::vector<LiveAgent>& live) {
    std::size_t streams = 0;
    std::size_t in_flight = 0;
    std::size_t duplicates = 0;
    Family round_trip = gauge("sallyport_tunnel_round_trip_seconds", "Of the last PING of each tunnel");
    for (const LiveAgent& agent : live) {
        streams += agent.open_streams;
        duplicates += agent.refused ? 1 : 0;
        in_flight += agent.requests_in_flight;
        round_trip.add(static_cast<double>(agent.round_trip.count()) / 1e6, {{"agent", agent.view->name}});
    }
    out.push_back(gauge("sallyport_agents_online", "Agents with a tunnel").count(live.size()).take());
    out.push_back(gauge("sallyport_duplicate_agents", "Connected agents whose credential another process showed in the last 10 minutes").count(duplicates).take());
    out.push_back(gauge("sallyport_open_streams", "Streams open in all tunnels").count(streams).take());
    out.push_back(gauge("sallyport_requests_in_flight", "Requests and upgraded streams that count against concurrency limits").count(in_flight).take());
    out.push_back(round_trip.take());
}

void add_health(std::vector<MetricFamily>& out, const HealthBoard& board) {
    using State = RouteHealth::State;
    Family healthy = gauge("sallyport_route_healthy", "Whether the service behind a route can be reached: 1 or 0; absent until it is known");
    std::array<std::size_t, kHealthHops.size()> failing{};
    board.for_each([&](const std::string& label, const RouteHealth& health) {
        if (health.state == State::unknown) return;
        healthy.count(health.state == State::healthy ? 1 : 0, {{"route", label}});
        if (health.state == State::unhealthy) ++failing[static_cast<std::size_t>(health.hop)];
    });
    Family unhealthy = gauge("sallyport_routes_unhealthy", "Routes whose service can't be reached, by what fails first");
    for (const HealthHop hop : kHealthHops) unhealthy.count(failing[static_cast<std::size_t>(hop)], {{"hop", std::string(name_of(hop))}});
    Family probes = counter("sallyport_route_probes_total", "Looks at services behind routes");
    for (const State verdict : {State::healthy, State::unhealthy}) probes.count(board.probes(verdict), {{"result", std::string(name_of(verdict))}});
    out.push_back(healthy.take());
    out.push_back(unhealthy.take());
    out.push_back(probes.take());
}

void add_limits(std::vector<MetricFamily>& out, const OverloadWatch& limits, const VisitorLimits& visitors) {
    Family bound = gauge("sallyport_limit", "Bounds in force (rates: a second)");
    Family used = gauge("sallyport_limit_used", "What counts against those of them that hold for the whole relay");
    Family refused = counter("sallyport_limit_refusals_total", "How often each was reached");
    for (const OverloadWatch::Limit& limit : limits.limits()) {
        bound.count(limit.bound(), {{"limit", limit.name}});
        if (limit.used) used.count(limit.used(), {{"limit", limit.name}});
        refused.count(limit.refused(), {{"limit", limit.name}});
    }
    out.push_back(bound.take());
    out.push_back(used.take());
    out.push_back(refused.take());
    out.push_back(gauge("sallyport_visitor_addresses", "Addresses that are counted at the moment").count(visitors.addresses()).take());
}

void add_bans(std::vector<MetricFamily>& out, const BanShield& shield) {
    out.push_back(gauge("sallyport_bans", "Visitors who may not log in at the moment").count(shield.bans(Clock::now())).take());
    Family failures = counter("sallyport_ban_failures_total", "What the ban shield counts against visitors");
    for (std::size_t i = 0; i < kBanKinds; ++i) {
        const auto kind = static_cast<BanKind>(i);
        failures.count(shield.failures(kind), {{"kind", std::string(name_of(kind))}});
    }
    out.push_back(failures.take());
}

void add_ssh(std::vector<MetricFamily>& out, const std::vector<MeasuredLoop>& loops) {
    const auto total = [&](auto figure_of) {
        std::uint64_t sum = 0;
        for (const MeasuredLoop& loop : loops) sum += figure_of(*loop.ssh).value();
        return sum;
    };
    out.push_back(counter("sallyport_ssh_connections_total", "Connections of SSH clients").count(total([](const SshCounters& c) -> const Counter& { return c.connections; })).take());
    out.push_back(counter("sallyport_ssh_logins_total", "SSH clients that proved an agent's key").count(total([](const SshCounters& c) -> const Counter& { return c.logins; })).take());
    Family refused = counter("sallyport_ssh_refused_total", "Connections of SSH clients that came to no login");
    for (std::size_t i = 0; i < kSshRefusals; ++i)
        refused.count(total([i](const SshCounters& c) -> const Counter& { return c.refused[i]; }), {{"reason", std::string(name_of(static_cast<SshRefusal>(i)))}});
    out.push_back(refused.take());
    out.push_back(gauge("sallyport_ssh_clients", "SSH clients logged in").count(total([](const SshCounters& c) -> const Counter& { return c.open; })).take());
    out.push_back(gauge("sallyport_ssh_forwards", "What they forward (ssh -R)").count(total([](const SshCounters& c) -> const Counter& { return c.forwards; })).take());
    out.push_back(counter("sallyport_ssh_forwards_refused_total", "What they asked to forward and may not").count(total([](const SshCounters& c) -> const Counter& { return c.forwards_refused; })).take());
}

std::size_t resident_octets() {
    std::ifstream statm("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    statm >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void add_process(std::vector<MetricFamily>& out, const std::vector<MeasuredLoop>& loops, WallTime started_at) {
    Family lag = gauge("sallyport_event_loop_lag_seconds", "Longest turn of each loop since the last scrape");
    for (std::size_t i = 0; i < loops.size(); ++i)
        lag.add(std::chrono::duration<double>(loops[i].loop->take_longest_turn()).count(), {{"loop", std::to_string(i)}});
    out.push_back(lag.take());
    out.push_back(gauge("sallyport_build_info", "Always 1").add(1, {{"version", std::string(kVersion)}}).take());
    out.push_back(gauge("process_start_time_seconds", "Unix time of the start").count(static_cast<std::uint64_t>(started_at.time_since_epoch().count())).take());
    out.push_back(gauge("process_resident_memory_bytes", "Resident memory").count(resident_octets()).take());
}

}  // namespace

std::string Metrics::text(const std::vector<LiveAgent>& live) const {
    std::vector<MetricFamily> families;
    add_routes(families, loops_);
    add_tcp_routes(families, loops_);
    add_edges(families, loops_);
    add_policy_refusals(families, loops_);
    add_refusals(families, agents_, loops_);
    add_agents(families, live);
    add_health(families, agents_.health());
    add_limits(families, limits_, visitors_);
    add_bans(families, shield_);
    add_ssh(families, loops_);
    add_process(families, loops_, started_at_);
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return std::move(out).str();
}

void Metrics::handle(LocalRequest request, Reply reply) {
    LocalResponse response;
    response.content_type = "text/plain; charset=utf-8";
    if (request.method != "GET" || (request.path != "/metrics" && request.path != "/healthz")) {
        response.status = request.method == "GET" ? 404 : 405;
        response.content = "here are /metrics and /healthz\n";
        return reply(std::move(response));
    }
    // Health is asked of every loop too: one that hangs leaves the question unanswered.
    agents_.collect_live("", [this, healthz = request.path == "/healthz", response = std::move(response),
                          reply = std::move(reply)](std::vector<LiveAgent> live) mutable {
        response.content = healthz ? "ok\n" : text(live);
        if (!healthz) response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        reply(std::move(response));
    });
}

}  // namespace sallyport::relay
