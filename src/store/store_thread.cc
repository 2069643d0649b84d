#include "store/store_thread.h"

namespace sallyport::store {

StoreThread::StoreThread(std::unique_ptr<Store> store, std::size_t max_queued)
    : store_(std::move(store)), max_queued_(max_queued), thread_([this] { run(); }) {}

StoreThread::~StoreThread() { stop(); }

Result<> StoreThread::submit(Job job) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return fail(Errc::refused, "the store is stopping");
        if (jobs_.size() >= max_queued_) return fail(Errc::would_block, "too many changes are waiting for the disk");
        jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
    return {};
}

void StoreThread::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    store_.reset();
}

void StoreThread::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job(*store_);
        job = nullptr;  // what it captured goes before the next one starts, and not under the lock
        lock.lock();
    }
}

}  // namespace sallyport::store
