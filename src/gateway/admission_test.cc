#include "gateway/admission.h"

#include <gtest/gtest.h>

#include <set>

namespace sallyport::gateway {
namespace {

using namespace std::chrono_literals;
constexpr TimePoint kStart{1h};

TEST(Admission, CountsConnectionsUntilTheirPlaceIsGone) {
    Admission admission({.connections = 2});
    auto first = admission.enter("192.0.2.1", kStart);
    auto second = admission.enter("192.0.2.2", kStart);
    EXPECT_TRUE(first.place && second.place);
    EXPECT_EQ(admission.enter("192.0.2.3", kStart).reason, RefusalReason::too_many_connections);
    first.place = {};
    EXPECT_EQ(admission.connections(), 1u);
    EXPECT_TRUE(admission.enter("192.0.2.3", kStart).place);
    const Admission::Place moved = std::move(second.place);
    EXPECT_EQ(admission.connections(), 1u);
}

TEST(Admission, CountsAnIpv6NetworkAsOneAddress) {
    Admission admission({.of_address = 1});
    const auto first = admission.enter("2001:db8::1", kStart);
    EXPECT_EQ(admission.enter("2001:db8::2", kStart).reason, RefusalReason::too_many_of_address);
    EXPECT_TRUE(admission.enter("2001:db8:0:1::2", kStart).place);
    const auto v4 = admission.enter("192.0.2.1", kStart);
    EXPECT_TRUE(v4.place);
    EXPECT_EQ(admission.enter("::ffff:192.0.2.1", kStart).reason, RefusalReason::too_many_of_address);
}

TEST(Admission, CountsUsersOnceTheyAreKnown) {
    Admission admission({.of_user = 1, .unauthenticated = 2});
    auto first = admission.enter("192.0.2.1", kStart);
    auto second = admission.enter("192.0.2.1", kStart);
    EXPECT_EQ(admission.enter("192.0.2.1", kStart).reason, RefusalReason::too_many_unauthenticated);
    EXPECT_TRUE(admission.log_in(first.place, "alice"));
    EXPECT_TRUE(admission.log_in(first.place, "alice"));
    EXPECT_EQ(admission.unauthenticated(), 1u);
    EXPECT_FALSE(admission.log_in(second.place, "alice"));
    EXPECT_TRUE(admission.log_in(second.place, "bob"));
    first.place = {};
    auto third = admission.enter("192.0.2.1", kStart);
    EXPECT_TRUE(admission.log_in(third.place, "alice"));
}

TEST(Admission, LetsAnAddressWaitThatFailedTooOften) {
    Admission admission({.failures = 3});
    for (int i = 0; i < 2; ++i) admission.note_failure("192.0.2.1", kStart + i * 1s);
    EXPECT_TRUE(admission.enter("192.0.2.1", kStart + 2s).place);
    admission.note_failure("192.0.2.1", kStart + 2s);
    EXPECT_EQ(admission.enter("192.0.2.1", kStart + 3s).reason, RefusalReason::address_waits);
    EXPECT_TRUE(admission.enter("192.0.2.2", kStart + 3s).place);
    EXPECT_TRUE(admission.enter("192.0.2.1", kStart + 60s).place);
    for (int i = 0; i < 3; ++i) admission.note_failure("2001:db8::1", kStart);
    EXPECT_EQ(admission.enter("2001:db8::ffff", kStart).reason, RefusalReason::address_waits);
}

TEST(Admission, WatchesABoundedNumberOfAddresses) {
    Admission admission({.failures = 1});
    for (unsigned i = 0; i < Admission::kMostAddresses + 1'000; ++i)
        admission.note_failure("10." + std::to_string(i >> 16) + "." + std::to_string((i >> 8) & 255) + "." + std::to_string(i & 255), kStart);
    EXPECT_EQ(admission.watched_addresses(), Admission::kMostAddresses);
}

TEST(Admission, HasANameForEachReason) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kRefusalReasons; ++i) names.insert(name_of(static_cast<RefusalReason>(i)));
    EXPECT_EQ(names.size(), kRefusalReasons);
    EXPECT_FALSE(names.contains(""));
}

}  // namespace
}  // namespace sallyport::gateway
