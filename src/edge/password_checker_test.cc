#include "edge/password_checker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace sallyport {
namespace {

using Verdict = PasswordChecker::Verdict;

class PasswordCheckerTest : public testing::Test {
protected:
    struct Asked {
        std::optional<Verdict> verdict;
        std::unique_ptr<PasswordChecker::Question> question;
    };
    void ask(PasswordChecker& checker, Asked& asked, std::string_view user, std::string_view password) {
        Presented presented{Presented::Kind::basic, std::string(user), Secret(std::string(password))};
        auto [verdict, question] =
            checker.ask(loop, auth, presented, "192.0.2.7", [&asked](Verdict later) { asked.verdict = later; });
        asked.question = std::move(question);
        if (!asked.question) asked.verdict = verdict;
    }
    Verdict judge(PasswordChecker& checker, std::string_view user, std::string_view password) {
        Asked asked;
        ask(checker, asked, user, password);
        while (!asked.verdict) loop.turn(std::chrono::milliseconds(100));
        return *asked.verdict;
    }
    bool is_known_at_once(PasswordChecker& checker, std::string_view user, std::string_view password) {
        Asked asked;
        ask(checker, asked, user, password);
        return asked.verdict == Verdict::right;
    }

    Loop loop;
    BasicAuth auth{{{"anna", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}}, BasicAuth::Bearer::refuse, {}};  // U*U
};

TEST_F(PasswordCheckerTest, KnowsRightFromWrong) {
    PasswordChecker checker;
    EXPECT_EQ(judge(checker, "anna", "U*U"), Verdict::right);
    EXPECT_EQ(judge(checker, "anna", "U*V"), Verdict::wrong);
    EXPECT_EQ(judge(checker, "Anna", "U*U"), Verdict::wrong);
    EXPECT_EQ(judge(checker, "", "U*U"), Verdict::wrong);
    EXPECT_EQ(judge(checker, "anna", ""), Verdict::wrong);
    EXPECT_EQ(judge(checker, "anna", std::string_view("U*U\0", 4)), Verdict::wrong);
}

TEST_F(PasswordCheckerTest, RemembersGoodAnswersOnlyAndForThatHashOnly) {
    PasswordChecker checker;
    EXPECT_FALSE(is_known_at_once(checker, "anna", "U*U"));
    EXPECT_EQ(judge(checker, "anna", "U*U"), Verdict::right);
    EXPECT_EQ(judge(checker, "anna", "no"), Verdict::wrong);
    EXPECT_TRUE(is_known_at_once(checker, "anna", "U*U"));
    EXPECT_FALSE(is_known_at_once(checker, "bert", "U*U"));
    EXPECT_FALSE(is_known_at_once(checker, "anna", "no"));
    auth.users.front().hash = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    EXPECT_FALSE(is_known_at_once(checker, "anna", "U*U"));
}

TEST_F(PasswordCheckerTest, ForgetsAfterAWhile) {
    PasswordChecker checker(Duration::zero());
    EXPECT_EQ(judge(checker, "anna", "U*U"), Verdict::right);
    EXPECT_FALSE(is_known_at_once(checker, "anna", "U*U"));
}

TEST_F(PasswordCheckerTest, JudgesOnceWhatManyAskAtTheSameTime) {
    PasswordChecker checker;
    std::vector<Asked> all(100);  // far more than one address may try
    for (Asked& asked : all) ask(checker, asked, "anna", "U*U");
    all.front().question.reset();  // cancelled: it isn't told any more
    // One that asks when it has been judged already knows at once, before the others are told.
    while (!std::ranges::all_of(all.begin() + 1, all.end(), [](const Asked& asked) { return asked.verdict.has_value(); }))
        loop.turn(std::chrono::milliseconds(100));
    EXPECT_FALSE(all.front().verdict);
    for (std::size_t i = 1; i < all.size(); ++i) EXPECT_EQ(all[i].verdict, Verdict::right);
}

TEST_F(PasswordCheckerTest, IsBusyWhereTooManyAreTried) {
    PasswordChecker checker;
    std::vector<Asked> all(200);
    unsigned busy = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        ask(checker, all[i], "anna", std::to_string(i));
        busy += all[i].verdict == Verdict::busy ? 1 : 0;
    }
    EXPECT_GT(busy, 0u);
}

TEST_F(PasswordCheckerTest, StopsWithQuestionsOpen) {
    std::vector<Asked> all(8);
    {
        PasswordChecker checker;
        for (std::size_t i = 0; i < all.size(); ++i) ask(checker, all[i], "anna", std::to_string(i));
    }
    loop.turn(Duration::zero());
}

}  // namespace
}  // namespace sallyport
