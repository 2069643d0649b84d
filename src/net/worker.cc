#include "net/worker.h"

#include <algorithm>

namespace sallyport {

Workers::Workers(std::size_t threads, std::size_t longest_queue)
    : longest_queue_(longest_queue), most_hanging_(std::max<std::size_t>(1, threads * 3 / 4)) {
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

Result<> Workers::add(Queue& queue, Work work) {
    {
        const std::lock_guard lock(mutex_);
        if (queue.size() >= longest_queue_) return fail(Errc::no_space, "worker queue is full");
        queue.push_back(std::move(work));
    }
    ready_.notify_one();
    return {};
}

void Workers::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ready_.wait(lock, [this] { return !queue_.empty() || may_hang_more() || (stopping_ && hanging_.empty()); });
        if (queue_.empty() && !may_hang_more()) return;
        const bool hanging = queue_.empty();
        Queue& queue = hanging ? hanging_ : queue_;
        auto work = std::move(queue.front());
        queue.pop_front();
        hanging_now_ += hanging;
        lock.unlock();
        work();
        work = nullptr;  // what it captured dies outside the lock
        lock.lock();
        if (!hanging) continue;
        --hanging_now_;
        if (!hanging_.empty() || stopping_) ready_.notify_all();
    }
}

}  // namespace sallyport
