#include "agent/transport_stream.h"

#include <algorithm>
#include <array>

namespace sallyport {

class TransportStreams::Lingering final : private Transport::Owner {
public:
    Lingering(TransportStreams& home, TransportPtr connection)
        : home_(home), connection_(std::move(connection)), deadline_(home.loop_, [this] {
              connection_->abort();
              end();
          }) {
        connection_->set_owner(this);
        connection_->pause_receive();
        deadline_.start(kLinger);
    }
    ~Lingering() { connection_->abort(); }

private:
    void on_receive(MutableOctets) override {}
    void on_receive_end() override {}
    void on_send_ready() override {
        connection_->end_send();
        connection_->close();
        end();
    }
    void on_transport_error(const Error&) override { end(); }
    void end() {
        if (auto self = home_.lingering_.extract(this)) home_.loop_.dispose(std::move(self.mapped()));
    }
    TransportStreams& home_;
    TransportPtr connection_;
    Timer deadline_;
};

class TransportStream final : public IncomingStream, private Transport::Owner {
public:
    TransportStream(TransportStreams& home, TransportPtr connection) : home_(home), connection_(std::move(connection)) {}
    ~TransportStream() override {
        if (!connection_) return;
        if (!sent_all_ || !received_all_) connection_->abort();
        else if (connection_->send_ready()) connection_->close();
        else home_.linger(std::move(connection_));
    }

    void set_owner(Stream::Owner& owner) override {
        owner_ = &owner;
        connection_->set_owner(this);
    }
    void accept() override {}
    void refuse(const Refusal&) override { reset(); }

    void wake() override {
        if (over_ || pulling_ || sent_all_) return;
        pulling_ = true;
        std::array<std::byte, 64 * 1024> room;
        while (!over_ && connection_->send_ready()) {
            const Pulled pulled = owner_->on_stream_pull(room);
            if (pulled.octets > 0) connection_->send(MutableOctets(room).first(pulled.octets));
            if (pulled.end) {
                sent_all_ = true;
                if (connection_->send_ready()) connection_->end_send();
                break;
            }
            if (pulled.octets == 0) break;
        }
        pulling_ = false;
    }
    void consumed(ByteCount octets) override {
        unread_ -= std::min(octets, unread_);
        if (over_ || !paused_ || unread_ > TransportStreams::kWindow / 2) return;
        paused_ = false;
        connection_->resume_receive();
    }
    void reset() override {
        if (std::exchange(over_, true)) return;
        connection_->abort();
    }

private:
    void on_receive(MutableOctets octets) override {
        unread_ += octets.size();
        if (unread_ >= TransportStreams::kWindow && !paused_) {
            paused_ = true;
            connection_->pause_receive();
        }
        owner_->on_stream_octets(octets);
    }
    void on_receive_end() override {
        received_all_ = true;
        owner_->on_stream_end();
    }
    void on_send_ready() override {
        if (over_) return;
        if (sent_all_) connection_->end_send();
        else wake();
    }
    void on_transport_error(const Error& error) override {
        if (std::exchange(over_, true)) return;
        owner_->on_stream_reset({Errc::reset, error.detail});
    }

    TransportStreams& home_;
    TransportPtr connection_;
    Stream::Owner* owner_ = nullptr;
    ByteCount unread_ = 0;
    bool paused_ = false;
    bool pulling_ = false;
    bool sent_all_ = false;
    bool received_all_ = false;
    bool over_ = false;
};

TransportStreams::TransportStreams(Loop& loop) : loop_(loop) {}
TransportStreams::~TransportStreams() = default;

std::unique_ptr<IncomingStream> TransportStreams::make(TransportPtr connection) {
    return std::make_unique<TransportStream>(*this, std::move(connection));
}

void TransportStreams::linger(TransportPtr connection) {
    auto lingering = std::make_unique<Lingering>(*this, std::move(connection));
    Lingering* const key = lingering.get();
    lingering_.emplace(key, std::move(lingering));
}

}  // namespace sallyport
