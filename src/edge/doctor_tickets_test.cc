#include "edge/doctor_tickets.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

using namespace std::chrono_literals;

class DoctorTicketsTest : public testing::Test {
protected:
    DoctorTickets tickets;
    TimePoint now = Clock::now();
};

TEST_F(DoctorTicketsTest, LetsItsAgentIn) {
    const std::string ticket = tickets.issue("a1", now);
    EXPECT_EQ(ticket.size(), 22u);
    EXPECT_TRUE(tickets.admit(ticket, "a1", now));
    EXPECT_FALSE(tickets.admit(ticket, "a2", now));
    EXPECT_FALSE(tickets.admit("", "a1", now));
    EXPECT_FALSE(tickets.admit(std::string(22, 'A'), "a1", now));
}

TEST_F(DoctorTicketsTest, EndsByTimeByUseAndByTheNext) {
    const std::string first = tickets.issue("a1", now);
    EXPECT_FALSE(tickets.admit(first, "a1", now + DoctorTickets::kLife));
    for (unsigned i = 0; i < DoctorTickets::kMostRequests; ++i) EXPECT_TRUE(tickets.admit(first, "a1", now + 1s));
    EXPECT_FALSE(tickets.admit(first, "a1", now + 1s));
    const std::string second = tickets.issue("a1", now);
    const std::string third = tickets.issue("a1", now);
    EXPECT_FALSE(tickets.admit(second, "a1", now));
    EXPECT_TRUE(tickets.admit(third, "a1", now));
}

TEST_F(DoctorTicketsTest, HoldsABoundedNumber) {
    for (std::size_t i = 0; i < DoctorTickets::kMostTickets; ++i) EXPECT_NE(tickets.issue(std::to_string(i), now), "");
    EXPECT_EQ(tickets.issue("one more", now), "");
    EXPECT_NE(tickets.issue("0", now), "");
    EXPECT_NE(tickets.issue("one more", now + DoctorTickets::kLife), "");
}

TEST(DoctorPath, IsTakenApart) {
    const DoctorPath path = DoctorPath::of("/.well-known/sallyport-doctor/T1/upload?id=3");
    EXPECT_EQ(path.ticket, "T1");
    EXPECT_EQ(path.rest, "/upload?id=3");
    for (const char* other : {"/", "/.well-known/sallyport-doctor", "/.well-known/sallyport-doctor/", "/.well-known/sallyport-doctor/T1",
                              "/.well-known/sallyport-doctorx/T1/", "/x/.well-known/sallyport-doctor/T1/a"})
        EXPECT_EQ(DoctorPath::of(other).ticket, "") << other;
}

}  // namespace
}  // namespace sallyport
