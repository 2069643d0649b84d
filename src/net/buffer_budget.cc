#include "net/buffer_budget.h"

namespace sallyport {

BufferBudget::BufferBudget(ByteCount bound, std::size_t threads)
    : bound_(bound), threads_(threads), shares_(std::make_unique<Share[]>(threads)) {
    for (std::size_t i = 0; i < threads_; ++i) shares_[i].budget = this;
}

BufferBudget::~BufferBudget() {
    if (of_this_thread_ && of_this_thread_->budget == this) of_this_thread_ = nullptr;
}

void BufferBudget::count_this_thread(std::size_t thread) { of_this_thread_ = &shares_[thread]; }

ByteCount BufferBudget::held() const {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < threads_; ++i) total += shares_[i].held.load(std::memory_order_relaxed);
    return static_cast<ByteCount>(std::max<std::int64_t>(total, 0));
}

bool BufferBudget::may_grow() {
    const Share* share = of_this_thread_;
    return !share || share->budget->held() < share->budget->bound() / 4 * 3;
}

bool BufferBudget::refuses_new() {
    const Share* share = of_this_thread_;
    if (!share || share->budget->held() < share->budget->bound()) return false;
    share->budget->refused_.fetch_add(1, std::memory_order_relaxed);
    return true;
}

}  // namespace sallyport
