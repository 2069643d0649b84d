#include "agent/child_process.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <optional>

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

using testing::ElementsAre;

struct Owner final : ChildProcess::Owner {
    void on_child_line(std::string_view line) override { lines.emplace_back(line); }
    void on_child_end(int how) override { status = how; }
    std::vector<std::string> lines;
    std::optional<int> status;
};

TEST(ChildProcess, TellsLinesAndTheEnd) {
    Loop loop;
    Owner owner;
    auto child = ChildProcess::start(loop, "/bin/sh", {"-c", "echo one; echo two $KEY >&2; read x || echo none; printf end; exit 7"}, {"KEY=value"}, owner);
    ASSERT_TRUE(child) << child.error().detail;
    ASSERT_TRUE(test::run_until(loop, [&] { return owner.status.has_value(); }));
    EXPECT_THAT(owner.lines, ElementsAre("one", "two value", "none")) << "half a line is none";
    EXPECT_EQ(WEXITSTATUS(*owner.status), 7);
}

TEST(ChildProcess, CutsEndlessLines) {
    Loop loop;
    Owner owner;
    auto child = ChildProcess::start(loop, "/bin/sh", {"-c", "head -c 100000 /dev/zero; echo"}, {"PATH=/usr/bin:/bin"}, owner);
    ASSERT_TRUE(child);
    ASSERT_TRUE(test::run_until(loop, [&] { return owner.status.has_value(); }));
    ASSERT_EQ(owner.lines.size(), 1u);
    EXPECT_EQ(owner.lines[0].size(), ChildProcess::kMaxLine);
}

TEST(ChildProcess, DiesWithItsObject) {
    Loop loop;
    Owner owner;
    // One that doesn't want to.
    auto child = ChildProcess::start(loop, "/bin/sh", {"-c", "trap '' TERM; echo ready; while :; do sleep 1; done"}, {"PATH=/usr/bin:/bin"}, owner);
    ASSERT_TRUE(child);
    ASSERT_TRUE(test::run_until(loop, [&] { return !owner.lines.empty(); }));
    const pid_t pid = (*child)->pid();
    child->reset();
    EXPECT_EQ(::kill(pid, 0), -1);
    EXPECT_FALSE(owner.status);
}

TEST(ChildProcess, AProgramThatIsNotThereEndsAtOnce) {
    Loop loop;
    Owner owner;
    auto child = ChildProcess::start(loop, "/nonexistent/ssh", {}, {}, owner);
    ASSERT_TRUE(child);
    ASSERT_TRUE(test::run_until(loop, [&] { return owner.status.has_value(); }));
    EXPECT_EQ(WEXITSTATUS(*owner.status), 127);
    EXPECT_FALSE(find_program("no-such-program-anywhere"));
    EXPECT_TRUE(find_program("sh"));
}

}  // namespace
}  // namespace sallyport
