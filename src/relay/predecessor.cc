#include "relay/predecessor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/version.h"
#include "net/socket_address.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

TimePoint soon() { return Clock::now() + 60s; }

bool is_message_socket(int descriptor) {
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

Result<std::unique_ptr<Predecessor>> Predecessor::meet(int channel) {
    if (channel <= STDERR_FILENO || !is_message_socket(channel))
        return fail(Errc::invalid_argument, "only a running relay may start a process with this flag: use sallyport admin upgrade");
    ::fcntl(channel, F_SETFD, FD_CLOEXEC);
    std::unique_ptr<Predecessor> predecessor(new Predecessor(MessageChannel(Descriptor(channel))));
    auto sent = send_upgrade_message(predecessor->channel_, soon(), "hello", {{"pid", ::getpid()}, {"version", kVersion}});
    if (!sent) return std::unexpected(sent.error());
    return predecessor;
}

Result<> Predecessor::take_listeners() {
    for (;;) {
        auto message = receive_upgrade_message(channel_, soon());
        if (!message) return std::unexpected(message.error());
        if (message->kind == "listeners_end") return {};
        if (message->kind == "listener" && message->descriptor)
            listeners_.push_back({message->text("name"), message->text("configured"), std::move(message->descriptor)});
    }
}

std::vector<Descriptor> Predecessor::take(std::string_view name, std::string_view configured) {
    std::vector<Descriptor> taken;
    for (OpenListener& listener : listeners_)
        if (listener.name == name && listener.configured == configured) taken.push_back(std::move(listener.descriptor));
    std::erase_if(listeners_, [](const OpenListener& listener) { return !listener.descriptor; });
    return taken;
}

std::vector<OpenListener> Predecessor::take(std::string_view name) {
    std::vector<OpenListener> taken;
    for (OpenListener& listener : listeners_)
        if (listener.name == name) taken.push_back(std::move(listener));
    std::erase_if(listeners_, [](const OpenListener& listener) { return !listener.descriptor; });
    return taken;
}

bool Predecessor::has(std::string_view name, std::string_view configured) const {
    return std::ranges::any_of(listeners_, [&](const OpenListener& listener) { return listener.name == name && listener.configured == configured; });
}

bool Predecessor::listens_on(std::uint16_t port) const {
    return std::ranges::any_of(listeners_, [port](const OpenListener& listener) {
        return SocketAddress::local_of(listener.descriptor.get()).port() == port;
    });
}

Result<> Predecessor::ask_for_store() {
    listeners_.clear();  // what we don't listen on either is closed with the old process's own
    if (auto sent = send_upgrade_message(channel_, soon(), "prepared"); !sent) return sent;
    for (;;) {
        const auto message = receive_upgrade_message(channel_, soon());
        if (!message) return std::unexpected(message.error());
        if (message->kind == "store") return {};
    }
}

// Whatever happens to the old process from here on, this one is the relay.
void Predecessor::tell_accepting() {
    if (!send_upgrade_message(channel_, soon(), "accepting")) return;
    for (;;) {
        const auto message = receive_upgrade_message(channel_, soon());
        if (!message || message->kind == "farewell") return;
    }
}

bool Predecessor::drains() {
    for (;;) {
        const auto message = receive_upgrade_message(channel_, Clock::now());
        if (!message && message.error().code != Errc::protocol) return message.error().code == Errc::timeout;
    }
}

void Predecessor::tell_revoked(const Revoked& revoked) {
    // A message has a bound; ids are 13 characters.
    constexpr std::size_t kMostIds = 200;
    const auto tell = [this](std::string_view member, const std::vector<std::string>& ids) {
        for (std::size_t at = 0; at < ids.size(); at += kMostIds) {
            boost::json::array some;
            for (std::size_t i = at; i < std::min(ids.size(), at + kMostIds); ++i) some.emplace_back(ids[i]);
            (void)send_upgrade_message(channel_, Clock::now(), "revoked", {{member, std::move(some)}});
        }
    };
    tell("agents", revoked.agents);
    tell("credentials", revoked.credentials);
}

void Predecessor::tell_failed(std::string_view detail) {
    (void)send_upgrade_message(channel_, soon(), "failed", {{"detail", detail.substr(0, 4096)}});
}

}  // namespace sallyport::relay
