#include "gateway/mosh_engine.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <fstream>
#include <sstream>

#include "gateway/mosh_test_support.h"

namespace sallyport::gateway {
namespace {

using namespace test;

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
}

// The one mosh-client among our children.
pid_t find_mosh_client() {
    std::istringstream children(read_file("/proc/self/task/" + std::to_string(::getpid()) + "/children"));
    pid_t pid = 0;
    while (children >> pid)
        if (read_file("/proc/" + std::to_string(pid) + "/comm") == "mosh-client\n") return pid;
    return 0;
}

struct RunningEngine {
    explicit RunningEngine(MoshStart start, MoshSettings settings = {}) : engine(make_mosh_engine(loop, reaper, settings, std::move(start))) {
        engine->start(owner, {80, 24});
    }
    bool shows(std::string_view what) const { return owner.text.find(what) != std::string::npos; }
    void wait_for(std::string_view what) {
        turn_until(loop, [&] { return shows(what) || owner.end; });
        EXPECT_TRUE(shows(what)) << owner.text;
    }
    void wait_for_end() {
        turn_until(loop, [&] { return owner.end.has_value(); });
    }
    Loop loop;
    ProcessReaper reaper{loop};
    GatheringOwner owner;
    std::unique_ptr<TerminalEngine> engine;
};

}  // namespace

TEST(MoshEngine, CarriesKeysAndScreenAndTheShellsExitStatus) {
    RunningMoshServer remote("stty size; read -r line; echo \"<$line>\"; exit 37");
    RunningEngine running(remote.start());
    running.wait_for("24 80");
    EXPECT_EQ(running.owner.contacts, 1);
    EXPECT_EQ(running.engine->write(as_octets("hello\r")), 6u);
    running.wait_for_end();
    EXPECT_EQ(running.owner.end->how, TerminalEnd::How::shell_ended);
    EXPECT_EQ(running.owner.end->exit_status, 37);
    EXPECT_TRUE(running.owner.end->cleanup_command.empty());
    EXPECT_TRUE(running.shows("<hello>"));
    EXPECT_FALSE(running.shows("mosh is exiting"));
    EXPECT_FALSE(running.shows("sallyport-exit"));
    EXPECT_FALSE(running.shows("Nothing received"));
    EXPECT_TRUE(running.engine->link().since_contact.has_value());
    EXPECT_TRUE(running.engine->link().round_trip.has_value());
}

TEST(MoshEngine, ResizesTheRemoteTerminal) {
    RunningMoshServer remote("trap 'stty size' WINCH; echo ready; while sleep 0.1; do :; done");
    RunningEngine running(remote.start());
    running.wait_for("ready");
    running.engine->resize({100, 40});
    running.wait_for("40 100");
}

TEST(MoshEngine, RepaintsTheWholeScreenOnDemand) {
    RunningMoshServer remote("echo something to see; sleep 1000");
    RunningEngine running(remote.start());
    running.wait_for("something to see");
    running.owner.text.clear();
    EXPECT_TRUE(running.engine->repaint());
    running.wait_for("something to see");
}

TEST(MoshEngine, KeepsTheKeyOutOfTheArgumentsAndNoDescriptorOfOursOpen) {
    RunningMoshServer remote("echo ready; sleep 1000");
    const std::string key(remote.server.key.reveal());
    Descriptor ours(::socket(AF_INET, SOCK_STREAM, 0));  // without CLOEXEC on purpose
    RunningEngine running(remote.start());
    running.wait_for("ready");
    const pid_t pid = find_mosh_client();
    ASSERT_GT(pid, 0);
    const std::string place = "/proc/" + std::to_string(pid);
    EXPECT_EQ(read_file(place + "/cmdline").find(key), std::string::npos);
    EXPECT_NE(read_file(place + "/limits").find("Max core file size        0"), std::string::npos);
    const auto target = [&](const std::string& process) {
        std::error_code error;
        return std::filesystem::read_symlink("/proc/" + process + "/fd/" + std::to_string(ours.get()), error).string();
    };
    ASSERT_NE(target("self"), "");
    EXPECT_NE(target(std::to_string(pid)), target("self"));
}

