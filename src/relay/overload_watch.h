// overload_watch.h: the limits of the relay, for metrics; and tells the log when one is reached: once at the beginning and once
// when nothing was refused for kCalm, however many were refused between (event=relay.limit_reached, relay.limit_eased). Lives on
// the first loop; limits() on any thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/log.h"
#include "net/loop.h"

namespace sallyport::relay {

class OverloadWatch {
public:
    static constexpr std::chrono::seconds kCalm{10};

    struct Limit {
        std::string name;                        // a label of metrics and log: a contract
        std::function<std::uint64_t()> bound{};  // these on any thread
        std::function<std::uint64_t()> used{};   // empty: counted by address only
        std::function<std::uint64_t()> refused{};
        std::function<std::string()> last{};     // who was refused last; may be empty
    };

    OverloadWatch(Loop& loop, Log& log, std::vector<Limit> limits);

    const std::vector<Limit>& limits() const { return limits_; }

private:
    struct Episode {
        std::uint64_t refused_before = 0;
        std::uint64_t seen = 0;
        TimePoint began{};
        TimePoint last{};
        bool under_way = false;
    };
    void look();
    void look_at(const Limit& limit, Episode& episode);

    Loop& loop_;
    Log& log_;
    const std::vector<Limit> limits_;
    std::vector<Episode> episodes_;
    Timer timer_;
};

}  // namespace sallyport::relay
