// origin_farewells.h: kept connections to origins whose visitor has left. They end in order (END_STREAM, at the origin a FIN)
// instead of with a reset, which origins log as an error: each waits here until its origin has ended too. Bounded in number and
// time, beyond it they are cut. Lives on its loop; destroying it cuts what is left.
#pragma once
#include <deque>
#include <memory>

#include "base/clock.h"
#include "edge/origin_connection.h"
#include "net/loop.h"

namespace sallyport {

class OriginFarewells {
public:
    static constexpr std::size_t kMost = 1024;  // a loop; arbitrary
    static constexpr std::chrono::seconds kPatience{5};

    explicit OriginFarewells(Loop& loop) : loop_(loop), timer_(loop, [this] { look(); }) {}
    ~OriginFarewells();

    // `origin` serves no request. May be called from inside its callbacks.
    void take(std::unique_ptr<OriginConnection> origin);
    std::size_t size() const { return leaving_.size(); }

private:
    struct Leaving {
        std::unique_ptr<OriginConnection> origin;
        TimePoint until;
    };
    void look();
    void drop_first();

    Loop& loop_;
    std::deque<Leaving> leaving_;  // in order of `until`
    Timer timer_;
};

}  // namespace sallyport
