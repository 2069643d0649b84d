#include "net/socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <filesystem>
#include <cstring>

namespace sallyport {
namespace {

constexpr int kBacklog = 4096;         // the kernel caps it at net.core.somaxconn
// What is taken a turn, so that a storm doesn't starve what runs.
constexpr int kMostInBurst = 256;
constexpr std::chrono::milliseconds kLongestBurst{5};
constexpr auto kPauseWithoutDescriptors = std::chrono::seconds(1);

void set_option(int descriptor, int level, int option, int value) {
    ::setsockopt(descriptor, level, option, &value, sizeof value);
}

}  // namespace

Result<Descriptor> listen_tcp(const SocketAddress& address) {
    Descriptor listener(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) return fail_errno(errno, "socket for " + address.text());
    set_option(listener.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(listener.get(), SOL_SOCKET, SO_REUSEPORT, 1);
    if (address.family() == AF_INET6) set_option(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (::bind(listener.get(), address.data(), address.size()) != 0) return fail_errno(errno, "listen on " + address.text());
    if (::listen(listener.get(), kBacklog) != 0) return fail_errno(errno, "listen on " + address.text());
    return listener;
}

Result<Descriptor> listen_unix(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path.string();
    if (text.size() >= sizeof address.sun_path)
        return fail(Errc::invalid_argument, "listen on " + text + ": the path of a Unix socket has at most 107 octets");
    std::memcpy(address.sun_path, text.data(), text.size());
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);

    Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (probe && ::connect(probe.get(), generic, sizeof address) == 0)
        return fail(Errc::address_in_use, "listen on " + text + ": another process answers there");
    ::unlink(text.c_str());

    Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener) return fail_errno(errno, "socket for " + text);
    const mode_t before = ::umask(0177);
    const int bound = ::bind(listener.get(), generic, sizeof address);
    const int error = errno;
    ::umask(before);
    if (bound != 0) return fail_errno(error, "listen on " + text);
    if (::listen(listener.get(), kBacklog) != 0) return fail_errno(errno, "listen on " + text);
    return listener;
}

Result<Descriptor> start_connect(const SocketAddress& address) {
    Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail_errno(errno, "socket for " + address.text());
    tune_connection(socket.get());
    if (::connect(socket.get(), address.data(), address.size()) != 0 && errno != EINPROGRESS)
        return fail_errno(errno, "connect to " + address.text());
    return socket;
}

Result<> connect_result(int descriptor) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail_errno(error, "connect");
    return {};
}

void tune_connection(int descriptor) {
    set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
}

void probe_while_idle(int descriptor) {
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 60);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 15);
    set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

void limit_unsent(int descriptor, ByteCount octets) {
    set_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, static_cast<int>(octets));
}

bool has_peer(int descriptor) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    return ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

ByteCount unsent_octets(int descriptor) {
    int octets = 0;
    return ::ioctl(descriptor, SIOCOUTQNSD, &octets) == 0 ? static_cast<ByteCount>(octets) : 0;
}

ByteCount unacknowledged_octets(int descriptor) {
    int octets = 0;
    return ::ioctl(descriptor, SIOCOUTQ, &octets) == 0 ? static_cast<ByteCount>(octets) : 0;
}

Acceptor::Acceptor(Loop& loop, Descriptor listener, OnConnection on_connection, OnTrouble on_trouble, Spare spare)
    : loop_(loop),
      listener_(std::move(listener)),
      on_connection_(std::move(on_connection)),
      on_trouble_(std::move(on_trouble)),
      keeps_spare_(spare),
      watch_(loop, listener_.get(), *this),
      resume_(loop, [this] { resume(); }),
      soon_(loop, [this] { resume(); }) {
    resume();
}

void Acceptor::resume() {
    troubled_ = false;
    resume_.cancel();
    if (keeps_spare_ == Spare::one && !spare_) {
        spare_ = Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        troubled_ = !spare_;
    }
    if (troubled_) resume_.start(kPauseWithoutDescriptors);
    watch_.want_read(true);
}

bool Acceptor::give_up_spare() {
    if (!spare_) return false;
    spare_.reset();
    troubled_ = true;
    resume_.start(kPauseWithoutDescriptors);
    return true;
}

void Acceptor::on_readable() {
    const TimePoint until = loop_.exact_now() + kLongestBurst;
    for (int i = 0; i < kMostInBurst && accept_one(); ++i)
        if (loop_.exact_now() >= until) return;
}

bool Acceptor::accept_one() {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    Descriptor connection(
        ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) {
        tune_connection(connection.get());
        on_connection_(std::move(connection), SocketAddress::from(reinterpret_cast<sockaddr*>(&peer), size));
        return true;
    }
    if (errno == EAGAIN || errno == EINTR) return false;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        const Error error = system_error(errno, "accept");
        if (give_up_spare()) return true;
        on_trouble_(error);
        troubled_ = true;
        watch_.want_read(false);
        resume_.start(kPauseWithoutDescriptors);
        return false;
    }
    return true;  // anything else belongs to the one connection that failed before it was taken (accept(2))
}

std::size_t open_descriptors() {
    std::error_code error;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end; !error && entry != end; entry.increment(error)) ++count;
    return count > 0 ? count - 1 : 0;  // without the one that reads them
}

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    return limit.rlim_cur;
}

}  // namespace sallyport
