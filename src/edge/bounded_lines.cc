#include "edge/bounded_lines.h"

namespace sallyport {
namespace {

constexpr std::chrono::seconds kPeriod{1};

}  // namespace

BoundedLines::BoundedLines(Loop& loop, Log& log, std::string kind, unsigned most_a_second)
    : loop_(loop),
      log_(log),
      suppressed_event_(std::move(kind) + ".suppressed"),
      most_(most_a_second),
      tell_later_(loop, [this] { tell(); }) {}

bool BoundedLines::admit() {
    if (loop_.now() - second_ >= kPeriod) {
        second_ = loop_.now();
        count_ = 0;
    }
    if (count_ < most_) {
        ++count_;
        return true;
    }
    if (left_out_++ == 0) tell_later_.start(kPeriod);
    return false;
}

void BoundedLines::tell() {
    if (left_out_ > 0) log_.info(suppressed_event_, {{"lines", left_out_}});
    left_out_ = 0;
}

}  // namespace sallyport
