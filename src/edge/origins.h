// origins.h: what the edge asks of whoever holds the tunnels (the relay; later the agent for blind routes).
// One instance a loop; every call and every callback is on that loop, wherever the agent's tunnel really lives.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tunnel/stream.h"

namespace sallyport {

// What an agent has said about itself. Immutable; a new one replaces it.
struct AgentView {
    enum class ForwardedFor { unknown, accepted, refused };  // what its Home Assistant does with X-Forwarded-For
    struct Target {
        std::string name;
        std::string authority;          // host:port the agent dials; the Host where a route doesn't preserve the visitor's
        ForwardedFor forwarded_for = ForwardedFor::unknown;
        bool trusted_networks = false;  // its login page lets some addresses in without a password
        bool home_assistant = false;
        bool probed = true;  // else the agent hasn't found out yet; opening a stream makes it look, and answers once it has
        std::string route{};  // id of the only route it serves (an SSH client, which knows no names of targets); empty: every one
        bool serves(std::string_view target, std::string_view route_id) const { return name == target && (route.empty() || route == route_id); }
    };
    std::string name;
    // Its connection is lost and its session may still be resumed: streams go on waiting, new requests wait for
    // offline_grace as if it were offline (wait_online then means: until it isn't lost any more).
    bool lost = false;
    unsigned concurrency_limit = 100;
    std::chrono::milliseconds request_timeout{30'000};
    std::vector<Target> targets;
    // Whether two routes with one target may lead to two services.
    bool keeps_routes_apart() const {
        for (const Target& target : targets)
            if (!target.route.empty()) return true;
        return false;
    }
};

class Origins {
public:
    // Counts against the agent's concurrency_limit while it lives.
    class Permit {
    public:
        virtual ~Permit() = default;
    };
    // A wait under way; destroying it cancels it.
    class Wait {
    public:
        virtual ~Wait() = default;
    };
    using OnOnline = std::move_only_function<void(bool online)>;
    using OnPermit = std::move_only_function<void(Result<std::unique_ptr<Permit>>)>;  // Errc::timeout: none became free

    virtual ~Origins() = default;

    // Null while the agent is not connected.
    virtual std::shared_ptr<const AgentView> agent(std::string_view agent_id) = 0;

    // Opens a stream to a target of the agent. Errors: unreachable (not connected), no_space (too many streams).
    virtual Result<StreamPtr> open(std::string_view agent_id, const OpenRequest& request, Stream::Owner& owner) = 0;

    // A permit at once if one is free (the usual case: no call), else null and on_permit comes within `longest`; `wait` then holds the wait.
    virtual std::unique_ptr<Permit> try_permit(std::string_view agent_id) = 0;
    virtual std::unique_ptr<Wait> wait_permit(std::string_view agent_id, std::chrono::milliseconds longest, OnPermit on_permit) = 0;

    // Calls back when the agent comes online, or with false after `longest`.
    virtual std::unique_ptr<Wait> wait_online(std::string_view agent_id, std::chrono::milliseconds longest, OnOnline on_online) = 0;

    // The origin answered 400 where it shouldn't have: its view on X-Forwarded-For may have changed; the agent is asked to look again.
    virtual void report_unexpected_400(std::string_view agent_id, std::string_view target) = 0;
};

}  // namespace sallyport
