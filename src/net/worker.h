// worker.h: a few threads for what would block a loop (getaddrinfo, password hashes, fsync). Bounded queue.
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

    // `work` runs on a worker thread; it posts its own result to a loop. Errc::no_space when the queue is full.
    Result<> submit(std::move_only_function<void()> work);

private:
    void run();
    std::mutex mutex_;
    std::condition_variable ready_;
    std::deque<std::move_only_function<void()>> queue_;
    std::size_t longest_queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace sallyport
