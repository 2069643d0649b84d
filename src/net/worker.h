// worker.h: a few threads for what would block a loop (getaddrinfo, password hashes, fsync). Bounded queue.
// What asks the network, and so may hang, never takes all of them: files are still written while no name resolves.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "net/loop.h"

namespace sallyport {

class Workers {
public:
    explicit Workers(std::size_t threads, std::size_t longest_queue = 1024);
    ~Workers();  // runs what is queued, then joins
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    using Work = std::move_only_function<void()>;
    // `work` runs on a worker thread; it posts its own result to a loop. Errc::no_space when the queue is full.
    Result<> submit(Work work) { return add(queue_, std::move(work)); }
    // The same for work that may hang, like getaddrinfo. It has a queue of its own, and three quarters of the threads at most,
    // but one at least.
    Result<> submit_hanging(Work work) { return add(hanging_, std::move(work)); }

private:
    using Queue = std::deque<Work>;
    Result<> add(Queue& queue, Work work);
    bool may_hang_more() const { return !hanging_.empty() && hanging_now_ < most_hanging_; }
    void run();
    std::mutex mutex_;
    std::condition_variable ready_;
    Queue queue_;
    Queue hanging_;
    const std::size_t longest_queue_;  // of each
    const std::size_t most_hanging_;
    std::size_t hanging_now_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace sallyport
