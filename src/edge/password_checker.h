// password_checker.h: judges passwords away from the loops, and remembers good ones. One for all loops of a process; any thread
// may call it, each answer comes on the loop that asked.
//
// Hashing is slow by intent, so it is what an attacker would make us do. One thread does it, so that it never takes more than one
// core; a second of it is kMostEachSecond passwords, an address (IPv4, or IPv6 /64) gets kMostAtOnce and one more each second, and a
// short queue waits. What is over these bounds is busy: nobody is told whether it was right.
// The same password asked for again while it is judged waits for the same answer: a page comes with twenty requests at once.
// A good answer is kept for kKeptFor as a MAC with a key of this process; neither password nor hash is.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "edge/attempt_budget.h"
#include "edge/basic_auth.h"
#include "net/loop.h"
#include "net/worker.h"

namespace sallyport {

class PasswordChecker {
public:
    static constexpr std::chrono::minutes kKeptFor{5};
    static constexpr std::size_t kMostKept = 4096;
    static constexpr unsigned kMostEachSecond = 20;
    static constexpr unsigned kMostAtOnce = 10;      // of an address
    static constexpr std::size_t kMostQueued = 32;
    static constexpr std::size_t kMostWaiting = 1024;  // requests for one password

    enum class Verdict { right, wrong, busy };
    using OnVerdict = std::move_only_function<void(Verdict)>;

    // A question under way; destroying it cancels it. Lives on the loop that asked.
    class Question {
    public:
        explicit Question(OnVerdict on_verdict) : on_verdict_(std::make_shared<OnVerdict>(std::move(on_verdict))) {}
        ~Question() { *on_verdict_ = nullptr; }
        Question(const Question&) = delete;
        Question& operator=(const Question&) = delete;

    private:
        friend class PasswordChecker;
        std::shared_ptr<OnVerdict> on_verdict_;
    };
    struct Answer {
        Verdict verdict = Verdict::busy;
        std::unique_ptr<Question> question;  // set: the verdict comes later
    };

    explicit PasswordChecker(Clock::duration kept_for = kKeptFor);
    ~PasswordChecker();  // the loops may have ended, but are still there
    PasswordChecker(const PasswordChecker&) = delete;
    PasswordChecker& operator=(const PasswordChecker&) = delete;

    Answer ask(Loop& loop, const BasicAuth& auth, const Presented& presented, std::string_view visitor_ip, OnVerdict on_verdict);

    // Whether that is a password known to be good: then ask() answers so at once.
    bool knows(const BasicAuth& auth, const Presented& presented);

private:
    using Mac = std::array<std::byte, 32>;
    struct HashOfMac {  // it is as random as a hash could be
        std::size_t operator()(const Mac& mac) const;
    };
    struct Waiter {
        Loop* loop;
        std::shared_ptr<OnVerdict> on_verdict;
    };

    Mac mac_of(std::string_view user, std::string_view password, std::string_view hash, bool known) const;
    bool is_kept(const Mac& mac, TimePoint now);
    void judge(const Mac& mac, const Secret& password, const std::string& hash, bool known);
    void keep(const Mac& mac, TimePoint now);

    const Clock::duration kept_for_;
    const Secret key_;
    std::mutex mutex_;  // guards what follows; never held while hashing
    std::unordered_map<Mac, TimePoint, HashOfMac> kept_;  // until when
    std::unordered_map<Mac, std::vector<Waiter>, HashOfMac> waiting_;
    AttemptBudget budget_;
    std::atomic<bool> stopping_{false};
    Workers workers_;  // last: its destructor joins
};

}  // namespace sallyport
