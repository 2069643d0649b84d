#include "edge/http2_request.h"

#include <algorithm>
#include <cstring>

#include "edge/http2_connection.h"
#include "edge/http_date.h"
#include "wire/websocket_handshake.h"

namespace sallyport {
namespace {

// A visitor that takes less than that in a whole stall_timeout takes nothing; arbitrary, stops windows of one octet.
constexpr std::size_t kProgress = 4096;
constexpr std::size_t kWorthTaking = 16 * 1024;  // less waits for the end of the turn, and leaves together with other answers
constexpr std::size_t kBig = 16 * 1024;          // an idle request keeps no more memory; arbitrary
const FieldSection kNoTrailers;

}  // namespace

// ---- For the connection

void Http2Request::open(std::int32_t id, Http2HeadReader& head, Http2HeadReader::Ends ends) {
    id_ = id;
    state_ = State::opened;
    refused_ = head.take_request(request_, ends);
    websocket_key_ = head.websocket_key();
    raw_ = has_content_ = end_ = wants_to_send_ = filling_ = deferred = false;
    ended_by_visitor_ = false;
    whole_.clear();
    whole_at_ = 0;
    trailers_.clear();
    answer_octets_ = 0;
    blocked_since_ = {};
    window_ = Http2Connection::kFirstWindow;
    drained_ = unconsumed_ = 0;
    input_.clear();
    content_.start_framed(request_.framing);
    received_at_ = moved_at_ = context_.loop.now();
    open_request();
    if (ends == Http2HeadReader::Ends::here) end_content({});
}

void Http2Request::begin() {
    if (state_ != State::opened) return;
    state_ = State::serving;
    if (refused_) return answer_problem(problem_of_refused_head(refused_));
    exchange_->begin();
}

void Http2Request::take_content(Octets octets) {
    if (state_ == State::answered || state_ == State::none) return connection_.give_credit(id_, octets.size());
    received_at_ = moved_at_ = context_.loop.now();
    unconsumed_ += octets.size();
    input_.hold(octets);
    if (state_ == State::serving) exchange_->on_content();
    input_.keep_rest();
}

void Http2Request::end_content(FieldSection trailers) {
    ended_by_visitor_ = true;
    content_.end_framed(input_, std::move(trailers));
    if (state_ == State::serving) exchange_->on_content();
}

void Http2Request::close() {
    if (state_ == State::serving) exchange_->cancel();
    if (raw_) context_.metrics.upgraded_streams.subtract();
    raw_ = false;
    close_request(answer_octets_);
    state_ = State::none;
    id_ = 0;
    input_.clear();
    input_.shrink();
    if (request_.fields.octets() > kBig) request_ = {};
    if (whole_.capacity() > kBig) std::string().swap(whole_);
    if (page_.capacity() > kBig) std::string().swap(page_);
}

Http2Request::Filled Http2Request::fill(MutableOctets room) {
    if (state_ == State::none || state_ == State::opened) return {};
    room_ = room;
    filled_ = 0;
    wants_to_send_ = false;
    if (whole_at_ < whole_.size()) {
        const std::size_t count = std::min(room.size(), whole_.size() - whole_at_);
        std::memcpy(room.data(), whole_.data() + whole_at_, count);
        whole_at_ += count;
        filled_ = count;
    } else if (state_ == State::serving) {
        filling_ = true;
        exchange_->on_send_ready();
        filling_ = false;
    }
    room_ = {};
    const bool all_given = end_ && whole_at_ == whole_.size();
    since_blocked_ += filled_;
    if (filled_ > 0) moved_at_ = context_.loop.now();
    if (!wants_to_send_ && (all_given || filled_ < room.size())) {
        blocked_since_ = {};
    } else if (blocked_since_ == TimePoint{} || since_blocked_ >= kProgress) {
        blocked_since_ = context_.loop.now();
        since_blocked_ = 0;
    }
    return {filled_, all_given};
}

void Http2Request::look_for_stall(TimePoint now) {
    const EdgeSettings& settings = context_.settings;
    const bool owes_content = state_ == State::serving && !raw_ && !content_.done() && input_.empty();
    if (owes_content && now - received_at_ > settings.content_timeout) return break_off(problem::kRequestTimeout);
    if (blocked_since_ != TimePoint{} && now - blocked_since_ > settings.stall_timeout) return abort();
    // One side of a WebSocket has ended. The other may go on, but not be silent for a whole period.
    if (raw_ && (ended_by_visitor_ || end_) && now - moved_at_ > settings.idle_timeout) abort();
}

// ---- The visitor

const std::string& Http2Request::server_name() const { return connection_.server_name(); }
const SocketAddress& Http2Request::peer() const { return connection_.peer(); }
const std::string& Http2Request::peer_ip() { return connection_.peer_ip(); }
const ProxyTrust& Http2Request::proxy_trust() const { return connection_.trust; }
TlsTransport* Http2Request::tls() const { return connection_.tls(); }
VisitorLimits::Visit& Http2Request::visitor_count() { return connection_.visit; }
OriginPool& Http2Request::origins() { return connection_.origins(); }
bool Http2Request::covers(const std::string& host) { return connection_.covers(host); }

// ---- Its content

Result<std::size_t> Http2Request::pull(RequestSender& sender, MutableOctets room) {
    const ByteCount before = sender.content_octets();
    Result<std::size_t> pulled = sender.pull(room, content_, input_);
    const ByteCount taken = sender.content_octets() - before;
    if (taken > 0) {
        request_octets_ += taken;
        gave_up(taken);
    }
    return pulled;
}

void Http2Request::took_content(std::size_t count) {
    content_.took(input_, count);
    request_octets_ += count;
    gave_up(count);
}

// Octets of the visitor's have left our hands. A window grows while it is drained faster than it fills.
void Http2Request::gave_up(ByteCount octets) {
    unconsumed_ -= std::min(unconsumed_, octets);
    drained_ += octets;
    connection_.give_credit(id_, octets);
    if (drained_ < window_ || unconsumed_ > window_ / 4) return;
    drained_ = 0;
    window_ = connection_.grow_window(id_, window_);
}

void Http2Request::drop_input() {
    connection_.give_credit(id_, input_.size());
    input_.clear();
}

// ---- The answer

void Http2Request::interim(const ResponseHead& head) { connection_.submit_interim(id_, head); }

void Http2Request::begin_answer(ResponseHead& head) {
    status_ = head.status;
    has_content_ = head.framing.has_content() && request_.method != "HEAD";
    connection_.submit_answer(*this, head, has_content_ ? Http2Connection::Content::follows : Http2Connection::Content::none);
}

bool Http2Request::ready() {
    if (filling_) return filled_ < room_.size();
    want_to_send();
    return false;
}

void Http2Request::want_to_send() {
    if (!wants_to_send_ && blocked_since_ == TimePoint{}) {
        blocked_since_ = context_.loop.now();
        since_blocked_ = 0;
    }
    wants_to_send_ = true;
    connection_.resume(*this);
}

std::size_t Http2Request::content(Octets octets) {
    const std::size_t count = std::min(octets.size(), room_.size() - filled_);
    std::memcpy(room_.data() + filled_, octets.data(), count);
    filled_ += count;
    answer_octets_ += count;
    return count;
}

void Http2Request::take_where_they_lie(std::size_t waiting) {
    if (wants_to_send_ && !filling_ && waiting >= kWorthTaking) connection_.pump();
}

void Http2Request::finish(const FieldSection& trailers) {
    if (has_content_) trailers_ = trailers;
    end_answer();
}

void Http2Request::end_answer() {
    end_ = true;
    state_ = State::answered;
    drop_input();
    close_request(answer_octets_);
    if (has_content_ && !filling_) want_to_send();
}

void Http2Request::answer_whole(ResponseHead& head, std::string_view content) {
    head.fields.add("Date", format_http_date(wall_now()));
    begin_answer(head);
    if (has_content_) {
        whole_ = content;
        answer_octets_ = content.size();
    }
    finish(kNoTrailers);
}

void Http2Request::abort() {
    if (state_ == State::none) return;
    if (state_ == State::serving) {
        state_ = State::answered;
        exchange_->cancel();
    }
    state_ = State::answered;
    drop_input();
    close_request(answer_octets_);
    whole_.clear();
    whole_at_ = 0;
    blocked_since_ = {};
    connection_.reset(id_, Http2Connection::kInternalError);
}

void Http2Request::break_off(const Problem& problem) {
    exchange_->cancel();
    fail_answer(problem, {});
}

// ---- WebSocket (RFC 8441)

Result<> Http2Request::check_upgrade(const ResponseHead& head) {
    const auto accept = head.fields.find(FieldId::sec_websocket_accept);
    if (head.fields.count(FieldId::sec_websocket_accept) != 1 || *accept != websocket_accept(websocket_key_))
        return fail(Errc::protocol, "wrong Sec-WebSocket-Accept");
    return {};
}

void Http2Request::upgrade(ResponseHead& head) {
    raw_ = has_content_ = true;
    status_ = 200;
    head.status = 200;
    head.fields.remove(FieldId::upgrade);
    head.fields.remove(FieldId::sec_websocket_accept);
    context_.metrics.upgraded_streams.add();
    connection_.submit_answer(*this, head, Http2Connection::Content::follows);
}

Stream::Pulled Http2Request::pull_raw(MutableOctets room) {
    const Octets front = input_.front();
    const std::size_t count = std::min(front.size(), room.size());
    if (count > 0) std::memcpy(room.data(), front.data(), count);
    input_.consume(count);
    request_octets_ += count;
    if (count > 0) gave_up(count);
    return {count, ended_by_visitor_ && input_.empty()};
}

void Http2Request::end_raw() {
    end_ = true;
    if (!filling_) want_to_send();
}

}  // namespace sallyport
