// remote_link.h: one user's way to the remote: a line (remote_line.h) that is logged in. While the line under way hears nothing for kStalled,
// as happens where packets get lost before TCP knows the round trip, another is dialled beside it, and the first that is
// logged in is kept. (Not with a user's agent, which would be asked again.)
//
// Held by shared_ptr: a user's connection and his terminal sessions, which may outlive it, use the same one; it ends with the last
// of them. Lives on the gateway's loop.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "gateway/remote_line.h"

namespace sallyport::gateway {

struct RemoteFailure {
    RefusalReason reason = RefusalReason::remote_unreachable;
    std::string detail{};    // for our log
    bool was_ready = false;  // the user had been let in
    std::string_view for_user() const;
};

class RemoteLink final : public std::enable_shared_from_this<RemoteLink>, private RemoteLine::Owner {
public:
    static constexpr std::chrono::milliseconds kStalled{2000};
    static constexpr std::size_t kMostLines = 3;  // at the same time

    // Told once, in the order of add(), from the loop; may be removed at any time.
    class Waiter {
    public:
        virtual void on_link_ready(RemoteLink& link) = 0;
        virtual void on_link_over(RemoteLink& link, const RemoteFailure& why) = 0;  // it failed, or was lost later: the last call

    protected:
        ~Waiter() = default;
    };
    // Who gets what the remote opens (connections at forwards, its way to the user's agent). One at a time; nobody: refused.
    class Receiver {
    public:
        virtual void on_link_channel(std::unique_ptr<ssh::IncomingChannel> channel) = 0;

    protected:
        ~Receiver() = default;
    };

    RemoteLink(const RemoteSite& site, std::string user, std::vector<RemoteCredential> credentials);
    ~RemoteLink();
    RemoteLink(const RemoteLink&) = delete;
    RemoteLink& operator=(const RemoteLink&) = delete;

    bool ready() const { return state_ == State::ready; }
    bool over() const { return state_ == State::over; }
    const RemoteFailure& failure() const { return failure_; }  // once it is over
    void add(Waiter& waiter);        // not told of what was before
    void remove(Waiter& waiter);
    void set_receiver(Receiver* receiver) { receiver_ = receiver; }
    void unset_receiver(const Receiver& receiver) {
        if (receiver_ == &receiver) receiver_ = nullptr;
    }

    // Once ready, and until over.
    ssh::ClientConnection& connection();
    const std::string& user() const { return user_; }
    TimePoint made_at() const { return made_at_; }

private:
    enum class State { reaching, ready, over };
    void on_line_ready(RemoteLine& line) override;
    void on_line_over(RemoteLine& line, RefusalReason reason, std::string detail) override;
    void on_line_channel(std::unique_ptr<ssh::IncomingChannel> channel) override;
    void begin_line();
    void look_for_stall();
    void let_go_but(const RemoteLine* kept);
    void fail(RefusalReason reason, std::string detail);
    template <class Tell>
    void tell_all(Tell&& tell);

    RemoteSite site_;
    const std::string user_;
    std::vector<RemoteCredential> credentials_;
    const bool may_race_;
    const TimePoint made_at_;
    State state_ = State::reaching;
    RemoteFailure failure_;
    std::vector<Waiter*> waiters_;
    Receiver* receiver_ = nullptr;
    std::vector<std::unique_ptr<RemoteLine>> lines_;  // once ready, the one
    Timer stall_;
};

using RemoteLinkPtr = std::shared_ptr<RemoteLink>;

}  // namespace sallyport::gateway
