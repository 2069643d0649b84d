// target_probe.h: one look at a target through the tunnel. It opens a stream to it: 200 means that the agent's TCP connection (and
// TLS, for an https target) stands. Without a request the stream is then ended in order, and no octet is sent. With one, the request
// is sent and the answer's status decides: 2xx and 3xx are healthy; 401 and 403 are not, and say that the path needs a login.
//
// Takes no visitor's permit. Bounds: kProbeTime in all, kProbeAnswer octets, kProbeLinger for the end in order. Lives on the
// agent's owner loop; calls back once, from the loop; give it to Loop::dispose then, never delete it in place; before that,
// cancel() it first.
#pragma once
#include <functional>
#include <string>

#include "base/octets.h"
#include "net/loop.h"
#include "relay/route_health.h"
#include "tunnel/stream.h"
#include "wire/http1_parser.h"

namespace sallyport::relay {

inline constexpr std::chrono::seconds kProbeTime{10};
inline constexpr std::chrono::seconds kProbeLinger{2};
inline constexpr ByteCount kProbeAnswer = 64_KiB;

// Causes that error pages don't know.
inline constexpr std::string_view kCauseStatus = "health_status";      // another status than 2xx and 3xx
inline constexpr std::string_view kCauseLogin = "health_path_login";  // 401 or 403

class TargetProbe final : private Stream::Owner {
public:
    struct Verdict {
        bool healthy = false;
        HealthHop hop = HealthHop::target;
        std::string_view cause{};
        std::string detail{};
        std::chrono::milliseconds took{0};
    };
    using Open = std::function<Result<StreamPtr>(Stream::Owner&)>;
    using OnDone = std::function<void(const Verdict&)>;

    // `request`: the whole head of an HTTP/1.1 GET; empty: connect only.
    TargetProbe(Loop& loop, const Open& open, std::string request, OnDone on_done);

    void cancel();  // no call back any more; the target's connection is cut

private:
    void on_stream_accepted() override;
    void on_stream_refused(const Refusal& refusal) override;
    void on_stream_octets(Octets octets) override;
    void on_stream_end() override;
    void on_stream_reset(const Error& error) override;
    Stream::Pulled on_stream_pull(MutableOctets room) override;

    void judge(int status);
    void decide(Verdict verdict);
    void fail(HealthHop hop, std::string_view cause, std::string detail) { decide({false, hop, cause, std::move(detail)}); }
    void stop();

    const TimePoint began_ = Clock::now();
    std::string request_;  // what is left of it to be sent
    const bool asks_;
    bool wants_end_ = false;  // of our direction
    bool end_sent_ = false;
    bool peer_ended_ = false;
    bool accepted_ = false;
    bool over_ = false;  // the stream
    std::string answer_;
    ByteCount received_ = 0;
    HeadReader reader_{{.octets = kProbeAnswer}};
    std::optional<Verdict> verdict_;
    OnDone on_done_;
    StreamPtr stream_;
    Timer deadline_;
    TurnEnd done_;
};

}  // namespace sallyport::relay
