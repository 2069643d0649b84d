#include "relay/target_probe.h"

#include "edge/problem.h"

namespace sallyport::relay {
namespace {

HealthHop hop_of(Hop hop) {
    switch (hop) {
        case Hop::agent: return HealthHop::agent;
        case Hop::origin: return HealthHop::target;
        default: return HealthHop::relay;
    }
}

}  // namespace

TargetProbe::TargetProbe(Loop& loop, const Open& open, std::string request, OnDone on_done)
    : request_(std::move(request)),
      asks_(!request_.empty()),
      on_done_(std::move(on_done)),
      deadline_(loop, [this] {
          if (!verdict_ && accepted_) fail(HealthHop::target, problem::kOriginTimeout.cause, "no answer within 10 s");
          else if (!verdict_) fail(HealthHop::target, problem::kTargetTimeout.cause, "no connection within 10 s");
          stop();
      }),
      done_(loop, [this] {
          if (on_done_) on_done_(*verdict_);
      }) {
    deadline_.start(kProbeTime);
    auto stream = open(*this);
    if (stream) {
        stream_ = std::move(*stream);
        if (asks_) stream_->wake();
        return;
    }
    over_ = true;
    if (stream.error().code == Errc::unreachable) fail(HealthHop::agent, problem::kAgentOffline.cause, stream.error().detail);
    else fail(HealthHop::relay, problem::kTooManyStreams.cause, stream.error().detail);
    stop();
}

void TargetProbe::cancel() {
    on_done_ = nullptr;
    stop();
}

void TargetProbe::on_stream_accepted() {
    accepted_ = true;
    if (!asks_) decide({.healthy = true});
}

void TargetProbe::on_stream_refused(const Refusal& refusal) {
    over_ = true;
    if (refusal.cause == "proxy_configuration_error" && refusal.status == 503) {
        fail(HealthHop::relay, problem::kTrustedNetworks.cause, refusal.details);
    } else {
        const Problem& problem = problem_of_refusal(refusal);
        fail(hop_of(problem.hop), problem.cause, refusal.details);
    }
    stop();
}

void TargetProbe::on_stream_octets(Octets octets) {
    stream_->consumed(octets.size());
    received_ += octets.size();
    if (asks_ && !verdict_) {
        answer_.append(as_text(octets));
        ResponseHead head;
        auto read = reader_.read_response(answer_, "GET", head);
        while (read && head.status / 100 == 1 && head.status != 101) {  // interim answers
            answer_.erase(0, *read);
            read = reader_.read_response(answer_, "GET", head);
        }
        if (read) judge(head.status);
        else if (read.error().code != Errc::need_more) fail(HealthHop::target, problem::kOriginBadAnswer.cause, read.error().detail);
    }
    if (received_ > kProbeAnswer) {
        if (!verdict_) fail(HealthHop::target, problem::kOriginBadAnswer.cause, "more than 64 KiB before the end of the head");
        stop();
    }
}

void TargetProbe::on_stream_end() {
    if (!verdict_) fail(HealthHop::target, problem::kOriginLost.cause, "closed without an answer");
    peer_ended_ = true;
    if (end_sent_) {
        over_ = true;
        return stop();
    }
    wants_end_ = true;
    stream_->wake();
}

void TargetProbe::on_stream_reset(const Error& error) {
    over_ = true;
    if (!verdict_ && error.code == Errc::unreachable) fail(HealthHop::agent, problem::kAgentLost.cause, error.detail);
    else if (!verdict_) fail(HealthHop::target, problem::kOriginLost.cause, error.detail);
    stop();
}

Stream::Pulled TargetProbe::on_stream_pull(MutableOctets room) {
    const std::size_t count = request_.copy(reinterpret_cast<char*>(room.data()), room.size());
    request_.erase(0, count);
    if (!request_.empty() || !wants_end_) return {count, false};
    end_sent_ = true;
    if (peer_ended_) {
        over_ = true;
        stop();
    }
    return {count, true};
}

// A path that needs a login is no use: the service would count each question as a failed login, and shut the home's own agent out.
void TargetProbe::judge(int status) {
    if (status >= 200 && status < 400) return decide({.healthy = true});
    if (status == 401 || status == 403)
        return fail(HealthHop::target, kCauseLogin, "the health path answers " + std::to_string(status) + ": choose one that needs no login; it isn't asked again");
    fail(HealthHop::target, kCauseStatus, "the health path answers " + std::to_string(status));
}

// The verdict stands; the stream may still end in order.
void TargetProbe::decide(Verdict verdict) {
    if (verdict_) return;
    verdict.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_);
    verdict_ = std::move(verdict);
    deadline_.start(kProbeLinger);
    if (asks_ || over_) return;
    wants_end_ = true;
    stream_->wake();
}

void TargetProbe::stop() {
    deadline_.cancel();
    if (!std::exchange(over_, true) && stream_) stream_->reset();
    done_.ask();
}

}  // namespace sallyport::relay
