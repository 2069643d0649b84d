#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <system_error>

namespace sallyport {
namespace {

// The event descriptor's mark in epoll's data; slots count from 0 and never get there.
constexpr std::uint64_t kWakeMark = ~std::uint64_t{0};

static_assert(Clock::is_steady, "the wall clock may jump by days; timers know nothing of it");

}  // namespace

// ---- Watch

Watch::Watch(Loop& loop, int descriptor, Owner& owner) : loop_(loop), descriptor_(descriptor), owner_(owner) {
    if (loop_.free_slots_.empty()) {
        slot_ = static_cast<std::uint32_t>(loop_.slots_.size());
        loop_.slots_.emplace_back();
    } else {
        slot_ = loop_.free_slots_.back();
        loop_.free_slots_.pop_back();
    }
    loop_.slots_[slot_].watch = this;
}

Watch::~Watch() {
    update(0, false);
    loop_.slots_[slot_].watch = nullptr;
    ++loop_.slots_[slot_].generation;  // events of this turn that are still to come find nobody
    loop_.free_slots_.push_back(slot_);
}

void Watch::want_read(bool on) { update(on ? events_ | EPOLLIN : events_ & ~std::uint32_t{EPOLLIN}, hangup_); }
void Watch::want_write(bool on) { update(on ? events_ | EPOLLOUT : events_ & ~std::uint32_t{EPOLLOUT}, hangup_); }
void Watch::want_hangup(bool on) { update(events_, on); }

// epoll reports errors and hang-ups of whatever is registered, so waiting for them alone is registering with no events.
void Watch::update(std::uint32_t events, bool hangup) {
    const bool was_registered = events_ != 0 || hangup_;
    const bool registered = events != 0 || hangup;
    hangup_ = hangup;
    if (events == events_ && registered == was_registered) return;
    const int operation = !was_registered ? EPOLL_CTL_ADD : !registered ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    epoll_event event{};
    event.events = events;
    event.data.u64 = (std::uint64_t{loop_.slots_[slot_].generation} << 32) | slot_;
    [[maybe_unused]] const int result = ::epoll_ctl(loop_.epoll_.get(), operation, descriptor_, &event);
    assert(result == 0);
    events_ = events;
}

// ---- Timer

void Timer::start(Duration after) { start_at(loop_.now() + after); }

void Timer::start_about(Duration after) {
    if (after < std::chrono::seconds(2)) return start(after);
    const Duration due = (loop_.now() + after).time_since_epoch();
    start_at(TimePoint((due + kSlack - Duration(1)) / kSlack * Duration(kSlack)));
}

void Timer::start_at(TimePoint deadline) {
    const bool later = queued_ && deadline >= place_->first;
    deadline_ = deadline;
    armed_ = true;
    if (later) return;  // fires into nothing at the old place and goes back into the queue then
    if (queued_) loop_.timers_.erase(place_);
    place_ = loop_.timers_.emplace(deadline, this);
    queued_ = true;
}

void Timer::cancel() {
    armed_ = false;
    if (!queued_) return;
    loop_.timers_.erase(place_);
    queued_ = false;
}

// ---- TurnEnd

TurnEnd::~TurnEnd() {
    if (asked_) std::ranges::replace(loop_.turn_ends_, this, nullptr);
}

void TurnEnd::ask() {
    if (asked_) return;
    asked_ = true;
    loop_.turn_ends_.push_back(this);
}

// ---- Loop

Loop::Loop(ClockSource clock)
    : clock_(std::move(clock)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(clock_()) {
    if (!epoll_ || !event_) throw std::system_error(errno, std::generic_category(), "event loop");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWakeMark;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event_.get(), &event);
    buffers_.received.resize(LoopBuffers::kReceive);
    buffers_.plaintext.resize(LoopBuffers::kReceive + 32 * 1024);  // a record begun in the receive before may end in this one
    buffers_.sealed.reserve(2 * LoopBuffers::kSend);
    buffers_.scratch.resize(2 * LoopBuffers::kSend);
    buffers_.masked.resize(LoopBuffers::kSend);
    buffers_.frames.resize(LoopBuffers::kSend);
}

Loop::~Loop() {
    // Messages may own what lives on this loop, and disposing may dispose of more.
    std::vector<Message> messages;
    {
        const std::lock_guard lock(mutex_);
        messages.swap(messages_);
    }
    messages.clear();
    while (!disposed_.empty()) {
        auto disposed = std::move(disposed_);
        disposed_.clear();
        disposed.clear();
    }
}

void Loop::run() {
    thread_ = std::this_thread::get_id();
    while (!stopping_.load(std::memory_order_acquire)) turn(std::chrono::hours(1));
}

void Loop::stop() {
    stopping_.store(true, std::memory_order_release);
    wake();
}

void Loop::post(Message message) {
    {
        const std::lock_guard lock(mutex_);
        messages_.push_back(std::move(message));
    }
    if (!woken_.exchange(true)) wake();
}

void Loop::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

bool Loop::on_this_thread() const {
    const std::thread::id thread = thread_;
    return thread == std::thread::id{} || thread == std::this_thread::get_id();
}

Duration Loop::take_longest_turn() { return Duration(longest_turn_.exchange(0)); }

int Loop::milliseconds_to_wait(Duration longest) const {
    if (!turn_ends_.empty() || !disposed_.empty()) return 0;  // asked for before the first turn
    if (!timers_.empty()) longest = std::min(longest, timers_.begin()->first - clock_());
    if (longest <= Duration::zero()) return 0;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(longest).count());
}

