#include "wire/relay_problem.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(RelayProblem, IsReadFromAnErrorPage) {
    const auto problem = parse_relay_problem(R"({"error":{"id":"x","status":503,"hop":"agent","title":"Not connected","detail":"The home"}})");
    ASSERT_TRUE(problem);
    EXPECT_EQ(problem->hop, "agent");
    EXPECT_EQ(problem->title, "Not connected");
    EXPECT_EQ(problem->detail, "The home");
    EXPECT_EQ(parse_relay_problem(R"({"error":{"hop":"relay","title":")" + std::string(1000, 'x') + "\"}}")->title.size(), 300u);
}

TEST(RelayProblem, IsNothingElse) {
    for (const char* other : {"", "<html>", "[]", "{}", R"({"error":"x"})", R"({"error":{"title":"x"}})"}) EXPECT_FALSE(parse_relay_problem(other)) << other;
    EXPECT_FALSE(parse_relay_problem(R"({"error":{"hop":"relay"}})" + std::string(40'000, ' ')));
}

}  // namespace
}  // namespace sallyport
