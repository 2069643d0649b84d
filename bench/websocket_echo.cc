// websocket_echo: the backend of the WebSocket rows: plain HTTP/1.1 on a port the kernel chooses, every request an opening handshake
// (RFC 6455 4.2), every data frame sent back as it came. One thread, epoll; as little work as an echo can be, so that
// the rows show the way and not the end of it. Prints "listening PORT" and runs until it is killed.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/encoding.h"
#include "base/octets.h"
#include "base/result.h"

namespace {

using namespace sallyport;

constexpr std::size_t kMaxHeaderSection = 16_KiB;
constexpr std::size_t kMaxPayload = 64_KiB;
constexpr std::uint8_t kOpcodeClose = 8;
constexpr std::uint8_t kOpcodePing = 9;
constexpr std::uint8_t kOpcodePong = 10;

// The value of field `name` (given in lower case) in an HTTP/1.1 header section, or "".
std::string field_value(std::string_view section, std::string_view name) {
    for (std::size_t at = section.find("\r\n"); at != std::string_view::npos; at = section.find("\r\n", at)) {
        at += 2;
        const auto line = section.substr(at, section.find("\r\n", at) - at);
        const auto equal = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
        if (line.size() <= name.size() || line[name.size()] != ':') continue;
        if (!std::ranges::equal(line.substr(0, name.size()), name, equal)) continue;
        const std::size_t begin = line.find_first_not_of(' ', name.size() + 1);
        return begin == std::string_view::npos ? "" : std::string(line.substr(begin));
    }
    return {};
}

std::string accept_for(const std::string& key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return to_base64(as_octets(digest.data(), digest.size()));
}

// One visitor. Reading pauses while an echo waits for room in the socket, so `out_` is bounded by what one read brings.
class Connection {
public:
    explicit Connection(int socket) : socket_(socket) {}
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { ::close(socket_); }

    // False when the connection is over.
    bool on_ready() {
        if (!flush()) return false;
        if (!out_.empty()) return true;
        std::array<char, 16_KiB> chunk;
        const ssize_t count = ::recv(socket_, chunk.data(), chunk.size(), MSG_DONTWAIT);
        if (count == 0) return false;
        if (count < 0) return errno == EAGAIN || errno == EINTR;
        in_.append(chunk.data(), static_cast<std::size_t>(count));
        return (open_ || accept_opening()) && echo_frames() && flush();
    }
    [[nodiscard]] bool wants_to_send() const { return !out_.empty(); }

private:
    bool flush() {
        while (!out_.empty()) {
            const ssize_t count = ::send(socket_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (count < 0) return errno == EAGAIN || errno == EINTR;
            out_.erase(0, static_cast<std::size_t>(count));
        }
        return !closing_;
    }

    bool accept_opening() {
        const std::size_t end = in_.find("\r\n\r\n");
        if (end == std::string::npos) return in_.size() < kMaxHeaderSection;
        const std::string key = field_value(std::string_view(in_).substr(0, end + 2), "sec-websocket-key");
        in_.erase(0, end + 4);
        if (key.empty()) {
            out_ += "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            closing_ = true;
            return true;
        }
        out_ += fmt::format(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: {}\r\n\r\n", accept_for(key));
        open_ = true;
        return true;
    }

    // Frames as in RFC 6455 5.2; 64-bit lengths are above kMaxPayload and end the connection.
    bool echo_frames() {
        std::size_t at = 0;
        while (open_ && !closing_ && in_.size() - at >= 2) {
            const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(in_[at + i]); };
            const std::uint8_t length7 = octet(1) & 0x7f;
            const bool masked = (octet(1) & 0x80) != 0;
            if (!masked || length7 == 127) return false;
            const std::size_t header = length7 == 126 ? 8 : 6;
            if (in_.size() - at < header) break;
            const std::size_t payload = length7 == 126 ? static_cast<std::size_t>(octet(2) << 8 | octet(3)) : length7;
            if (in_.size() - at < header + payload) break;
            echo_one(octet(0), std::string_view(in_).substr(at + header - 4, 4),
                     std::string_view(in_).substr(at + header, payload));
            at += header + payload;
        }
        in_.erase(0, at);
        return in_.size() <= kMaxPayload + 8;
    }

    void echo_one(std::uint8_t first, std::string_view mask, std::string_view payload) {
        const std::uint8_t opcode = first & 0x0f;
        if (opcode == kOpcodePong) return;
        if (opcode == kOpcodeClose) closing_ = true;
        out_ += static_cast<char>(opcode == kOpcodePing ? (first & 0xf0) | kOpcodePong : first);
        if (payload.size() < 126) {
            out_ += static_cast<char>(payload.size());
        } else {
            out_ += {126, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size() & 0xff)};
        }
        for (std::size_t i = 0; i < payload.size(); ++i) out_ += static_cast<char>(payload[i] ^ mask[i % 4]);
    }

    int socket_;
    bool open_ = false;     // the opening handshake is done
    bool closing_ = false;  // nothing more is read; over once out_ has left
    std::string in_;
    std::string out_;
};

Result<int> listen_on_loopback() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (socket < 0 || ::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(socket, 1024) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return fail_errno(errno, "listen");
    }
    fmt::print("listening {}\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return socket;
}

class Server {
public:
    Server(int listener, int epoll) : listener_(listener), epoll_(epoll) { watch(EPOLL_CTL_ADD, listener_, EPOLLIN); }

    Result<> run() {
        std::array<epoll_event, 256> events;
        while (true) {
            const int ready = epoll_wait(epoll_, events.data(), events.size(), -1);
            if (ready < 0 && errno != EINTR) return fail_errno(errno, "epoll_wait");
            for (int i = 0; i < ready; ++i) on_event(events[static_cast<std::size_t>(i)].data.fd);
        }
    }

private:
    void watch(int operation, int descriptor, std::uint32_t events) {
        epoll_event event{.events = events, .data = {.fd = descriptor}};
        epoll_ctl(epoll_, operation, descriptor, &event);
    }

    void on_event(int descriptor) {
        if (descriptor == listener_) return accept_one();
        Connection& connection = *connections_.at(descriptor);
        const bool waited = connection.wants_to_send();
        if (!connection.on_ready()) {
            connections_.erase(descriptor);  // closing takes it out of the epoll set
        } else if (connection.wants_to_send() != waited) {
            watch(EPOLL_CTL_MOD, descriptor, connection.wants_to_send() ? EPOLLOUT : EPOLLIN);
        }
    }

    void accept_one() {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) return;
        const int on = 1;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections_.insert_or_assign(socket, std::make_unique<Connection>(socket));
        watch(EPOLL_CTL_ADD, socket, EPOLLIN);
    }

    int listener_;
    int epoll_;
    std::unordered_map<int, std::unique_ptr<Connection>> connections_;
};

}  // namespace

int main() {
    std::signal(SIGPIPE, SIG_IGN);
    Result<int> listener = listen_on_loopback();
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!listener || epoll < 0) return fmt::print(stderr, "websocket_echo: can't listen\n"), 1;
    Result<> ran = Server{*listener, epoll}.run();
    fmt::print(stderr, "websocket_echo: {}\n", ran.error().detail);
    return 1;
}