void Loop::turn(Duration longest) {
    std::array<epoll_event, 256> events;
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds_to_wait(longest));
    now_ = clock_();
    const TimePoint began = now_;
    bool has_messages = false;
    for (int i = 0; i < count; ++i) {
        const std::uint64_t mark = events[i].data.u64;
        if (mark == kWakeMark) {
            has_messages = true;
            continue;
        }
        const auto slot = static_cast<std::uint32_t>(mark);
        const auto generation = static_cast<std::uint32_t>(mark >> 32);
        const auto watch = [&] { return slots_[slot].generation == generation ? slots_[slot].watch : nullptr; };
        const std::uint32_t happened = events[i].events;
        // An error or hang-up is told by the next receive, or by the next send where only that is waited for.
        if (Watch* w = watch(); w && (happened & (EPOLLIN | EPOLLERR | EPOLLHUP)) && (w->events_ & EPOLLIN))
            w->owner_.on_readable();
        if (Watch* w = watch(); w && (happened & (EPOLLOUT | EPOLLERR | EPOLLHUP)) && (w->events_ & EPOLLOUT))
            w->owner_.on_writable();
        if (Watch* w = watch(); w && (happened & (EPOLLERR | EPOLLHUP)) && w->hangup_ && !(w->events_ & EPOLLIN))
            w->owner_.on_hangup();
    }
    run_timers();
    if (has_messages) run_messages();
    run_turn_end();
    const Duration took = clock_() - began;
    if (took.count() > longest_turn_.load(std::memory_order_relaxed)) longest_turn_ = took.count();
}

void Loop::run_timers() {
    while (!timers_.empty() && timers_.begin()->first <= now_) {
        Timer& timer = *timers_.begin()->second;
        timers_.erase(timers_.begin());
        timer.queued_ = false;
        if (timer.deadline_ > now_) {  // was moved later while it waited here
            timer.place_ = timers_.emplace(timer.deadline_, &timer);
            timer.queued_ = true;
            continue;
        }
        timer.armed_ = false;
        timer.on_due_();
    }
}

void Loop::run_messages() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(event_.get(), &count, sizeof count);
    woken_ = false;
    std::vector<Message> messages;
    {
        const std::lock_guard lock(mutex_);
        messages.swap(messages_);
    }
    for (Message& message : messages) message();
}

void Loop::run_turn_end() {
    // Turn-end work may ask for more, and disposing may, too; what is asked for here is still done in this turn.
    while (!turn_ends_.empty() || !disposed_.empty()) {
        for (std::size_t i = 0; i < turn_ends_.size(); ++i) {
            if (TurnEnd* work = turn_ends_[i]) {
                work->asked_ = false;
                turn_ends_[i] = nullptr;
                work->work_();
            }
        }
        turn_ends_.clear();
        auto disposed = std::move(disposed_);
        disposed_.clear();
        disposed.clear();
    }
}

}  // namespace sallyport
