// test_support.h: both ends of an SSH connection on one loop, over loopback, for the tests of this folder.
#pragma once
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"
#include "ssh/client_connection.h"
#include "ssh/server_connection.h"

namespace sallyport::ssh {

inline void start_library_once() {
    static const bool started = (start_library(), true);
    (void)started;
}

// Turns the loop until it is so; 60 s are an end, not a measure.
inline bool turn_until(Loop& loop, const std::function<bool()>& condition) {
    const TimePoint end = Clock::now() + std::chrono::seconds(60);
    while (!condition()) {
        if (Clock::now() > end) return false;
        loop.turn(std::chrono::milliseconds(100));
    }
    return true;
}

struct SocketPair {
    Descriptor server;
    Descriptor client;
};

inline SocketPair connected_pair() {
    Result<Descriptor> listener = listen_tcp(*SocketAddress::parse("127.0.0.1", 0));
    Result<Descriptor> client = start_connect(SocketAddress::local_of(listener->get()));
    Descriptor server(::accept4(listener->get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return {std::move(server), *std::move(client)};
}

// Keeps what comes, sends what it is given.
class TestChannel : public Channel::Owner {
public:
    virtual ~TestChannel() = default;
    void on_channel_open() override { opened = true; }
    void on_channel_refused(const Error& error) override { refused = error; }
    void on_channel_octets(Octets octets) override {
        got_octets += octets.size();
        if (keep) got += as_text(octets);
        if (consume && channel) channel->consumed(octets.size());
        else held += octets.size();
    }
    void on_channel_error_octets(Octets octets) override {
        got_error += as_text(octets);
        if (channel) channel->consumed(octets.size());
    }
    void on_channel_eof() override { eof = true; }
    void on_channel_closed(const Error& reason) override { closed = reason; }
    Channel::Pulled on_channel_pull(MutableOctets room) override {
        const std::size_t n = std::min(room.size(), to_send.size() - sent);
        std::copy_n(as_octets(to_send).begin() + static_cast<std::ptrdiff_t>(sent), n, room.begin());
        sent += n;
        return {.octets = n, .end = end && sent == to_send.size()};
    }
    Channel::Pulled on_channel_pull_error(MutableOctets room) override {
        const std::size_t n = std::min(room.size(), error_to_send.size());
        std::copy_n(as_octets(error_to_send).begin(), n, room.begin());
        error_to_send.erase(0, n);
        return {.octets = n};
    }
    Channel::Answer on_channel_request(const ChannelRequest& request) override {
        requests.push_back(request);
        return answer;
    }
    void on_channel_exit(const ExitStatus& status) override { exit = status; }

    void send(std::string_view text, bool last = false) {
        to_send += text;
        end = last;
        channel->wake();
    }

    ChannelPtr channel;
    bool opened = false;
    bool eof = false;
    bool keep = true;
    bool consume = true;
    bool end = false;
    std::size_t sent = 0;
    std::size_t got_octets = 0;
    std::size_t held = 0;
    std::string got;
    std::string got_error;
    std::string to_send;
    std::string error_to_send;
    std::optional<Error> refused;
    std::optional<Error> closed;
    std::optional<ExitStatus> exit;
    std::vector<ChannelRequest> requests;
    Channel::Answer answer = Channel::Answer::accept;
};

struct TestServer : ServerConnection::Owner {
    void on_login_request(const LoginRequest& request) override {
        logins.push_back(request);
        if (on_login) return on_login(request);
        connection->accept_login();
    }
    void on_authenticated() override {
        authenticated = true;
        if (when_authenticated) when_authenticated();
    }
    void on_forward_request(const ForwardRequest& request) override {
        forwards.push_back(request);
        if (on_forward) return on_forward(request);
        connection->accept_forward(request.port ? request.port : 4321);
    }
    void on_forward_cancelled(const ForwardRequest& request) override { cancelled.push_back(request); }
    void on_channel_requested(std::unique_ptr<IncomingChannel> channel) override {
        asked.push_back(channel->asked());
        if (on_channel) return on_channel(std::move(channel));
        channels.push_back(std::make_unique<TestChannel>());
        channels.back()->channel = channel->accept(*channels.back()).value();
    }
    void on_connection_closed(const Error& reason) override { closed = reason; }

    std::unique_ptr<ServerConnection> connection;
    std::vector<LoginRequest> logins;
    std::vector<ForwardRequest> forwards;
    std::vector<ForwardRequest> cancelled;
    std::vector<ChannelOpen> asked;
    std::vector<std::unique_ptr<TestChannel>> channels;
    std::function<void(const LoginRequest&)> on_login;
    std::function<void(const ForwardRequest&)> on_forward;
    std::function<void(std::unique_ptr<IncomingChannel>)> on_channel;
    std::function<void()> when_authenticated;
    bool authenticated = false;
    std::optional<Error> closed;
};

struct TestClient : ClientConnection::Owner {
    void on_host_key(const SshPublicKey& key) override {
        host_key = key;
        if (!trust) return;
        connection->trust_host();
        log_in();
    }
    void on_login_refused(const LoginRefusal& why) override {
        refusals.push_back(why);
        if (on_refused) on_refused();
    }
    void on_authenticated() override { authenticated = true; }
    void on_channel_requested(std::unique_ptr<IncomingChannel> channel) override {
        asked.push_back(channel->asked());
        if (on_channel) return on_channel(std::move(channel));
        channels.push_back(std::make_unique<TestChannel>());
        channels.back()->channel = channel->accept(*channels.back()).value();
    }
    void on_connection_closed(const Error& reason) override { closed = reason; }

    std::unique_ptr<ClientConnection> connection;
    bool trust = true;
    std::function<void()> log_in = [this] { connection->log_in_with_none(); };
    std::function<void()> on_refused;
    std::function<void(std::unique_ptr<IncomingChannel>)> on_channel;
    SshPublicKey host_key;
    std::vector<LoginRefusal> refusals;
    std::vector<ChannelOpen> asked;
    std::vector<std::unique_ptr<TestChannel>> channels;
    bool authenticated = false;
    std::optional<Error> closed;
};

// A client of ours at a server of ours.
struct TwoEnds {
    explicit TwoEnds(ServerSettings server_settings = {}, ClientSettings client_settings = {}) {
        start_library_once();
        host_key = std::make_unique<PrivateKey>(PrivateKey::generate().value());
        host = std::make_unique<ServerHost>(ServerHost::make(*host_key, server_settings).value());
        client_settings.user = "home";
        SocketPair pair = connected_pair();
        server.connection = ServerConnection::make(loop, *host, std::move(pair.server), server).value();
        client.connection = ClientConnection::make(loop, std::move(pair.client), client_settings, client).value();
    }
    bool until(const std::function<bool()>& condition) { return turn_until(loop, condition); }
    bool log_in() {
        return until([&] { return server.authenticated && client.authenticated; });
    }

    Loop loop;
    std::unique_ptr<PrivateKey> host_key;
    std::unique_ptr<ServerHost> host;
    TestServer server;
    TestClient client;
};

}  // namespace sallyport::ssh
