#include "store/store_thread.h"

namespace sallyport::store {

StoreThread::StoreThread(std::unique_ptr<Store> store, std::size_t max_queued)
    : store_(std::move(store)), max_queued_(max_queued), thread_([this] { run(); }) {}

StoreThread::~StoreThread() { stop(); }

Result<> StoreThread::submit(Job job) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return fail(Errc::refused, "the store is stopping");
        if (place_ != Place::here) return fail(Errc::would_block, "the store is with another process");
        if (jobs_.size() >= max_queued_) return fail(Errc::would_block, "too many changes are waiting for the disk");
        jobs_.push_back(std::move(job));
    }
    wake_.notify_all();
    return {};
}

Result<> StoreThread::give_away(std::chrono::milliseconds longest) {
    std::unique_lock lock(mutex_);
    if (stopping_) return fail(Errc::refused, "the store is stopping");
    if (place_ != Place::here) return fail(Errc::conflict, "the store is with another process");
    place_ = Place::leaving;
    wake_.notify_all();
    const auto begun = [this] { return place_ != Place::leaving || stopping_; };
    const auto over = [this] { return place_ != Place::closing; };
    if (wake_.wait_for(lock, longest, begun)) wake_.wait(lock, over);
    if (place_ == Place::away) return {};
    place_ = Place::here;
    return fail(Errc::timeout, "the store was busy for too long");
}

void StoreThread::take_back(std::unique_ptr<Store> store) {
    const std::lock_guard lock(mutex_);
    store_ = std::move(store);
    place_ = Place::here;
}

void StoreThread::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    store_.reset();
}

void StoreThread::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !jobs_.empty() || place_ == Place::leaving; });
        if (jobs_.empty()) {
            if (stopping_) return;
            place_ = Place::closing;
            lock.unlock();  // a checkpoint may wait for the disk; who submits must not
            store_.reset();
            lock.lock();
            place_ = Place::away;
            wake_.notify_all();
            continue;
        }
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job(*store_);
        job = nullptr;  // what it captured goes before the next one starts, and not under the lock
        lock.lock();
    }
}

}  // namespace sallyport::store
