#include "net/worker.h"

namespace sallyport {

Workers::Workers(std::size_t threads, std::size_t longest_queue) : longest_queue_(longest_queue) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Workers::~Workers() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    ready_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

Result<> Workers::submit(std::move_only_function<void()> work) {
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() >= longest_queue_) return fail(Errc::no_space, "worker queue is full");
        queue_.push_back(std::move(work));
    }
    ready_.notify_one();
    return {};
}

void Workers::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        auto work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        work();
        work = nullptr;  // what it captured dies outside the lock
        lock.lock();
    }
}

}  // namespace sallyport
