// Against OpenSSH: its sshd for our client, its ssh and agent for our server.
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "ssh/agent_socket.h"
#include <gtest/gtest.h>

#include "ssh/test_support.h"

namespace sallyport::ssh {
namespace {

constexpr const char* kSshd = "/usr/sbin/sshd";
constexpr const char* kSsh = "/usr/bin/ssh";

std::string user_name() {
    const passwd* const entry = ::getpwuid(::geteuid());
    return entry ? entry->pw_name : "nobody";
}

struct Folder {
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "sallyport_ssh_XXXXXX";
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

// Killed with its group and waited for at the end.
struct Process {
    Process(std::vector<std::string> words, int standard_input = -1, int output = -1) {
        pid = ::fork();
        if (pid == 0) {
            ::setpgid(0, 0);
            if (standard_input >= 0) ::dup2(standard_input, 0), ::dup2(standard_input, 1);
            if (output >= 0) ::dup2(output, 1), ::dup2(output, 2);
            std::vector<char*> arguments;
            for (std::string& word : words) arguments.push_back(word.data());
            arguments.push_back(nullptr);
            ::execv(arguments[0], arguments.data());
            ::_exit(127);
        }
        ::setpgid(pid, pid);
    }
    ~Process() {
        if (pid <= 0) return;
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    // -1 while it runs.
    int exit_code() {
        if (code >= 0) return code;
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) != pid) return -1;
        pid = 0;
        return code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
    }
    pid_t pid;
    int code = -1;
};

void write_file(const std::filesystem::path& path, std::string_view text, mode_t mode = 0600) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
}

// What an sshd needs, and a key that it takes.
struct Sshd {
    Sshd() : host_key(PrivateKey::generate().value()), user_key(PrivateKey::generate().value()) {
        if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
        (void)save_key(host_key, folder.path / "host").value();
        (void)save_key(user_key, folder.path / "id").value();
        write_file(folder.path / "authorized_keys", user_key.public_key().text() + "\n");
        write_file(folder.path / "config", "HostKey " + (folder.path / "host").string() + "\nAuthorizedKeysFile " +
                                               (folder.path / "authorized_keys").string() +
                                               "\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nBanner none\nAcceptEnv *\n"
                                               "LogLevel QUIET\nPrintLastLog no\n");
    }
    // One connection is served, as by inetd.
    std::unique_ptr<Process> serve(const Descriptor& connection) const {
        const int flags = ::fcntl(connection.get(), F_GETFL);
        ::fcntl(connection.get(), F_SETFL, flags & ~O_NONBLOCK);
        return std::make_unique<Process>(std::vector<std::string>{kSshd, "-i", "-f", folder.path / "config"}, connection.get());
    }
    Folder folder;
    PrivateKey host_key;
    PrivateKey user_key;
};

struct SshToSshd : testing::Test {
    void SetUp() override {
        start_library_once();
        if (::access(kSshd, X_OK) != 0) GTEST_SKIP() << "no sshd here";
        SocketPair pair = connected_pair();
        process = sshd.serve(pair.server);
        ClientSettings settings;
        settings.user = user_name();
        client.log_in = [&] { client.connection->log_in_with_key(sshd.user_key); };
        client.connection = ClientConnection::make(loop, std::move(pair.client), settings, client).value();
    }
    bool until(const std::function<bool()>& condition) { return turn_until(loop, condition); }
    bool log_in() {
        return until([&] { return client.authenticated || client.closed; }) && !client.closed;
    }
    Loop loop;
    Sshd sshd;
    std::unique_ptr<Process> process;
    TestClient client;
};

TEST_F(SshToSshd, LogsInAndRunsACommand) {
    ASSERT_TRUE(log_in());
    EXPECT_EQ(client.host_key, sshd.host_key.public_key());
    EXPECT_EQ(client.connection->cipher(), "aes128-gcm@openssh.com");
    TestChannel channel;
    std::optional<bool> accepted;
    channel.channel = client.connection->open_session(channel).value();
    channel.channel->request_env("FRUIT", "plum", {});
    channel.channel->request_exec("read line; echo $line $FRUIT; echo trouble >&2; exit 7", [&](bool yes) { accepted = yes; });
    channel.send("hello\n", true);
    ASSERT_TRUE(until([&] { return channel.closed.has_value(); }));
    EXPECT_EQ(accepted, true);
    EXPECT_EQ(channel.got, "hello plum\n");
    EXPECT_EQ(channel.got_error, "trouble\n");
    ASSERT_TRUE(channel.exit);
    EXPECT_EQ(channel.exit->code, 7U);
    EXPECT_TRUE(channel.eof);
}

TEST_F(SshToSshd, GetsATerminalAndItsSize) {
    ASSERT_TRUE(log_in());
    TestChannel channel;
    channel.channel = client.connection->open_session(channel).value();
    channel.channel->request_pty("xterm", {.columns = 91, .rows = 23}, {});
    channel.channel->request_exec("stty size; echo $TERM; read x; stty size", {});
    ASSERT_TRUE(until([&] { return channel.got.find("xterm") != std::string::npos; }));
    EXPECT_NE(channel.got.find("23 91"), std::string::npos) << channel.got;
    channel.channel->send_window_change({.columns = 80, .rows = 40});
    channel.send("\n");
    ASSERT_TRUE(until([&] { return channel.closed.has_value(); }));
    EXPECT_NE(channel.got.find("40 80"), std::string::npos) << channel.got;
}

TEST_F(SshToSshd, CarriesAMegabyteThroughAForwardAndADirectChannel) {
    ASSERT_TRUE(log_in());
    std::optional<std::uint16_t> port;
    client.connection->request_forward("127.0.0.1", 0, [&](Result<std::uint16_t> answer) { port = answer.value_or(0); });
    ASSERT_TRUE(until([&] { return port.has_value(); }));
    ASSERT_NE(*port, 0);
    // sshd listens there, and we reach it by itself.
    TestChannel direct;
    direct.channel = client.connection->open_direct(direct, "127.0.0.1", *port, "127.0.0.1", 1).value();
    ASSERT_TRUE(until([&] { return direct.opened && client.channels.size() == 1; }));
    EXPECT_EQ(client.asked[0].port, *port);
    TestChannel& forwarded = *client.channels[0];
    const std::string text(1'000'003, 'x');
    direct.send(text, true);
    ASSERT_TRUE(until([&] { return forwarded.eof; }));
    EXPECT_EQ(forwarded.got == text, true);
    forwarded.send(text + "y", true);
    ASSERT_TRUE(until([&] { return direct.eof; }));
    EXPECT_EQ(direct.got == text + "y", true);
    // Both directions are over: sshd closes, and so do we.
    ASSERT_TRUE(until([&] { return direct.closed && forwarded.closed; }));
    EXPECT_EQ(direct.closed->code, Errc::end_of_stream);
    ASSERT_TRUE(until([&] { return client.connection->open_channels() == 0; }));
    // Bound and not listening: nobody is there.
    const Descriptor bound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress nobody = *SocketAddress::parse("127.0.0.1", 0);
    ASSERT_EQ(::bind(bound.get(), nobody.data(), nobody.size()), 0);
    TestChannel refused;
    refused.channel =
        client.connection->open_direct(refused, "127.0.0.1", SocketAddress::local_of(bound.get()).port(), "127.0.0.1", 1).value();
    ASSERT_TRUE(until([&] { return refused.refused.has_value(); }));
    EXPECT_EQ(refused.refused->code, Errc::unreachable);
    EXPECT_NE(refused.refused->detail.find("onnect"), std::string::npos) << refused.refused->detail;
}

TEST_F(SshToSshd, AWrongKeyIsRefusedAndTheRightOneStillWorks) {
    const PrivateKey wrong = PrivateKey::generate().value();
    client.log_in = [&] { client.connection->log_in_with_key(wrong); };
    ASSERT_TRUE(until([&] { return !client.refusals.empty(); }));
    EXPECT_TRUE(client.refusals[0].public_key);
    client.connection->log_in_with_key(sshd.user_key);
    ASSERT_TRUE(log_in());
}

// Both a plain agent's socket, and one that a client of ours forwards.
struct SshAgent {
    explicit SshAgent(const Sshd& sshd) : socket(sshd.folder.path / "agent"), process({"/usr/bin/ssh-agent", "-D", "-a", socket}, -1, null.get()) {
        while (::access(socket.c_str(), F_OK) != 0) ::usleep(10'000);
        ::setenv("SSH_AUTH_SOCK", socket.c_str(), 1);
        Process add({"/usr/bin/ssh-add", "-q", sshd.folder.path / "id"});
        ::waitpid(add.pid, nullptr, 0);
        add.pid = 0;
    }
    Descriptor connect() const {
        Descriptor connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket.copy(address.sun_path, sizeof address.sun_path - 1);
        if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) connection.reset();
        return connection;
    }
    Descriptor null{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    std::string socket;
    Process process;
};

TEST_F(SshToSshd, LogsInWithAnAgent) {
    const SshAgent agent(sshd);
    client.log_in = [&] { client.connection->log_in_with_agent(agent.connect()); };
    ASSERT_TRUE(log_in());
    TestChannel channel;
    channel.channel = client.connection->open_session(channel).value();
    channel.channel->request_exec("echo yes", {});
    ASSERT_TRUE(until([&] { return channel.closed.has_value(); }));
    EXPECT_EQ(channel.got, "yes\n");
}

TEST_F(SshToSshd, AnAgentThatNeverAnswersEndsWithTheConnection) {
    std::array<int, 2> pair{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
    const Descriptor silent(pair[0]);
    client.log_in = [&] { client.connection->log_in_with_agent(Descriptor(pair[1])); };
    std::array<char, 1> octet;
    ASSERT_TRUE(until([&] { return ::recv(silent.get(), octet.data(), 1, MSG_DONTWAIT) == 1; }));
    client.connection->close({Errc::internal, "over"});
    ASSERT_TRUE(until([&] { return client.closed.has_value(); }));
    EXPECT_EQ(client.closed->code, Errc::internal);
}

// OpenSSH's client at a server of ours.
struct SshToUs : testing::Test {
    void SetUp() override {
        start_library_once();
        if (::access(kSsh, X_OK) != 0 || ::access(kSshd, X_OK) != 0) GTEST_SKIP() << "no OpenSSH here";
        ServerSettings settings;
        settings.agent_forwarding = true;
        host = std::make_unique<ServerHost>(ServerHost::make(sshd.host_key, settings).value());
        listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0)).value();
        port = SocketAddress::local_of(listener.get()).port();
    }
    void run(std::vector<std::string> options) {
        std::vector<std::string> words{kSsh, "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
                                       "IdentitiesOnly=yes", "-i", sshd.folder.path / "id", "-p", std::to_string(port)};
        words.insert(words.end(), options.begin(), options.end());
        output = Descriptor(::open((sshd.folder.path / "output").c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        ssh = std::make_unique<Process>(words, null.get(), output.get());
        ASSERT_TRUE(until([&] {
            Descriptor accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!accepted) return false;
            server.connection = ServerConnection::make(loop, *host, std::move(accepted), server).value();
            return true;
        }));
    }
    std::string printed() const {
        std::string text(65536, '\0');
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(output.get(), text.data(), text.size(), 0))));
        return text;
    }
    bool until(const std::function<bool()>& condition) { return turn_until(loop, condition); }
    Loop loop;
    Sshd sshd;
    std::unique_ptr<ServerHost> host;
    Descriptor listener;
    std::uint16_t port = 0;
    Descriptor output;
    std::unique_ptr<Process> ssh;
    TestServer server;
};

