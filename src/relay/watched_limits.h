// watched_limits.h: the relay's limits by name, as /metrics shows them and the log tells of when they are reached.
#pragma once
#include <vector>

#include "edge/visitor_limits.h"
#include "net/buffer_budget.h"
#include "relay/agents.h"
#include "relay/overload_watch.h"
#include "relay/strand.h"

namespace sallyport::relay {

struct LimitedParts {  // all outlive the watch
    VisitorLimits& visitors;
    Agents& agents;
    BufferBudget& budget;
    const Strands& strands;
    std::size_t descriptors;  // most that the process may have open
};

std::vector<OverloadWatch::Limit> watched_limits(LimitedParts parts);

}  // namespace sallyport::relay
