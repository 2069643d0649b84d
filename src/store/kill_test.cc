// kill -9 at any moment loses no acknowledged change, and leaves none half done.
#include <gmock/gmock.h>
#include <signal.h>

#include <random>
#include <set>
#include <thread>

#include "store/testing.h"

namespace sallyport::store {
namespace {

// In the child: adds agents, each with a route and a credential, and says so after each.
[[noreturn]] void add_until_killed(const std::filesystem::path& folder, int acknowledgements) {
    auto store = Store::open(folder / kDatabaseName, kOwner);
    if (!store) ::_exit(1);
    for (int i = 0;; ++i) {
        const std::string name = "agent-" + std::to_string(::getpid()) + "-" + std::to_string(i);
        const AgentSpec spec{.name = name, .routes = {{.hostname = name + ".example.org"}}, .credential = CredentialKind::token};
        if (!(*store)->add_agent(spec, kOwner)) ::_exit(2);
        const std::string line = name + "\n";
        if (::write(acknowledgements, line.data(), line.size()) < 0) ::_exit(3);
    }
}

// Kills the child some time after its `after`-th answer; gives every name that it acknowledged.
std::set<std::string> run_and_kill(const std::filesystem::path& folder, int after, std::chrono::microseconds later) {
    int ends[2];
    if (::pipe(ends) != 0) return {};
    const pid_t child = ::fork();
    if (child == 0) add_until_killed(folder, ends[1]);
    ::close(ends[1]);
    std::set<std::string> acknowledged;
    std::string line;
    char c = 0;
    bool killed = false;
    while (::read(ends[0], &c, 1) == 1) {
        if (c != '\n') {
            line += c;
            continue;
        }
        acknowledged.insert(std::exchange(line, {}));
        if (killed || static_cast<int>(acknowledged.size()) < after) continue;
        std::this_thread::sleep_for(later);  // no event to wait for: this picks the moment inside the next change
        ::kill(child, SIGKILL);
        killed = true;
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child gave up: " << WEXITSTATUS(status);
    return acknowledged;
}

TEST(KilledStore, HasEveryAcknowledgedChange) {
    TempFolder folder;  // one for all rounds: each starts with what the last one left
    std::set<std::string> acknowledged;
    for (unsigned seed = 0; seed < 40; ++seed) {
        std::mt19937 random(seed);
        const int after = std::uniform_int_distribution(1, 8)(random);
        const std::chrono::microseconds later(std::uniform_int_distribution(0, 3000)(random));
        acknowledged.merge(run_and_kill(folder.path(), after, later));

        const auto store = open_store(folder.path());
        ASSERT_NE(store, nullptr) << "seed " << seed;
        const auto found = store->load_snapshot();
        EXPECT_OK(found);
        std::set<std::string> names;
        for (const Agent& agent : found->agents) names.insert(agent.name);
        ASSERT_TRUE(std::ranges::includes(names, acknowledged)) << "seed " << seed;
        ASSERT_LE(names.size(), acknowledged.size() + seed + 1) << "at most one change a round went without its answer";
        ASSERT_EQ(found->routes.size(), names.size()) << "seed " << seed;
        ASSERT_EQ(found->credentials.size(), names.size()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace sallyport::store
