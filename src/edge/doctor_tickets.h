// doctor_tickets.h: who may send requests of a doctor (docs/protocol.md, "A doctor's requests") through an agent's public URLs
// to the agent itself. A ticket is given to a proven agent only, holds for two minutes and kMostRequests requests, and counts for
// routes of that agent alone; an agent has one at a time. So nobody else can use the agent's echo to make load, and what its
// holder can have is bounded (the agent bounds each request's octets and time). One instance for all loops; any thread.
#pragma once
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace sallyport {

class DoctorTickets {
public:
    static constexpr std::chrono::seconds kLife{120};
    static constexpr unsigned kMostRequests = 24;
    static constexpr std::size_t kMostTickets = 4096;  // live ones; arbitrary, some hundred octets each

    // Takes the place of the agent's ticket before. "": there are too many.
    std::string issue(const std::string& agent_id, TimePoint now);
    // Counts a request: true if the ticket is that agent's, not too old and not used up.
    bool admit(std::string_view ticket, std::string_view agent_id, TimePoint now);

private:
    struct Ticket {
        std::string text;
        TimePoint until;
        unsigned left;
    };
    std::mutex mutex_;
    std::unordered_map<std::string, Ticket> by_agent_;
};

// What stands behind a path like "/.well-known/sallyport-doctor/TICKET/echo".
struct DoctorPath {
    std::string_view ticket;
    std::string_view rest;  // "/echo"
    // `target`: path with query, without a route's prefix. An empty ticket: it is no such path.
    static DoctorPath of(std::string_view target);
};

}  // namespace sallyport
