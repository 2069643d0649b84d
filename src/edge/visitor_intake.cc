#include "edge/visitor_intake.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace sallyport {
namespace {

constexpr std::string_view kUseHttps =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 53\r\nConnection: close\r\n\r\n"
    "This port speaks https. Put https:// in the address.\n";

// Says it and leaves, without a reset that would overtake the text: for that nothing may lie unread.
void tell_to_use_https(int descriptor, LoopBuffers& buffers) {
    ::send(descriptor, kUseHttps.data(), kUseHttps.size(), MSG_NOSIGNAL);
    ::shutdown(descriptor, SHUT_WR);
    ::recv(descriptor, buffers.received.data(), buffers.received.size(), 0);
}

// In a storm, as when a relay comes back to thousands of agents, a queue that is served in order is served to those who are
// about to give up, and nobody gets through. So whoever has left already is not shaken hands with, nor who has waited too
// long: closed at once, he comes again, and those behind him are served in time.
bool has_left(int descriptor) {
    char octet = 0;
    return ::recv(descriptor, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

bool has_waited(int descriptor, EdgeSettings::Milliseconds longest) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           EdgeSettings::Milliseconds(info.tcpi_last_data_recv) > longest;
}

}  // namespace

class VisitorIntake::Pending final : private Watch::Owner {
public:
    Pending(VisitorIntake& intake, Descriptor connection, std::string octets, VisitorEntry entry)
        : place(intake.pending_.size()),
          intake_(intake),
          connection_(std::move(connection)),
          entry_(std::move(entry)),
          octets_(std::move(octets)),
          watch_(intake.loop_, connection_.get(), *this),
          deadline_(intake.loop_, [this] { intake_.refuse(*this, HandshakeRefusal::timeout); }) {}

    // Most ClientHellos are there already, or the next moment.
    void start() {
        if (!octets_.empty()) look_at_octets();
        if (!done_) on_readable();
        if (done_) return;
        deadline_.start(intake_.settings_.hello_deadline);
        watch_.want_read(true);
    }

    void stop() {
        done_ = true;
        watch_.want_read(false);
        deadline_.cancel();
        connection_.reset();
        entry_ = {};
    }

    std::size_t place;

private:
    void on_readable() override {
        auto& buffer = intake_.loop_.buffers().received;
        const ssize_t size = ::recv(connection_.get(), buffer.data(), ClientHelloReader::kMaxOctets, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) return intake_.refuse(*this, HandshakeRefusal::gone);
        octets_.append(as_text(Octets(buffer.data(), static_cast<std::size_t>(size))));
        look_at_octets();
    }

    void look_at_octets() {
        held_.set(octets_.size());
        using Status = ClientHelloReader::Status;
        switch (reader_.read(as_octets(octets_))) {
            case Status::need_more: return;
            case Status::found:
                if (has_left(connection_.get())) return intake_.refuse(*this, HandshakeRefusal::gone);
                if (has_waited(connection_.get(), intake_.settings_.longest_wait))
                    return intake_.refuse(*this, HandshakeRefusal::overload);
                return finish();
            case Status::http:
                tell_to_use_https(connection_.get(), intake_.loop_.buffers());
                return intake_.refuse(*this, HandshakeRefusal::plain_http);
            case Status::not_tls: return intake_.refuse(*this, HandshakeRefusal::not_tls);
            case Status::malformed: return intake_.refuse(*this, HandshakeRefusal::malformed);
            case Status::too_large: return intake_.refuse(*this, HandshakeRefusal::too_large);
        }
    }
    void on_writable() override {}

    void finish() {
        watch_.want_read(false);
        Descriptor connection = std::move(connection_);
        std::string octets = std::move(octets_);
        held_.set(0);
        VisitorEntry entry = std::move(entry_);
        stop();
        intake_.on_hello_(std::move(connection), std::move(octets), reader_.hello(), std::move(entry));
        intake_.remove(*this);
    }

    VisitorIntake& intake_;
    Descriptor connection_;
    VisitorEntry entry_;
    std::string octets_;
    HeldCount held_;
    ClientHelloReader reader_;
    bool done_ = false;
    Watch watch_;
    Timer deadline_;
};

VisitorIntake::VisitorIntake(Loop& loop, EdgeMetrics& metrics, const EdgeSettings& settings, OnHello on_hello)
    : loop_(loop), metrics_(metrics), settings_(settings), on_hello_(std::move(on_hello)) {}

VisitorIntake::~VisitorIntake() = default;

void VisitorIntake::take(Descriptor connection, std::string octets, VisitorEntry entry) {
    pending_.push_back(std::make_unique<Pending>(*this, std::move(connection), std::move(octets), std::move(entry)));
    pending_.back()->start();
}

void VisitorIntake::close_all() {
    while (!pending_.empty()) {
        pending_.back()->stop();
        remove(*pending_.back());
    }
}

void VisitorIntake::refuse(Pending& pending, HandshakeRefusal reason) {
    metrics_.handshakes_refused[static_cast<std::size_t>(reason)].add();
    pending.stop();
    remove(pending);
}

void VisitorIntake::remove(Pending& pending) {
    const std::size_t place = pending.place;
    std::swap(pending_[place], pending_.back());
    pending_[place]->place = place;
    loop_.dispose(std::move(pending_.back()));
    pending_.pop_back();
}

}  // namespace sallyport
