// remote_pool.h: connections to the remote that wait, logged in, for the next login of the holder for whom they were made. Each is
// given to one login, never shared, and then replaced while that login goes on. One that nobody takes in time is closed. Lives on
// the gateway's loop.
#pragma once
#include <chrono>
#include <deque>
#include <functional>
#include <map>

#include "gateway/remote_link.h"
#include "gateway/terminal_session.h"

namespace sallyport::gateway {

class RemotePool final : RemoteLink::Waiter {
public:
    struct Limits {
        std::chrono::milliseconds keep{300'000};  // 0: none is kept
        std::size_t of_holder = 1;
        std::size_t in_all = 500;
    };
    RemotePool(Loop& loop, const Limits& limits);
    ~RemotePool();

    // The holder's oldest spare one that is ready, or that will be first; null: there is none.
    RemoteLinkPtr take(const SessionHolder& holder);
    bool wants(const SessionHolder& holder) const;  // one more would be kept
    // `keep`, where it is shorter than Limits::keep.
    void put(const SessionHolder& holder, RemoteLinkPtr link, std::chrono::milliseconds keep);
    void forget(const SessionHolder& holder);  // his logins no longer count
    void clear();

    std::size_t size() const { return size_; }

private:
    struct Spare {
        RemoteLinkPtr link;
        TimePoint until;
    };
    void on_link_ready(RemoteLink&) override {}
    void on_link_over(RemoteLink& link, const RemoteFailure& why) override;
    void look();
    void let_go(Spare& spare);
    Loop& loop_;
    const Limits limits_;
    std::map<SessionHolder, std::deque<Spare>> spares_;
    std::size_t size_ = 0;
    Timer timer_;
};

}  // namespace sallyport::gateway