TEST_F(SshToUs, ForwardsToUsAndIsToldWhyItMustGo) {
    server.on_forward = [&](const ForwardRequest&) { server.connection->accept_forward(7070); };
    server.on_login = [&](const LoginRequest& request) {
        if (request.method == LoginRequest::Method::public_key) return server.connection->accept_login();
        server.connection->reject_login({});
    };
    run({"-N", "-R", "home.example:80:127.0.0.1:" + std::to_string(port), "-R", "0:127.0.0.1:1", "home@127.0.0.1"});
    ASSERT_TRUE(until([&] { return server.forwards.size() == 2; }));
    EXPECT_EQ(server.forwards[0].address, "home.example");
    EXPECT_EQ(server.forwards[0].port, 80);
    EXPECT_EQ(server.forwards[1].port, 0);
    EXPECT_TRUE(server.logins.back().proven);
    EXPECT_EQ(server.logins.back().key, sshd.user_key.public_key());
    ASSERT_TRUE(until([&] { return printed().find("Allocated port 7070") != std::string::npos; }));
    TestChannel channel;
    channel.channel = server.connection->open_forwarded(channel, {"localhost", 7070}, "192.0.2.1", 1).value();
    ASSERT_TRUE(until([&] { return channel.refused || channel.opened; }));
    ASSERT_TRUE(channel.refused);
    EXPECT_EQ(channel.refused->code, Errc::unreachable) << channel.refused->detail;
    // What comes to the first forward comes back to our own listener.
    TestChannel through;
    through.channel = server.connection->open_forwarded(through, server.forwards[0], "192.0.2.1", 1).value();
    ASSERT_TRUE(until([&] { return through.opened; }));
    Descriptor accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    ASSERT_TRUE(accepted);
    through.send("over and back", true);
    std::array<char, 64> buffer;
    ssize_t got = 0;
    ASSERT_TRUE(until([&] { return (got = ::recv(accepted.get(), buffer.data(), buffer.size(), 0)) > 0; }));
    EXPECT_EQ(std::string_view(buffer.data(), static_cast<std::size_t>(got)), "over and back");
    // A reset is all that can be told, and it reads as an end: the same as from sshd.
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(accepted.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    accepted.reset();
    ASSERT_TRUE(until([&] { return through.closed.has_value(); }));
    server.connection->close({Errc::refused, "test"}, "home: no such route; choose one of a.example, b.example");
    ASSERT_TRUE(until([&] { return server.closed && ssh->exit_code() >= 0; }));
    EXPECT_NE(printed().find("no such route; choose one of a.example, b.example"), std::string::npos) << printed();
}

TEST_F(SshToUs, RefusedForwardsAndForeignChannelsAreSeen) {
    server.on_forward = [&](const ForwardRequest&) { server.connection->refuse_forward(); };
    run({"-N", "-o", "ExitOnForwardFailure=yes", "-R", "8123:127.0.0.1:1", "home@127.0.0.1"});
    ASSERT_TRUE(until([&] { return ssh->exit_code() >= 0; }));
    EXPECT_NE(printed().find("remote port forwarding failed for listen port 8123"), std::string::npos) << printed();
    ASSERT_TRUE(until([&] { return server.closed.has_value(); }));
    EXPECT_EQ(server.closed->code, Errc::end_of_stream);
}

TEST_F(SshToUs, RefusesToConnectElsewhere) {
    server.on_channel = [](std::unique_ptr<IncomingChannel> channel) { channel->refuse(); };
    run({"-W", "127.0.0.1:22", "home@127.0.0.1"});
    ASSERT_TRUE(until([&] { return ssh->exit_code() >= 0; }));
    EXPECT_NE(printed().find("administratively prohibited"), std::string::npos) << printed();
    ASSERT_EQ(server.asked.size(), 1U);
    EXPECT_EQ(server.asked[0].kind, ChannelOpen::Kind::direct_tcpip);
}

TEST_F(SshToUs, ShowsABannerAndACommandsOutputAndCode) {
    server.on_login = [&](const LoginRequest& request) {
        if (request.method == LoginRequest::Method::none) {
            server.connection->send_banner("welcome, stranger\n");
            return server.connection->reject_login({});
        }
        server.connection->accept_login();
    };
    run({"home@127.0.0.1", "status"});
    ASSERT_TRUE(until([&] { return !server.channels.empty() && !server.channels[0]->requests.empty() &&
                                   server.channels[0]->requests.back().kind == ChannelRequest::Kind::exec; }));
    TestChannel& channel = *server.channels[0];
    EXPECT_EQ(channel.requests.back().text, "status");
    channel.error_to_send = "said aside\n";
    channel.send("two forwards\n", true);
    ASSERT_TRUE(until([&] { return channel.sent == channel.to_send.size(); }));
    channel.channel->send_exit({.code = 5});
    channel.channel->close();
    ASSERT_TRUE(until([&] { return ssh->exit_code() >= 0; }));
    EXPECT_EQ(ssh->exit_code(), 5);
    EXPECT_NE(printed().find("welcome, stranger"), std::string::npos) << printed();
    EXPECT_NE(printed().find("two forwards"), std::string::npos) << printed();
    EXPECT_NE(printed().find("said aside"), std::string::npos) << printed();
}

TEST_F(SshToUs, AKeyThatLibsshDoesNotKnowIsRefusedAndTheNextOneTried) {
    const std::string path = sshd.folder.path / "dsa";
    Process keygen({"/usr/bin/ssh-keygen", "-q", "-t", "dsa", "-N", "", "-f", path});
    int status = 0;
    ::waitpid(keygen.pid, &status, 0);
    keygen.pid = 0;
    if (status != 0) GTEST_SKIP() << "this ssh-keygen makes no DSA keys";
    server.on_login = [&](const LoginRequest& request) {
        if (request.method == LoginRequest::Method::public_key) return server.connection->accept_login();
        server.connection->reject_login({});
    };
    // Keys are tried in the order of -i, and the good one is behind.
    std::filesystem::copy_file(sshd.folder.path / "id", sshd.folder.path / "id2");
    std::filesystem::copy_file(path, sshd.folder.path / "id", std::filesystem::copy_options::overwrite_existing);
    run({"-N", "-o", "PubkeyAcceptedAlgorithms=+ssh-dss", "-i", sshd.folder.path / "id2", "home@127.0.0.1"});
    ASSERT_TRUE(until([&] { return server.authenticated; }));
    EXPECT_EQ(server.logins.back().key, sshd.user_key.public_key());
}

// The gateway's way in: the user's own agent logs in to the remote.
TEST_F(SshToUs, ItsAgentLogsInElsewhere) {
    const SshAgent agent(sshd);
    run({"-A", "home@127.0.0.1", "hold"});
    ASSERT_TRUE(until([&] { return !server.channels.empty() && server.channels[0]->requests.size() >= 2; }));
    EXPECT_EQ(server.channels[0]->requests[0].kind, ChannelRequest::Kind::agent);
    Result<std::unique_ptr<AgentSocket>> socket =
        AgentSocket::make(loop, [&](Channel::Owner& owner) { return server.connection->open_agent(owner); });
    ASSERT_TRUE(socket);
    SocketPair pair = connected_pair();
    const std::unique_ptr<Process> remote = sshd.serve(pair.server);
    pair.server.reset();
    TestClient client;
    ClientSettings settings;
    settings.user = user_name();
    client.log_in = [&] { client.connection->log_in_with_agent((*socket)->take_end()); };
    client.connection = ClientConnection::make(loop, std::move(pair.client), settings, client).value();
    ASSERT_TRUE(until([&] { return client.authenticated || client.closed || !client.refusals.empty(); }));
    EXPECT_TRUE(client.authenticated);
}

}  // namespace
}  // namespace sallyport::ssh
