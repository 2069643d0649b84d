// Two things, by the first octet. Even: a stranger's octets at a server, from its first line on. Odd: a client of ours that is logged in
// and does what the octets say, while the server's owner answers as they say: now, later, never, or by destroying; whatever order
// that makes, both ends stay whole and come to an end.
#include <array>
#include <cstdlib>

#include "ssh/channel_stream.h"
#include "ssh/test_support.h"

namespace sallyport::ssh {
namespace {

constexpr int kMostTurns = 400;

const PrivateKey& host_key() {
    static const PrivateKey key = (start_library_once(), PrivateKey::generate().value());
    return key;
}

struct Script {
    const std::uint8_t* data;
    std::size_t size;
    std::uint8_t next() { return size == 0 ? 0 : (--size, *data++); }
    std::string text() {
        const std::size_t n = std::min<std::size_t>(next() % 64, size);
        std::string taken(reinterpret_cast<const char*>(data), n);
        data += n;
        size -= n;
        return taken;
    }
};

void stranger(Script script) {
    Loop loop;
    ServerSettings settings;
    settings.login_grace = std::chrono::milliseconds(20);
    const ServerHost host = ServerHost::make(host_key(), settings).value();
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0) std::abort();
    const Descriptor client(pair[0]);
    TestServer server;
    server.connection = ServerConnection::make(loop, host, Descriptor(pair[1]), server).value();
    constexpr std::string_view kVersion = "SSH-2.0-OpenSSH_9.2\r\n";
    if (script.next() % 4 != 0) (void)::send(client.get(), kVersion.data(), kVersion.size(), MSG_NOSIGNAL);
    while (script.size > 0 && !server.closed) {
        const std::size_t n = std::min<std::size_t>(script.size, 512);
        (void)::send(client.get(), script.data, n, MSG_NOSIGNAL);
        script.data += n;
        script.size -= n;
        loop.turn(std::chrono::milliseconds(0));
    }
    ::shutdown(client.get(), SHUT_WR);
    for (int i = 0; i < kMostTurns && !server.closed; ++i) loop.turn(std::chrono::milliseconds(5));
    if (!server.closed) std::abort();  // the grace time is over long ago
}

void guest(Script script) {
    ServerSettings settings;
    settings.most_channels = 6;
    settings.agent_forwarding = true;
    settings.rekey_octets = script.next() % 2 ? 64_KiB : 1_GiB;
    Loop loop;
    const ServerHost host = ServerHost::make(host_key(), settings).value();
    SocketPair pair = connected_pair();
    TestServer server;
    TestClient client;
    ClientSettings client_settings;
    client_settings.user = "home";
    server.connection = ServerConnection::make(loop, host, std::move(pair.server), server).value();
    client.connection = ClientConnection::make(loop, std::move(pair.client), client_settings, client).value();
    for (int i = 0; i < kMostTurns && !client.authenticated; ++i) loop.turn(std::chrono::milliseconds(20));
    if (!client.authenticated) return;  // a machine under load

    std::vector<std::unique_ptr<IncomingChannel>> later;
    std::uint8_t mood = 0;
    server.on_forward = [&](const ForwardRequest&) {
        if (mood % 3 == 0) server.connection->accept_forward(1000);
        if (mood % 3 == 1) server.connection->refuse_forward();
    };
    server.on_channel = [&](std::unique_ptr<IncomingChannel> channel) {
        if (mood % 4 == 3) return;
        if (mood % 4 == 2) return later.push_back(std::move(channel));
        server.channels.push_back(std::make_unique<TestChannel>());
        server.channels.back()->answer = static_cast<Channel::Answer>(mood % 3);
        if (Result<ChannelPtr> accepted = channel->accept(*server.channels.back())) server.channels.back()->channel = *std::move(accepted);
    };
    std::vector<std::unique_ptr<TestChannel>> ours;
    const auto pick = [&](std::vector<std::unique_ptr<TestChannel>>& from) -> TestChannel* {
        return from.empty() ? nullptr : from[script.next() % from.size()].get();
    };
    for (int step = 0; script.size > 0 && step < 200 && !client.closed && !server.closed; ++step) {
        TestChannel* const mine = pick(ours);
        TestChannel* const theirs = pick(server.channels);
        Channel* const channel = mine ? mine->channel.get() : nullptr;
        Channel* const other = theirs ? theirs->channel.get() : nullptr;
        const auto note = [](bool) {};
        switch (script.next() % 26) {
            case 0: mood = script.next(); break;
            case 1:
                ours.push_back(std::make_unique<TestChannel>());
                if (auto opened = client.connection->open_session(*ours.back())) ours.back()->channel = *std::move(opened);
                break;
            case 2: {
                ours.push_back(std::make_unique<TestChannel>());
                const std::string name = script.text();
                if (auto opened = client.connection->open_direct(*ours.back(), name, script.next(), name, 1)) ours.back()->channel = *std::move(opened);
                break;
            }
            case 3: client.connection->request_forward(script.text(), script.next(), [](Result<std::uint16_t>) {}); break;
            case 4: client.connection->cancel_forward(script.text(), script.next()); break;
            case 5: if (channel) channel->request_env(script.text(), script.text(), note); break;
            case 6: if (channel) channel->request_pty(script.text(), {.columns = script.next(), .rows = script.next()}, note); break;
            case 7: if (channel) channel->request_exec(script.text(), note); break;
            case 8: if (channel) channel->request_shell(note); break;
            case 9: if (channel) channel->request_subsystem(script.text(), note); break;
            case 10: if (channel) channel->request_agent(); break;
            case 11: if (channel) channel->send_signal(script.text()); break;
            case 12: if (channel) channel->send_window_change({.columns = script.next(), .rows = script.next()}); break;
            case 13: if (channel) mine->send(std::string(script.next() * 400U, 'm'), script.next() % 8 == 0); break;
            case 14: if (other) theirs->send(std::string(script.next() * 400U, 't'), script.next() % 8 == 0); break;
            case 15: if (other) theirs->error_to_send += "aside", other->wake(); break;
            case 16: if (mine) mine->channel.reset(); break;
            case 17: if (theirs) theirs->channel.reset(); break;
            case 18: if (mine) mine->consume = !mine->consume; break;
            case 19: if (channel && mine->held) channel->consumed(std::exchange(mine->held, 0)); break;
            case 20: if (other) other->answer(static_cast<Channel::Answer>(script.next() % 2)); break;
            case 21: if (other) other->send_exit({.code = script.next(), .signal = script.next() % 2 ? "TERM" : ""}); break;
            case 22: {
                server.channels.push_back(std::make_unique<TestChannel>());
                auto opened = script.next() % 2 ? server.connection->open_agent(*server.channels.back())
                                                : server.connection->open_forwarded(*server.channels.back(), {script.text(), 1}, "x", 2);
                if (opened) server.channels.back()->channel = *std::move(opened);
                break;
            }
            case 23: if (!later.empty()) later.pop_back(); break;
            case 24: server.connection->accept_forward(7); break;
            case 25: loop.turn(std::chrono::milliseconds(0)); break;
            default: break;
        }
        if (step % 3 == 0) loop.turn(std::chrono::milliseconds(0));
    }
    if (script.next() % 2) {
        client.connection->close({Errc::internal, "end"}, "good bye");
    } else {
        server.connection->close({Errc::internal, "end"});
    }
    for (int i = 0; i < kMostTurns && !(client.closed && server.closed); ++i) loop.turn(std::chrono::milliseconds(20));
    if (!client.closed || !server.closed) std::abort();
    const auto is_over = [](const std::unique_ptr<TestChannel>& channel) { return !channel->channel || !channel->channel->open(); };
    if (!std::all_of(ours.begin(), ours.end(), is_over) || !std::all_of(server.channels.begin(), server.channels.end(), is_over)) std::abort();
}

}  // namespace
}  // namespace sallyport::ssh

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport::ssh;
    if (size == 0 || size > 4096) return 0;
    (void)host_key();
    Script script{data, size};
    if (script.next() % 2)
        guest(script);
    else
        stranger(script);
    return 0;
}
