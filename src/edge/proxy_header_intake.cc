#include "edge/proxy_header_intake.h"

#include <sys/socket.h>

#include <cerrno>

namespace sallyport {

class ProxyHeaderIntake::Pending final : private Watch::Owner {
public:
    Pending(ProxyHeaderIntake& intake, Descriptor connection, VisitorEntry entry)
        : place(intake.pending_.size()),
          intake_(intake),
          connection_(std::move(connection)),
          entry_(std::move(entry)),
          watch_(intake.loop_, connection_.get(), *this),
          deadline_(intake.loop_, [this] { intake_.refuse(*this, HandshakeRefusal::timeout); }) {}

    void start() {
        on_readable();
        if (done_) return;
        deadline_.start(intake_.deadline_);
        watch_.want_read(true);
    }

    void stop() {
        done_ = true;
        deadline_.cancel();
        watch_.want_read(false);
        connection_.reset();
        entry_ = {};
    }

    std::size_t place;

private:
    // A proxy sends the header in one piece, and mostly the visitor's first octets with it.
    void on_readable() override {
        auto& buffer = intake_.loop_.buffers().received;
        const ssize_t size = ::recv(connection_.get(), buffer.data(), kMaxProxyHeaderV2, 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) return intake_.refuse(*this, HandshakeRefusal::gone);
        octets_.append(as_text(Octets(buffer.data(), static_cast<std::size_t>(size))));
        const Result<ProxyHeader> header = parse_proxy_header(as_octets(octets_));
        if (header) return finish(*header);
        if (header.error().code != Errc::need_more) intake_.refuse(*this, HandshakeRefusal::proxy_header);
    }
    void on_writable() override {}

    void finish(const ProxyHeader& header) {
        watch_.want_read(false);
        Descriptor connection = std::move(connection_);
        VisitorEntry entry = std::move(entry_);
        stop();
        octets_.erase(0, header.size);
        intake_.on_header_(std::move(connection), std::move(octets_), header, std::move(entry));
        intake_.remove(*this);
    }

    ProxyHeaderIntake& intake_;
    Descriptor connection_;
    VisitorEntry entry_;
    std::string octets_;  // less than a header and one receive
    bool done_ = false;
    Watch watch_;
    Timer deadline_;
};

ProxyHeaderIntake::ProxyHeaderIntake(Loop& loop, EdgeMetrics& metrics, EdgeSettings::Milliseconds deadline, OnHeader on_header)
    : loop_(loop), metrics_(metrics), deadline_(deadline), on_header_(std::move(on_header)) {}

ProxyHeaderIntake::~ProxyHeaderIntake() = default;

void ProxyHeaderIntake::take(Descriptor connection, VisitorEntry entry) {
    pending_.push_back(std::make_unique<Pending>(*this, std::move(connection), std::move(entry)));
    pending_.back()->start();
}

void ProxyHeaderIntake::close_all() {
    while (!pending_.empty()) {
        pending_.back()->stop();
        remove(*pending_.back());
    }
}

void ProxyHeaderIntake::refuse(Pending& pending, HandshakeRefusal reason) {
    metrics_.handshakes_refused[static_cast<std::size_t>(reason)].add();
    pending.stop();
    remove(pending);
}

void ProxyHeaderIntake::remove(Pending& pending) {
    const std::size_t place = pending.place;
    std::swap(pending_[place], pending_.back());
    pending_[place]->place = place;
    loop_.dispose(std::move(pending_.back()));
    pending_.pop_back();
}

}  // namespace sallyport
