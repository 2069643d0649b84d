#include "gateway/counters.h"

#include <gmock/gmock.h>

#include <set>

namespace sallyport::gateway {
namespace {

using testing::HasSubstr;

TEST(GatewayCounters, AreShownByNameAndLabel) {
    Counters counters;
    counters.logins[LoginBy::remote_key] = 3;
    counters.refusals[RefusalReason::bad_key] = 2;
    ++counters.open[SessionKind::mosh];
    Snapshot snapshot{.connections = 5, .warm = 1};
    snapshot.mosh.push_back({.user = "alice", .session = 7, .round_trip_seconds = -1, .silence_seconds = 12});
    const std::string text = metrics_text(counters, snapshot);
    for (const auto* const line : {"sallyport_gateway_logins_total{by=\"remote_key\"} 3", "sallyport_gateway_refusals_total{reason=\"bad_key\"} 2",
                                   "sallyport_gateway_open_sessions{kind=\"mosh\"} 1", "sallyport_gateway_connections 5", "sallyport_gateway_warm_connections 1",
                                   "sallyport_gateway_mosh_silence_seconds{user=\"alice\",session=\"7\"} 12"})
        EXPECT_THAT(text, HasSubstr(line));
    EXPECT_THAT(text, testing::Not(HasSubstr("mosh_round_trip_seconds{")));
}

template <class Enum>
void expect_distinct_names() {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < static_cast<std::size_t>(Enum::count_); ++i) names.insert(name_of(static_cast<Enum>(i)));
    EXPECT_EQ(names.size(), static_cast<std::size_t>(Enum::count_));
    EXPECT_FALSE(names.contains(""));
}

TEST(GatewayCounters, HaveANameForEachKind) {
    expect_distinct_names<LoginBy>();
    expect_distinct_names<SessionKind>();
    expect_distinct_names<CacheResult>();
}

}  // namespace
}  // namespace sallyport::gateway
