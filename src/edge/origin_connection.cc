#include "edge/origin_connection.h"

namespace sallyport {

void OriginConnection::end_use(TimePoint now) {
    user_ = nullptr;
    idle_since_ = now;
    settle();  // the last octets may have been taken outside the stream's own call
    received_.shrink();
}

void OriginConnection::give_credit(ByteCount up_to) {
    if (up_to <= octets_credited_) return;
    const ByteCount octets = up_to - octets_credited_;
    octets_credited_ = up_to;
    if (stream_ && end_ != End::reset) stream_->consumed(octets);
}

void OriginConnection::wake() {
    if (stream_ && end_ != End::reset) stream_->wake();
}

void OriginConnection::cut() {
    user_ = nullptr;
    if (stream_ && !over()) stream_->reset();
    end_ = End::reset;
    received_.clear();
}

void OriginConnection::end_in_order() {
    user_ = nullptr;
    leaving_ = true;
    received_.clear();
    give_credit(octets_received_);
    if (stream_) wake();
    else end_ = End::reset;
}

void OriginConnection::on_stream_refused(const Refusal& refusal) {
    end_ = End::reset;
    if (user_) user_->on_origin_refused(refusal);
}

void OriginConnection::on_stream_octets(Octets octets) {
    if (!user_) return cut();  // nobody has asked for anything
    octets_received_ += octets.size();
    received_.hold(octets);
    user_->on_origin_octets();
    received_.keep_rest();
    settle();
}

void OriginConnection::on_stream_end() { finish(End::ended); }
void OriginConnection::on_stream_reset(const Error& error) {
    error_ = error;
    finish(End::reset);
}

void OriginConnection::finish(End end) {
    end_ = end;
    if (user_) user_->on_origin_octets();
    else if (end == End::ended && !leaving_) end_in_order();
}

Stream::Pulled OriginConnection::on_stream_pull(MutableOctets room) {
    if (user_) return user_->on_origin_pull(room);
    sent_end_ |= leaving_;
    return {0, leaving_};
}

}  // namespace sallyport
