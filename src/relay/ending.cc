#include "relay/ending.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 50ms;
constexpr auto kLastChance = 1000ms;  // between closing idle connections and cutting all others

}  // namespace

Ending::Ending(Strands& strands, Agents& agents, Log& log)
    : strands_(strands), agents_(agents), log_(log), timer_(strands.front()->loop, [this] { look(); }) {}

// `then` runs on the first loop once every loop has done its work.
void Ending::on_every_loop(std::function<void(std::size_t)> work, std::function<void()> then) {
    auto missing = std::make_shared<std::atomic<std::size_t>>(strands_.size());
    for (std::size_t i = 0; i < strands_.size(); ++i)
        strands_[i]->loop.post([this, i, work, then, missing] {
            work(i);
            if (--*missing == 0 && then) strands_.front()->loop.post(then);
        });
}

void Ending::stop(std::chrono::milliseconds longest) {
    phase_ = Phase::stopping;
    ends_ = Clock::now() + longest;
    log_.info("relay.stopping", {{"drain_ms", longest.count()}});
    on_every_loop([this, longest](std::size_t i) {
        agents_.at(i).tell_drain("the relay is stopping", longest);
        strands_[i]->edge->drain(Edge::Drain::now);
        strands_[i]->ssh->stop_listening();
    });
    timer_.start(kLookEvery);
}

// Agents hear of it when no loop accepts any more: they dial at once, and must reach the other process.
void Ending::replaced(std::chrono::milliseconds longest, ChildProcess successor, std::function<bool()> needed) {
    phase_ = Phase::replaced;
    needed_ = std::move(needed);
    successor_ = std::move(successor);
    ends_ = Clock::now() + longest;
    last_chance_ = ends_ - std::min<Duration>(kLastChance, longest / 4);
    log_.info("relay.stopping", {{"drain_ms", longest.count()}, {"replaced_by", successor_->pid()}});
    on_every_loop(
        [this](std::size_t i) {
            strands_[i]->edge->drain(Edge::Drain::gently);
            strands_[i]->ssh->stop_listening();
        },
                  [this, longest] {
                      on_every_loop([this, longest](std::size_t i) { agents_.at(i).tell_drain("the relay is replaced", longest); });
                      timer_.start(kLookEvery);
                  });
}

void Ending::look() {
    if (phase_ == Phase::stopping) look_whether_stopped();
    else if (phase_ == Phase::replaced) look_whether_replaced();
    else end_loops();
}

void Ending::look_whether_stopped() {
    std::uint64_t busy = 0;
    for (const auto& strand : strands_) {
        const EdgeMetrics& metrics = strand->edge->metrics();
        busy += metrics.open_connections.value() - std::min(metrics.open_connections.value(), metrics.upgraded_streams.value());
    }
    if (busy == 0 || Clock::now() >= ends_) return cut();
    timer_.start(kLookEvery);
}

void Ending::look_whether_replaced() {
    // If it crashed, nobody accepts; whoever looks after the service can start it anew once this process has ended, too. In order
    // it ends when it was replaced in its turn, or stopped.
    if (const auto ended = successor_->look_whether_ended(); ended && *ended != ChildProcess::kInOrder) {
        log_.error("relay.successor_ended", {{"pid", successor_->pid()}, {"detail", *ended}});
        return hurry();
    }
    const TimePoint now = Clock::now();
    if (now >= ends_) return cut();
    if (now >= last_chance_ && !std::exchange(hurried_, true))
        on_every_loop([this](std::size_t i) { strands_[i]->edge->drain(Edge::Drain::now); });
    auto connections = std::make_shared<std::atomic<std::size_t>>(0);
    on_every_loop([this, connections](std::size_t i) { *connections += strands_[i]->edge->open_connections(); },
                  [this, connections] { on_counted(*connections); });
}

// Twice: a connection that was on its way from one loop to another was not counted the first time.
void Ending::on_counted(std::size_t connections) {
    if (phase_ != Phase::replaced) return;
    empty_rounds_ = connections == 0 ? empty_rounds_ + 1 : 0;
    if (empty_rounds_ >= 2) return cut();
    timer_.start(empty_rounds_ > 0 ? 0ms : kLookEvery);
}

void Ending::hurry() {
    needed_ = nullptr;
    cut();
}

void Ending::cut() {
    if (phase_ == Phase::cutting) return;
    phase_ = Phase::cutting;
    timer_.cancel();
    auto missing = std::make_shared<std::atomic<std::size_t>>(strands_.size());
    on_every_loop([this, missing](std::size_t i) {
        strands_[i]->ssh->close_all();
        agents_.at(i).close_all([this, missing] {
            if (--*missing == 0) strands_.front()->loop.post([this] { end_loops(); });
        });
    });
}

void Ending::end_loops() {
    if (needed_ && Clock::now() < ends_ && needed_()) return timer_.start(kLookEvery);
    for (const auto& strand : strands_) strand->loop.stop();
}

}  // namespace sallyport::relay
