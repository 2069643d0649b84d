// metrics.h: what the relay counts, as Prometheus text on /metrics, and /healthz. Served on a loopback-only listener. The
// figures of all loops are gathered when asked for; counting itself costs the loops nothing but plain stores.
// Names are a contract (docs/relay.md).
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "edge/ban_shield.h"
#include "edge/edge_metrics.h"
#include "edge/local_handler.h"
#include "edge/visitor_limits.h"
#include "relay/agents.h"
#include "relay/overload_watch.h"
#include "relay/ssh_counters.h"

namespace sallyport::relay {

// One loop, as far as it is measured.
struct MeasuredLoop {
    Loop* loop;
    const EdgeMetrics* edge;
    const SshCounters* ssh;
};

class Metrics final : public LocalHandler {
public:
    Metrics(Agents& agents, std::vector<MeasuredLoop> loops, const OverloadWatch& limits, const VisitorLimits& visitors,
            const BanShield& shield)
        : agents_(agents), loops_(std::move(loops)), limits_(limits), visitors_(visitors), shield_(shield) {}
    void handle(LocalRequest request, Reply reply) override;

    // On any thread; the longest turns are taken, so that each scrape sees those since the one before.
    std::string text(const std::vector<LiveAgent>& live) const;

private:
    Agents& agents_;
    std::vector<MeasuredLoop> loops_;
    const OverloadWatch& limits_;
    const VisitorLimits& visitors_;
    const BanShield& shield_;
    WallTime started_at_ = wall_now();
};

}  // namespace sallyport::relay
