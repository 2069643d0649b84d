#include "gateway/counters.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>

#include "base/version.h"

namespace sallyport::gateway {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

class Family {
public:
    Family(MetricType type, std::string name, std::string help) : family_{"sallyport_gateway_" + name, std::move(help), type, {}} {}
    Family& add(double value, Labels labels = {}) {
        ClientMetric metric;
        metric.label = std::move(labels);
        (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
        family_.metric.push_back(std::move(metric));
        return *this;
    }
    template <class Enum>
    Family& add_all(const CountsBy<Enum>& counts, const std::string& label) {
        for (std::size_t i = 0; i < static_cast<std::size_t>(Enum::count_); ++i)
            add(static_cast<double>(counts[static_cast<Enum>(i)]), {{label, std::string(name_of(static_cast<Enum>(i)))}});
        return *this;
    }
    MetricFamily take() { return std::move(family_); }

private:
    MetricFamily family_;
};

Family counter(std::string name, std::string help) { return {MetricType::Counter, std::move(name), std::move(help)}; }
Family gauge(std::string name, std::string help) { return {MetricType::Gauge, std::move(name), std::move(help)}; }

double number(std::uint64_t value) { return static_cast<double>(value); }

}  // namespace

std::string_view name_of(LoginBy by) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(LoginBy::count_)> kNames = {"local_key", "remote_key", "password", "any_key", "agent"};
    return kNames[static_cast<std::size_t>(by)];
}

std::string_view name_of(SessionKind kind) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(SessionKind::count_)> kNames = {"mosh",      "shell",  "exec",
                                                                                                           "subsystem", "direct", "forwarded"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name_of(CacheResult result) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(CacheResult::count_)> kNames = {"hit", "miss", "failed", "suppressed"};
    return kNames[static_cast<std::size_t>(result)];
}

std::string metrics_text(const Counters& counters, const Snapshot& snapshot) {
    std::vector<MetricFamily> out;
    out.push_back(gauge("build_info", "Always 1; the release in a label").add(1, {{"version", std::string(kVersion)}}).take());
    out.push_back(gauge("connections", "Connections of users open now").add(number(snapshot.connections)).take());
    out.push_back(gauge("unauthenticated_connections", "Those of them that have not logged in").add(number(snapshot.unauthenticated)).take());
    out.push_back(counter("connections_total", "Connections accepted").add(number(counters.accepted)).take());
    out.push_back(counter("logins_total", "Logins, by what let the user in").add_all(counters.logins, "by").take());
    out.push_back(counter("refusals_total", "Connections and logins refused").add_all(counters.refusals, "reason").take());
    out.push_back(gauge("open_sessions", "Channels open now, by kind").add_all(counters.open, "kind").take());
    out.push_back(counter("sessions_total", "Channels opened, by kind").add_all(counters.sessions, "kind").take());
    out.push_back(gauge("detached_sessions", "Terminals that wait for their user").add(number(snapshot.detached)).take());
    out.push_back(counter("key_cache_total", "Questions for a remote authorized_keys file; suppressed: asking failed too often").add_all(counters.key_cache, "result").take());
    out.push_back(counter("octets_total", "Octets of users' connections that have ended; in: toward the remote")
                      .add(number(counters.octets_in), {{"direction", "in"}})
                      .add(number(counters.octets_out), {{"direction", "out"}})
                      .take());
    out.push_back(counter("remote_connections_total", "Connections to the remote that logged in").add(number(counters.remote_connections)).take());
    out.push_back(counter("remote_failures_total", "Connections to the remote that did not").add(number(counters.remote_failures)).take());
    out.push_back(gauge("warm_connections", "Spare connections to the remote").add(number(snapshot.warm)).take());
    out.push_back(counter("warm_taken_total", "Logins that found a connection ready").add(number(counters.warm_taken)).take());
    out.push_back(counter("mosh_fallbacks_total", "Terminals that went over SSH since mosh did not work").add(number(counters.mosh_fallbacks)).take());
    Family round_trip = gauge("mosh_round_trip_seconds", "Of each terminal over mosh, where it is known");
    Family silence = gauge("mosh_silence_seconds", "How long nothing has come from the remote, of each terminal over mosh");
    Family loss = gauge("mosh_loss_ratio", "Share of the remote's datagrams that were lost lately, of each terminal over mosh");
    for (const Snapshot::Line& line : snapshot.mosh) {
        const Labels labels = {{"user", line.user}, {"session", std::to_string(line.session)}};
        if (line.round_trip_seconds >= 0) round_trip.add(line.round_trip_seconds, labels);
        if (line.silence_seconds >= 0) silence.add(line.silence_seconds, labels);
        if (line.loss >= 0) loss.add(line.loss, labels);
    }
    out.push_back(round_trip.take());
    out.push_back(silence.take());
    out.push_back(loss.take());
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, out);
    return text.str();
}

}  // namespace sallyport::gateway
