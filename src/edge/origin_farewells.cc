#include "edge/origin_farewells.h"

namespace sallyport {
namespace {

constexpr std::chrono::milliseconds kLookEvery{500};

}  // namespace

OriginFarewells::~OriginFarewells() {
    while (!leaving_.empty()) drop_first();
}

void OriginFarewells::take(std::unique_ptr<OriginConnection> origin) {
    if (!origin->over()) origin->end_in_order();
    if (origin->over()) return loop_.dispose(std::move(origin));
    if (leaving_.size() >= kMost) drop_first();
    leaving_.push_back({std::move(origin), loop_.now() + kPatience});
    if (!timer_.running()) timer_.start(kLookEvery);
}

void OriginFarewells::look() {
    std::erase_if(leaving_, [this](Leaving& leaving) {
        if (!leaving.origin->over() && leaving.until > loop_.now()) return false;
        loop_.dispose(std::move(leaving.origin));
        return true;
    });
    if (!leaving_.empty()) timer_.start(kLookEvery);
}

void OriginFarewells::drop_first() {
    leaving_.front().origin->cut();
    loop_.dispose(std::move(leaving_.front().origin));
    leaving_.pop_front();
}

}  // namespace sallyport
