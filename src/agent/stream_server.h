// stream_server.h: connects the streams that a relay opens to targets of the agent's own table, or refuses them. Streams of
// all tunnels come here; each ends with its tunnel, which resets it. Lives on one loop; what it is given outlives it.
#pragma once
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/doctor_server.h"
#include "agent/origin_dialler.h"
#include "agent/origin_pipe.h"
#include "agent/origin_trust.h"
#include "agent/target_scout.h"
#include "agent/targets.h"
#include "base/log.h"
#include "tunnel/tunnel.h"

namespace sallyport {

class StreamServer {
public:
    // What a stream to an https target carries: what is said inside TLS, which the agent makes; or octets as they are, whatever
    // the target's scheme, so that TLS is the visitor's.
    enum class Carries { content, octets };

    // on_idle: the last open stream is over.
    StreamServer(Loop& loop, Workers& workers, Log& log, const TargetTable& targets, OriginTrust& trust,
                 TargetScout& scout, const OriginLimits& limits, std::function<void()> on_idle, Carries carries = Carries::content);
    ~StreamServer();
    StreamServer(const StreamServer&) = delete;
    StreamServer& operator=(const StreamServer&) = delete;

    void serve(OpenRequest request, std::unique_ptr<IncomingStream> stream);
    void refuse_new() { refusing_ = true; }  // from now on: the agent is stopping
    std::size_t open_streams() const { return serving_.size(); }

private:
    struct Serving;
    void serve(const std::shared_ptr<Serving*>& handle, std::expected<Target, Refusal> target);
    void on_origin(Serving& serving, std::expected<TransportPtr, Refusal> origin);
    void refuse(Serving& serving, const Refusal& refusal);
    void warn_of_unknown_target(std::string_view name, const Error& why);
    void end(OriginPipe& connection);
    void serve_doctor(Serving& serving);

    Loop& loop_;
    Workers& workers_;
    Log& log_;
    const TargetTable& targets_;
    OriginTrust& trust_;
    TargetScout& scout_;
    const OriginLimits limits_;
    std::function<void()> on_idle_;
    const Carries carries_;
    DoctorServer doctor_;
    std::unordered_map<OriginPipe*, std::unique_ptr<Serving>> serving_;
    std::map<std::string, TimePoint, std::less<>> warned_of_;  // targets that are not in the table, and when that was told
    bool refusing_ = false;
};

}  // namespace sallyport
