#include "relay/ban_watch.h"

namespace sallyport::relay {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::size_t kMostLines = 100;  // a second

}  // namespace

BanWatch::BanWatch(Loop& loop, Log& log, BanShield& shield) : loop_(loop), log_(log), shield_(shield), timer_(loop, [this] { look(); }) {
    timer_.start(kLookEvery);
}

void BanWatch::look() {
    auto ended = shield_.take_ended(loop_.now());
    if (ended.size() > kMostLines) ended.resize(kMostLines);
    for (const BanShield::Ban& ban : ended) log_.info("visitor.unbanned", {{"address", ban.address}, {"agent", ban.home}, {"by", "time"}});
    timer_.start(kLookEvery);
}

}  // namespace sallyport::relay
