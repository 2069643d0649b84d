#include "ssh/channel_stream.h"

namespace sallyport::ssh {
namespace {

Refusal refusal_of(const Error& error) {
    switch (error.code) {
        case Errc::unreachable: return {.status = 502, .cause = "connection_refused", .details = error.detail};
        case Errc::no_space: return {.status = 503, .cause = "connection_limit_reached", .details = error.detail};
        case Errc::refused: return {.status = 403, .cause = "destination_ip_prohibited", .details = error.detail};
        default: return {.status = 502, .cause = "connection_terminated", .details = error.detail};
    }
}

class ChannelStream final : public IncomingStream, private Channel::Owner {
public:
    explicit ChannelStream(Stream::Owner* owner) : owner_(owner) {}

    Result<> open(ServerConnection& connection, const ForwardRequest& at, const std::string& origin_ip, std::uint16_t origin_port) {
        Result<ChannelPtr> channel = connection.open_forwarded(*this, at, origin_ip, origin_port);
        if (!channel) return std::unexpected(channel.error());
        channel_ = *std::move(channel);
        return {};
    }
    void hold(std::unique_ptr<IncomingChannel> incoming) {
        incoming_ = std::move(incoming);
        incoming_->on_lost([this](const Error& reason) {
            if (Stream::Owner* const owner = std::exchange(owner_, nullptr)) owner->on_stream_reset({Errc::unreachable, reason.detail});
        });
    }

    void wake() override {
        if (channel_) channel_->wake();
    }
    void consumed(ByteCount octets) override {
        if (channel_) channel_->consumed(octets);
    }
    void reset() override {
        owner_ = nullptr;
        if (channel_) channel_->close();
        if (incoming_) incoming_->refuse();
    }
    void set_owner(Stream::Owner& owner) override { owner_ = &owner; }
    void accept() override {
        if (!incoming_ || channel_) return;
        Result<ChannelPtr> channel = incoming_->accept(*this);
        incoming_.reset();
        if (channel) channel_ = *std::move(channel);
        // Otherwise the connection is over: its owner tells.
        if (channel_) channel_->wake();
    }
    void refuse(const Refusal&) override {
        owner_ = nullptr;
        if (incoming_) incoming_->refuse();
    }

private:
    void on_channel_open() override {
        if (owner_) owner_->on_stream_accepted();
    }
    void on_channel_refused(const Error& error) override {
        if (Stream::Owner* const owner = std::exchange(owner_, nullptr)) owner->on_stream_refused(refusal_of(error));
    }
    void on_channel_octets(Octets octets) override {
        if (owner_) owner_->on_stream_octets(octets);
    }
    void on_channel_error_octets(Octets octets) override { channel_->consumed(octets.size()); }  // nobody sends any here
    void on_channel_eof() override {
        ended_ = true;
        if (owner_) owner_->on_stream_end();
    }
    void on_channel_closed(const Error& reason) override {
        Stream::Owner* const owner = std::exchange(owner_, nullptr);
        if (!owner || (ended_ && sent_end_)) return;  // over in order
        owner->on_stream_reset({reason.code == Errc::unreachable ? Errc::unreachable : Errc::reset, reason.detail});
    }
    Channel::Pulled on_channel_pull(MutableOctets room) override {
        if (!owner_) return {};
        const Channel::Pulled pulled = owner_->on_stream_pull(room);
        sent_end_ = sent_end_ || pulled.end;
        return pulled;
    }

    Stream::Owner* owner_;
    bool ended_ = false;
    bool sent_end_ = false;
    std::unique_ptr<IncomingChannel> incoming_;
    ChannelPtr channel_;
};

}  // namespace

Result<StreamPtr> open_forwarded_stream(ServerConnection& connection, Stream::Owner& owner, const ForwardRequest& at,
                                        const std::string& origin_ip, std::uint16_t origin_port) {
    auto stream = std::make_unique<ChannelStream>(&owner);
    if (Result<> opened = stream->open(connection, at, origin_ip, origin_port); !opened) return std::unexpected(opened.error());
    return stream;
}

std::unique_ptr<IncomingStream> as_stream(std::unique_ptr<IncomingChannel> channel) {
    auto stream = std::make_unique<ChannelStream>(nullptr);
    stream->hold(std::move(channel));
    return stream;
}

}  // namespace sallyport::ssh
