#include "config/state_dir.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sallyport {
namespace {

// Whether `expected` comes out for an ordinary user: the superuser may write to /var/lib.
bool gives_as_nobody(const Environment& environment, const std::filesystem::path& expected) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
        ::_exit(default_state_dir(environment) == expected ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(StateDir, FollowsXdgForOrdinaryUsers) {
    EXPECT_TRUE(gives_as_nobody({{"HOME", "/home/a"}}, "/home/a/.local/state/sallyport"));
    EXPECT_TRUE(gives_as_nobody({{"HOME", "/home/a"}, {"XDG_STATE_HOME", "/s"}}, "/s/sallyport"));
    EXPECT_TRUE(gives_as_nobody({{"HOME", "/home/a"}, {"XDG_STATE_HOME", "relative"}}, "/home/a/.local/state/sallyport"));
    EXPECT_TRUE(gives_as_nobody({}, ""));
}

TEST(StateDir, IsTheSystemsForTheSuperuser) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs the superuser";
    EXPECT_EQ(default_state_dir({{"HOME", "/root"}}), "/var/lib/sallyport");
}

}  // namespace
}  // namespace sallyport
