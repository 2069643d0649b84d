#include "relay/watched_limits.h"

#include "net/socket.h"

namespace sallyport::relay {

std::vector<OverloadWatch::Limit> watched_limits(LimitedParts parts) {
    std::vector<OverloadWatch::Limit> watched;
    for (std::size_t i = 0; i < kVisitorLimits; ++i) {
        const auto limit = static_cast<VisitorLimit>(i);
        OverloadWatch::Limit entry{.name = std::string(name_of(limit))};
        entry.bound = [parts, limit] { return std::uint64_t{bound_of(parts.visitors.bounds(), limit)}; };
        entry.refused = [parts, limit] { return parts.visitors.refused(limit); };
        entry.last = [parts, limit] { return parts.visitors.last_refused(limit); };
        if (limit == VisitorLimit::connections) entry.used = [parts] { return std::uint64_t{parts.visitors.connections()}; };
        if (limit == VisitorLimit::handshakes) entry.used = [parts] { return std::uint64_t{parts.visitors.handshakes()}; };
        watched.push_back(std::move(entry));
    }
    watched.push_back({.name = "agents",
                       .bound = [parts] { return std::uint64_t{parts.agents.most_links()}; },
                       .used = [parts] { return std::uint64_t{parts.agents.links()}; },
                       .refused = [parts] { return parts.agents.refused_links(); }});
    watched.push_back({.name = "buffered_octets",
                       .bound = [parts] { return parts.budget.bound(); },
                       .used = [parts] { return parts.budget.held(); },
                       .refused = [parts] { return parts.budget.refused(); }});
    watched.push_back({.name = "descriptors",
                       .bound = [parts] { return std::uint64_t{parts.descriptors}; },
                       .used = [] { return std::uint64_t{open_descriptors()}; },
                       .refused = [parts] {
                           std::uint64_t total = 0;
                           for (const auto& strand : parts.strands) total += strand->edge->metrics().accept_failures.value();
                           return total;
                       }});
    return watched;
}

}  // namespace sallyport::relay
