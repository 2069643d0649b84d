#include "relay/permit_gate.h"

namespace sallyport::relay {

class PermitGate::Held final : public Origins::Permit {
public:
    explicit Held(std::shared_ptr<PermitGate> gate) : gate_(std::move(gate)) {}
    ~Held() override { gate_->give_back(); }

private:
    std::shared_ptr<PermitGate> gate_;
};

// What a waiter leaves at the gate. `waiter` is used on its loop only.
struct PermitGate::Ticket {
    Loop& loop;
    Waiting* waiter;
};

class PermitGate::Waiting final : public Origins::Wait {
public:
    Waiting(std::shared_ptr<PermitGate> gate, Loop& loop, std::chrono::milliseconds longest, Origins::OnPermit on_permit)
        : gate_(std::move(gate)),
          ticket_(std::make_shared<Ticket>(loop, this)),
          on_permit_(std::move(on_permit)),
          deadline_(loop, [this] { settle(fail(Errc::timeout, "no request of the agent ended in time")); }) {
        deadline_.start(longest);
        {
            const std::lock_guard lock(gate_->mutex_);
            number_ = gate_->next_number_++;
            gate_->waiting_.emplace(number_, ticket_);
            ++gate_->waiting_count_;
        }
        gate_->serve_waiters();  // a permit may have come back between the caller's try and now
    }
    ~Waiting() override { leave(); }

    void settle(Result<std::unique_ptr<Permit>> result) {
        deadline_.cancel();
        leave();
        auto on_permit = std::move(on_permit_);  // the call may destroy *this
        on_permit(std::move(result));
    }

private:
    void leave() {
        if (!ticket_) return;
        ticket_->waiter = nullptr;
        {
            const std::lock_guard lock(gate_->mutex_);
            if (gate_->waiting_.erase(number_) > 0) --gate_->waiting_count_;
        }
        ticket_.reset();
    }

    std::shared_ptr<PermitGate> gate_;
    std::shared_ptr<Ticket> ticket_;
    std::uint64_t number_ = 0;
    Origins::OnPermit on_permit_;
    Timer deadline_;
};

void PermitGate::set_limit(unsigned limit) {
    limit_ = limit;
    serve_waiters();
}

std::unique_ptr<Origins::Permit> PermitGate::try_acquire() {
    if (waiting_count_ > 0 || !take()) return nullptr;
    return std::make_unique<Held>(shared_from_this());
}

std::unique_ptr<Origins::Wait> PermitGate::acquire_within(Loop& loop, std::chrono::milliseconds longest,
                                                          Origins::OnPermit on_permit) {
    return std::make_unique<Waiting>(shared_from_this(), loop, longest, std::move(on_permit));
}

bool PermitGate::take() {
    unsigned now = in_flight_.load();
    while (now < limit_.load())
        if (in_flight_.compare_exchange_weak(now, now + 1)) return true;
    return false;
}

// The order matters: the count falls before waiters are looked for, and a waiter enters before it looks at the count, so
// one of the two sees the other.
void PermitGate::give_back() {
    --in_flight_;
    if (waiting_count_ > 0) serve_waiters();
}

void PermitGate::serve_waiters() {
    const std::lock_guard lock(mutex_);
    while (!waiting_.empty() && take()) {
        const auto first = waiting_.begin();
        Loop& loop = first->second->loop;
        // The permit travels with the message: if nobody waits any more when it arrives, it comes back by itself.
        loop.post([ticket = first->second, permit = std::make_unique<Held>(shared_from_this())]() mutable {
            if (ticket->waiter) ticket->waiter->settle(std::unique_ptr<Permit>(std::move(permit)));
        });
        waiting_.erase(first);
        --waiting_count_;
    }
}

}  // namespace sallyport::relay
