#include "relay/stream_get.h"

namespace sallyport::relay {

StreamGet::StreamGet(Loop& loop, const Open& open, std::string head, std::function<void(Got)> on_done)
    : request_(std::move(head)),
      on_done_(std::move(on_done)),
      deadline_(loop, [this] { settle(std::unexpected(Failed{connected_, "no answer within 5 s"})); }),
      done_(loop, [this] {
          stream_.reset();
          if (on_done_) on_done_(std::move(*got_));
      }) {
    deadline_.start(kLongest);
    auto stream = open(*this);
    if (!stream) {
        settle(std::unexpected(Failed{false, stream.error().detail}));
        return;
    }
    stream_ = std::move(*stream);
    stream_->wake();
}

void StreamGet::cancel() {
    on_done_ = nullptr;
    deadline_.cancel();
    if (stream_) stream_->reset();
    got_.emplace(std::unexpected(Failed{}));
}

void StreamGet::on_stream_refused(const Refusal& refusal) { settle(std::unexpected(Failed{false, refusal.details})); }

void StreamGet::on_stream_octets(Octets octets) {
    connected_ = true;
    if (stream_) stream_->consumed(octets.size());
    if (got_) return;
    const auto done = reader_.feed(octets);
    if (!done) return settle(std::unexpected(Failed{true, done.error().detail}));
    if (*done) settle(std::move(reader_.answer()));
}

void StreamGet::on_stream_end() {
    if (got_) return;
    if (const auto ended = reader_.end(); !ended) return settle(std::unexpected(Failed{true, ended.error().detail}));
    settle(std::move(reader_.answer()));
}

// A peer that cuts right behind its answer has given it.
void StreamGet::on_stream_reset(const Error& error) {
    if (got_) return;
    if (reader_.end()) settle(std::move(reader_.answer()));
    else settle(std::unexpected(Failed{connected_, error.detail}));
}

Stream::Pulled StreamGet::on_stream_pull(MutableOctets room) {
    const std::size_t count = request_.copy(reinterpret_cast<char*>(room.data()), room.size());
    request_.erase(0, count);
    return {count, false};
}

void StreamGet::settle(Got got) {
    if (got_) return;
    got_.emplace(std::move(got));
    deadline_.cancel();
    done_.ask();
}

}  // namespace sallyport::relay
