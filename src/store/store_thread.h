// store_thread.h: runs a Store on a thread of its own, so that no event loop waits for a disk. Jobs run one after
// another in the order they came; a job posts its answer back to its own loop. submit() may be called by any thread.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "store/store.h"

namespace sallyport::store {

class StoreThread {
public:
    using Job = std::move_only_function<void(Store&)>;  // must not throw

    explicit StoreThread(std::unique_ptr<Store> store, std::size_t max_queued = 1024);
    ~StoreThread();  // stops

    // would_block: max_queued jobs are waiting already, or the store is given away; refused: stop() was called. The job is
    // then not run.
    [[nodiscard]] Result<> submit(Job job);

    // Gives the file up, so that another process can open it: refuses new jobs, runs what is queued, closes the store. Waits for
    // that; timeout: a job took longer, and all is as before. For a thread of its own, not for jobs.
    [[nodiscard]] Result<> give_away(std::chrono::milliseconds longest);
    // The file, opened anew: jobs are taken again.
    void take_back(std::unique_ptr<Store> store);

    // Runs what is queued, then ends the thread and closes the store. No later call has an effect.
    void stop();

private:
    enum class Place { here, leaving, closing, away };
    void run();

    std::unique_ptr<Store> store_;  // while not away: the thread's
    const std::size_t max_queued_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> jobs_;  // under mutex_
    Place place_ = Place::here;  // under mutex_
    bool stopping_ = false;      // under mutex_
    std::thread thread_;    // last: starts when all else is there
};

}  // namespace sallyport::store