TEST(MoshEngine, TellsThatUdpIsBlocked) {
    RunningMoshServer remote("sleep 1000");
    // A socket that takes datagrams and never answers.
    Descriptor silent(::socket(AF_INET, SOCK_DGRAM, 0));
    const SocketAddress any = *SocketAddress::parse("127.0.0.1", 0);
    ASSERT_EQ(::bind(silent.get(), any.data(), any.size()), 0);
    MoshStart start = remote.start();
    start.remote = SocketAddress::local_of(silent.get());
    MoshSettings settings;
    settings.contact_timeout = std::chrono::milliseconds(300);
    RunningEngine running(std::move(start), settings);
    running.wait_for_end();
    EXPECT_EQ(running.owner.end->how, TerminalEnd::How::no_contact);
    EXPECT_EQ(running.owner.contacts, 0);
    EXPECT_TRUE(running.owner.text.empty());
    // What is to be run on the remote really ends the mosh-server that nobody reached.
    ASSERT_FALSE(running.owner.end->cleanup_command.empty());
    ASSERT_EQ(std::system(running.owner.end->cleanup_command.c_str()), 0);
    turn_until(running.loop, [&] { return ::kill(static_cast<pid_t>(*remote.server.pid), 0) != 0; });
}

TEST(MoshEngine, AKilledMoshClientEndsTheSessionAndIsReaped) {
    RunningMoshServer remote("echo ready; sleep 1000");
    RunningEngine running(remote.start());
    running.wait_for("ready");
    const pid_t pid = find_mosh_client();
    ASSERT_GT(pid, 0);
    ::kill(pid, SIGKILL);
    running.wait_for_end();
    EXPECT_EQ(running.owner.end->how, TerminalEnd::How::lost);
    EXPECT_EQ(running.owner.end->detail, "mosh-client was ended by signal 9");
    EXPECT_FALSE(running.owner.end->cleanup_command.empty());
    EXPECT_EQ(find_mosh_client(), 0);
}

TEST(MoshEngine, AKilledMoshServerIsNoticed) {
    RunningMoshServer remote("echo ready; sleep 1000");
    MoshSettings settings;
    settings.refused_after = std::chrono::seconds(1);
    RunningEngine running(remote.start(), settings);
    running.wait_for("ready");
    ::kill(static_cast<pid_t>(*remote.server.pid), SIGKILL);
    running.wait_for_end();
    EXPECT_EQ(running.owner.end->how, TerminalEnd::How::lost);
}

TEST(MoshEngine, HangsUpTheShell) {
    RunningMoshServer remote("echo ready; sleep 1000");
    RunningEngine running(remote.start());
    running.wait_for("ready");
    running.engine->hang_up();
    running.wait_for_end();
    EXPECT_NE(running.owner.end->how, TerminalEnd::How::no_contact);
    turn_until(running.loop, [&] { return ::kill(static_cast<pid_t>(*remote.server.pid), 0) != 0; });
}

TEST(MoshEngine, DestroyingItKillsMoshClient) {
    RunningMoshServer remote("echo ready; sleep 1000");
    RunningEngine running(remote.start());
    running.wait_for("ready");
    running.engine.reset();
    turn_until(running.loop, [&] { return running.reaper.pending() == 0; });
    EXPECT_EQ(find_mosh_client(), 0);
}

TEST(MoshEngine, AMissingMoshClientEndsInOrder) {
    RunningMoshServer remote("sleep 1000");
    MoshSettings settings;
    settings.client = "/nonexistent/mosh-client";
    RunningEngine running(remote.start(), settings);
    running.wait_for_end();
    EXPECT_EQ(running.owner.end->how, TerminalEnd::How::lost);
    EXPECT_NE(running.owner.end->detail.find("/nonexistent/mosh-client"), std::string::npos);
}

TEST(MoshEngine, APausedEngineHoldsBackALongPaste) {
    RunningMoshServer remote("stty raw -echo; echo ready; sleep 1000");
    RunningEngine running(remote.start());
    running.wait_for("ready");
    const std::string paste(1 << 20, 'x');
    const std::size_t taken = running.engine->write(as_octets(paste));
    EXPECT_LT(taken, paste.size());
    turn_until(running.loop, [&] { return running.owner.rooms > 0; });
    EXPECT_GT(running.engine->write(as_octets(paste).subspan(taken)), 0u);
}

}  // namespace sallyport::gateway
