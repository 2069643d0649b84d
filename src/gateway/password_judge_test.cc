#include "gateway/password_judge.h"

#include <gtest/gtest.h>

#include "base/password_hash.h"

namespace sallyport::gateway {
namespace {

class PasswordJudgeTest : public testing::Test {
protected:
    bool ask(PasswordJudge& judge, std::string_view user, const std::string& password) {
        std::optional<bool> verdict;
        const auto question = judge.ask(user, Secret(password), [&](bool right) { verdict = right; });
        while (!verdict) loop_.turn(std::chrono::seconds(1));
        return *verdict;
    }
    static PasswordJudge::Passwords passwords() {
        PasswordJudge::Passwords all;
        all["alice"].text = Secret("a,b:c");
        all["bob"].hash = make_password_hash(PasswordScheme::bcrypt, Secret("pw"), 4).value();
        return all;
    }
    Loop loop_;
    Workers workers_{1};
};

TEST_F(PasswordJudgeTest, KnowsTextAndHashes) {
    PasswordJudge judge(loop_, workers_, passwords());
    EXPECT_TRUE(ask(judge, "alice", "a,b:c"));
    EXPECT_FALSE(ask(judge, "alice", "a,b:d"));
    EXPECT_TRUE(ask(judge, "bob", "pw"));
    EXPECT_FALSE(ask(judge, "bob", "Pw"));
    EXPECT_FALSE(ask(judge, "carol", "pw"));
    EXPECT_FALSE(ask(judge, "alice", ""));
}

TEST_F(PasswordJudgeTest, RefusesWhatIsTooMuchAtOnce) {
    PasswordJudge judge(loop_, workers_, passwords());
    std::vector<std::shared_ptr<PasswordJudge::Question>> questions;
    std::size_t right = 0, wrong = 0;
    for (std::size_t i = 0; i < PasswordJudge::kMostAtOnce + 3; ++i)
        questions.push_back(judge.ask("bob", Secret("pw"), [&](bool verdict) {
            ++(verdict ? right : wrong);
        }));
    while (right + wrong < PasswordJudge::kMostAtOnce + 3) loop_.turn(std::chrono::seconds(1));
    EXPECT_EQ(right, PasswordJudge::kMostAtOnce);
    EXPECT_EQ(wrong, 3u);
    EXPECT_TRUE(ask(judge, "bob", "pw"));
}

TEST_F(PasswordJudgeTest, AnswersNobodyWhoHasGone) {
    PasswordJudge judge(loop_, workers_, passwords());
    judge.ask("bob", Secret("pw"), [](bool) { FAIL(); }).reset();
    EXPECT_TRUE(ask(judge, "bob", "pw"));
}

}  // namespace
}  // namespace sallyport::gateway
