// loop.h: one thread's event loop over epoll (level-triggered), with timers, messages from other threads and turn-end work.
//
// An object belongs to one loop and is used only on that loop's thread; Loop::post is the one call for other threads.
// Everything here is cancelled by destroying it: a Watch, Timer or TurnEnd never calls back after its destructor.
// An object must not be deleted inside a call that may stand above it on the stack: give it to Loop::dispose, which
// deletes it at the end of the turn. A turn is: readiness events, due timers, posted messages, turn-end work, disposal.
// (Own and small because the octet pump needs plain level-triggered readiness without a call per wait; libssh, nghttp2 and
// OpenSSL plug in as they are.)
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"
#include "net/descriptor.h"

namespace sallyport {

class Loop;

// Readiness of one descriptor. The descriptor stays the caller's and must outlive the Watch.
class Watch {
public:
    class Owner {
    public:
        virtual void on_readable() = 0;  // also at end of stream and on error: the next receive tells
        virtual void on_writable() = 0;
        virtual void on_hangup() {}      // both directions are gone (RST, or FIN both ways); see want_hangup

    protected:
        ~Owner() = default;
    };

    Watch(Loop& loop, int descriptor, Owner& owner);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // What to wait for; all off at first. With all off nothing is reported.
    void want_read(bool on);
    void want_write(bool on);
    // Tells of a hang-up while reading is not wanted. It repeats every turn until it is switched off.
    void want_hangup(bool on);

private:
    friend class Loop;
    void update(std::uint32_t events, bool hangup);
    Loop& loop_;
    int descriptor_;
    Owner& owner_;
    std::uint32_t events_ = 0;
    bool hangup_ = false;
    std::uint32_t slot_;
};

// One deadline. Moving it later is free of cost (the old one fires into nothing and is set anew).
class Timer {
public:
    Timer(Loop& loop, std::function<void()> on_due) : loop_(loop), on_due_(std::move(on_due)) {}
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void start(Duration after);  // restarts if it is running
    // Up to kSlack later, so that what thousands of connections do each half minute falls into a few turns a second. Not for waits
    // under 2 s, which are kept.
    void start_about(Duration after);
    static constexpr std::chrono::milliseconds kSlack{125};
    void cancel();
    bool running() const { return armed_; }

private:
    friend class Loop;
    void start_at(TimePoint deadline);
    using Queue = std::multimap<TimePoint, Timer*>;
    Loop& loop_;
    std::function<void()> on_due_;
    TimePoint deadline_{};
    bool armed_ = false;
    bool queued_ = false;
    Queue::iterator place_{};
};

// Work done once at the end of the turn in which it was asked for, however often it was asked for.
class TurnEnd {
public:
    TurnEnd(Loop& loop, std::function<void()> work) : loop_(loop), work_(std::move(work)) {}
    ~TurnEnd();
    TurnEnd(const TurnEnd&) = delete;
    TurnEnd& operator=(const TurnEnd&) = delete;
    void ask();

private:
    friend class Loop;
    Loop& loop_;
    std::function<void()> work_;
    bool asked_ = false;
};

// Big buffers shared by everything on the loop. Each is used only within one call and never across turns, but the spare chunks.
struct LoopBuffers {
    static constexpr std::size_t kReceive = 256 * 1024;
    static constexpr std::size_t kSend = 128 * 1024;
    std::vector<std::byte> received;   // octets as they come from the kernel
    std::vector<std::byte> plaintext;  // decrypted
    std::vector<std::byte> sealed;     // ciphertext on its way to one send()
    std::vector<std::byte> scratch;    // gathering before encryption
    std::vector<std::byte> masked;     // one masked send of a tunnel
    std::vector<std::byte> frames;     // gathering one send of an HTTP/2 connection; taken out meanwhile, so empty then
    std::vector<std::unique_ptr<std::byte[]>> tunnel_chunks;  // spare ones, warm in the cache; see RetainedOctets
};

class Loop {
public:
    using Message = std::move_only_function<void()>;
    using ClockSource = std::function<TimePoint()>;

    // Another clock than the real one is for tests that make the time themselves and drive turns by hand.
    explicit Loop(ClockSource clock = Clock::now);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    void run();                  // on the calling thread, until stop()
    void stop();                 // any thread; the turn under way is finished
    void post(Message message);  // any thread; messages of one thread keep their order
    bool on_this_thread() const; // true on the loop's thread, and before run() on any

    TimePoint now() const { return now_; }            // when this turn began
    TimePoint exact_now() const { return clock_(); }  // for what is measured within a turn
    LoopBuffers& buffers() { return buffers_; }

    template <class T>
    void dispose(std::unique_ptr<T> object) {
        if (object) disposed_.emplace_back(object.release(), [](void* p) { delete static_cast<T*>(p); });
    }

    // How long the longest turn since the last call took; for the lag metric. Any thread.
    Duration take_longest_turn();

    // One turn that waits at most `longest`; run() is this in a loop. For tests that drive a loop by hand.
    void turn(Duration longest);

private:
    friend class Watch;
    friend class Timer;
    friend class TurnEnd;
    struct Slot {
        Watch* watch = nullptr;
        std::uint32_t generation = 0;
    };
    void wake();
    void run_messages();
    void run_timers();
    void run_turn_end();
    int milliseconds_to_wait(Duration longest) const;

    ClockSource clock_;
    Descriptor epoll_;
    Descriptor event_;
    LoopBuffers buffers_;
    TimePoint now_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    Timer::Queue timers_;
    std::vector<TurnEnd*> turn_ends_;
    std::vector<std::unique_ptr<void, void (*)(void*)>> disposed_;
    std::atomic<Duration::rep> longest_turn_{0};
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;  // guards messages_ only
    std::vector<Message> messages_;
    std::atomic<bool> woken_{false};
    std::atomic<std::thread::id> thread_;
};

}  // namespace sallyport
