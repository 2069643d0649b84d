// origin_connection.h: one stream to a target, on which HTTP/1.1 is spoken. Belongs to one visitor connection for good and
// serves its requests one after another; nobody else's octets ever share it. Give it to Loop::dispose, never delete it
// in place: its stream may stand above on the stack.
#pragma once
#include <string>

#include "base/clock.h"
#include "edge/received_octets.h"
#include "tunnel/stream.h"

namespace sallyport {

class OriginConnection final : public Stream::Owner {
public:
    // The request under way. While there is none, whatever the origin does makes the connection dead.
    class User {
    public:
        virtual void on_origin_accepted() = 0;  // the agent has connected it
        virtual void on_origin_octets() = 0;  // received() has more, or the origin has ended or failed: see end()
        virtual void on_origin_refused(const Refusal& refusal) = 0;
        virtual Stream::Pulled on_origin_pull(MutableOctets room) = 0;

    protected:
        ~User() = default;
    };
    enum class End { none, ended, reset };

    OriginConnection(std::string agent_id, std::string target) : agent_id_(std::move(agent_id)), target_(std::move(target)) {}
    ~OriginConnection() { cut(); }
    OriginConnection(const OriginConnection&) = delete;
    OriginConnection& operator=(const OriginConnection&) = delete;

    void attach(StreamPtr stream) { stream_ = std::move(stream); }
    bool leads_to(std::string_view agent_id, std::string_view target) const { return agent_id_ == agent_id && target_ == target; }

    void begin_use(User& user) { user_ = &user; }
    void end_use(TimePoint now);  // the answer is complete and the connection may be used again
    bool dead() const { return end_ != End::none || leaving_ || !stream_; }
    bool in_use() const { return user_ != nullptr; }
    TimePoint idle_since() const { return idle_since_; }

    ReceivedOctets& received() { return received_; }
    // Gives the credit of what was taken out of received() back; call it after each round.
    void settle() { give_credit(octets_received_ - received_.size()); }
    // Gives it back for what is still in received() as well: more must come before it can be used (a head, bounded by itself).
    void ask_for_more() { give_credit(octets_received_); }
    End end() const { return end_; }
    const Error& error() const { return error_; }  // of End::reset
    void wake();
    // Both directions at once; no calls to the user after it.
    void cut();
    // Instead, where no answer is owed either way: ends our direction and waits for the origin to end its own. No calls to the user after it.
    void end_in_order();
    bool over() const { return end_ == End::reset || (end_ == End::ended && sent_end_); }

private:
    void on_stream_accepted() override {
        if (user_) user_->on_origin_accepted();
    }
    void on_stream_refused(const Refusal& refusal) override;
    void on_stream_octets(Octets octets) override;
    void on_stream_end() override;
    void on_stream_reset(const Error& error) override;
    Stream::Pulled on_stream_pull(MutableOctets room) override;
    void finish(End end);
    void give_credit(ByteCount up_to);

    std::string agent_id_;
    std::string target_;
    StreamPtr stream_;
    User* user_ = nullptr;
    ReceivedOctets received_;
    ByteCount octets_received_ = 0;
    ByteCount octets_credited_ = 0;
    End end_ = End::none;
    bool leaving_ = false;   // our direction ends with the next pull
    bool sent_end_ = false;
    Error error_{Errc::reset, {}};
    TimePoint idle_since_{};
};

}  // namespace sallyport
