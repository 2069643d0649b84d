// retirement_clock.h: says when credentials that were replaced with an overlap have had their time. What is kept is a wall clock's time,
// since it has to outlive a restart; from when this process knows of it the steady clock counts as well, and whichever comes first
// decides: a wall clock that is set back gives no stolen key another year. Lives on one loop.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "net/loop.h"
#include "store/records.h"

namespace sallyport::relay {

class RetirementClock {
public:
    // Called with what is due, and again a few seconds later while follow() goes on to name it.
    using OnDue = std::function<void(std::vector<store::CredentialId>)>;
    using WallNow = std::function<WallClock::time_point()>;

    RetirementClock(Loop& loop, OnDue on_due, WallNow wall = WallClock::now);

    // All that wait for their time now, as Store::list_retiring gives them.
    void follow(const std::vector<store::Credential>& retiring);

private:
    struct Pending {
        WallTime at;
        TimePoint deadline;
        TimePoint ask_again{};
    };
    void look();

    OnDue on_due_;
    WallNow wall_;
    std::map<std::string, Pending> pending_;  // by credential id
    Timer timer_;
};

}  // namespace sallyport::relay
