// Programs that replace nobody; one that does is in tests/test_upgrade.py.
#include "relay/upgrade.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class Host final : public Upgrade::Host {
public:
    Result<std::vector<OpenListener>> copy_listeners() override { return std::vector<OpenListener>{}; }
    Result<> give_store_away(std::chrono::milliseconds) override {
        ++given;
        return {};
    }
    Result<> take_store_back() override {
        ++taken_back;
        return {};
    }
    void on_replaced(ChildProcess, MessageChannel) override { replaced = true; }
    int given = 0;
    int taken_back = 0;
    bool replaced = false;
};

class UpgradeTest : public testing::Test {
protected:
    // What begin() ends with, if the program is this shell script.
    Result<UpgradeOutcome> try_script(const std::string& script, std::chrono::milliseconds patience = 60s) {
        Upgrade upgrade(host_, {"/bin/sh", {"sh", "-c", script}}, notifier_, log_, patience);
        std::promise<Result<UpgradeOutcome>> promise;
        upgrade.begin([&](Result<UpgradeOutcome> outcome) { promise.set_value(std::move(outcome)); });
        return promise.get_future().get();
    }
    Host host_;
    ServiceNotifier notifier_;
    Log log_{LogLevel::error, LogFormat::key_value};
};

TEST_F(UpgradeTest, TellsHowTheNewProcessEnded) {
    EXPECT_THAT(try_script("exit 3").error().detail, HasSubstr("exit code 3"));
    EXPECT_THAT(try_script("kill -9 $$").error().detail, HasSubstr("signal 9"));
    EXPECT_FALSE(host_.replaced);
    EXPECT_EQ(host_.given, 0);
}

TEST_F(UpgradeTest, KillsOneThatIsNotReadyInTime) {
    const auto outcome = try_script("exec sleep 1000", 50ms);
    EXPECT_EQ(outcome.error().code, Errc::timeout);
}

TEST_F(UpgradeTest, TellsOfAProgramThatIsNotThere) {
    Upgrade upgrade(host_, {"/no/such/program", {"sallyport"}}, notifier_, log_);
    std::promise<std::string> detail;
    upgrade.begin([&](Result<UpgradeOutcome> outcome) { detail.set_value(outcome.error().detail); });
    EXPECT_THAT(detail.get_future().get(), HasSubstr("/no/such/program"));
}

TEST_F(UpgradeTest, IsOneAtATimeAndCanBeGivenUp) {
    Upgrade upgrade(host_, {"/bin/sh", {"sh", "-c", "exec sleep 1000"}}, notifier_, log_);
    std::promise<std::string> first;
    upgrade.begin([&](Result<UpgradeOutcome> outcome) { first.set_value(outcome.error().detail); });
    Errc second{};
    upgrade.begin([&](const Result<UpgradeOutcome>& outcome) { second = outcome.error().code; });
    EXPECT_EQ(second, Errc::conflict);
    upgrade.give_up();
    EXPECT_THAT(first.get_future().get(), HasSubstr("told to stop"));
}

TEST(OpenListeners, KeepCopies) {
    OpenListeners listeners;
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Descriptor read_end(ends[0]), write_end(ends[1]);
    listeners.add("https", ":443", write_end.get());
    auto copies = listeners.copies();
    ASSERT_TRUE(copies);
    ASSERT_EQ(copies->size(), 1u);
    EXPECT_EQ(copies->front().configured, ":443");
    write_end.reset();
    copies->clear();
    char octet = 0;
    ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
    EXPECT_EQ(::read(read_end.get(), &octet, 1), -1) << "still open";
    listeners.close();
    EXPECT_EQ(::read(read_end.get(), &octet, 1), 0);
}

}  // namespace
}  // namespace sallyport::relay
