// A state machine; the states stand in the header.
#include "edge/http1_connection.h"

#include <algorithm>
#include <cstring>

#include "edge/http_date.h"

namespace sallyport {
namespace {

// What a visitor may still send of a request that was answered already, for the connection to be kept.
constexpr ByteCount kMostDrained = 1_MiB;
// Memory above that isn't kept by an idle connection; arbitrary.
constexpr std::size_t kBigHead = 16 * 1024;
const FieldSection kNoTrailers;

}  // namespace

Http1Connection::Http1Connection(EdgeContext& context, TransportPtr transport)
    : VisitorRequest(context),
      transport_(std::move(transport)),
      origins_(context.farewells, 1),
      answer_(*transport_),
      deadline_(context.loop, [this] { on_deadline(); }) {}

Http1Connection::~Http1Connection() = default;

void Http1Connection::start(std::unique_ptr<Exchange> exchange, TlsTransport* tls, std::string server_name) {
    tls_ = tls;
    server_name_ = std::move(server_name);
    exchange_ = std::move(exchange);
    context_.metrics.open_connections.add();
    become_idle();
    transport_->set_owner(this);
}

void Http1Connection::drain() {
    if (state_ == State::lingering || state_ == State::draining) deadline_.start(linger());
    if (state_ != State::idle || !input_.empty()) return;
    begin_ending();
    try_to_end();
}

void Http1Connection::cut() {
    if (state_ == State::over) return;
    transport_->abort();
    give_up();
}

const std::string& Http1Connection::peer_ip() {
    if (peer_ip_.empty()) peer_ip_ = peer().ip();
    return peer_ip_;
}

// ---- What the transport tells

void Http1Connection::on_receive(MutableOctets octets) {
    if (state_ == State::ending || state_ == State::lingering) return;
    input_.hold(octets);
    if (state_ == State::serving && !content_.done()) deadline_.start(context_.settings.content_timeout);
    advance();
    if (state_ == State::over) return;
    if (state_ == State::ending || state_ == State::lingering) input_.clear();
    input_.keep_rest();
    settle_receive();
}

void Http1Connection::on_receive_end() {
    input_ended_ = true;
    switch (state_) {
        case State::serving:
            if (tls_ || trust.scheme) return give_up();
            if (content_.done()) return;
            exchange_->on_content();
            if (state_ == State::serving && !content_.done() && input_.empty()) give_up();
            return;
        case State::raw:
            octets_when_ended_ = answer_.content_octets() + request_octets_;
            deadline_.start(context_.settings.idle_timeout);
            return exchange_->on_content();
        case State::ending: return;  // closes by itself once the answer has left
        case State::idle: return advance();
        default: return give_up();
    }
}

void Http1Connection::on_send_ready() {
    answer_.flush();
    switch (state_) {
        case State::serving:
        case State::raw:
            if (!transport_->send_ready()) return;
            stalled_ = false;
            if (raw_ending_) return try_to_end_raw();
            exchange_->on_send_ready();
            break;
        case State::idle:
        case State::draining: advance(); break;
        case State::ending: return try_to_end();
        default: return;
    }
    if (state_ != State::over) answer_.flush();
}

void Http1Connection::on_transport_error(const Error&) { give_up(); }

void Http1Connection::on_deadline() {
    switch (state_) {
        case State::idle:
            if (input_.empty() || !answer_.ready()) return give_up();
            return refuse_head(problem::kRequestTimeout);
        case State::serving: {
            const bool visitor_owes_content = !content_.done() && !paused_;
            if (visitor_owes_content) return break_off(problem::kRequestTimeout);
            return look_for_stall();
        }
        case State::raw: return send_ended_ || input_ended_ ? look_for_end() : look_for_stall();
        case State::over: return;
        default: return give_up();
    }
}

// A quiet origin may take its time; a visitor that takes nothing for a whole period may not.
void Http1Connection::look_for_stall() {
    if (stalled_) return abort();
    stalled_ = !answer_.ready();
    deadline_.start(context_.settings.stall_timeout);
}

// One side of an upgraded connection has ended. The other may go on, but not be silent for a whole period.
void Http1Connection::look_for_end() {
    const ByteCount octets = answer_.content_octets() + request_octets_;
    if (octets == octets_when_ended_) return give_up();
    octets_when_ended_ = octets;
    deadline_.start(context_.settings.idle_timeout);
}

// ---- Reading requests

void Http1Connection::advance() {
    if (advancing_ || state_ == State::over) return;
    advancing_ = true;
    while (step()) {
    }
    advancing_ = false;
    if (state_ == State::over) return;
    answer_.flush();
    if (state_ == State::ending) try_to_end();
}

bool Http1Connection::step() {
    switch (state_) {
        case State::idle: return read_head();
        case State::serving:
            if (!content_.done() && !input_.empty()) exchange_->on_content();
            return state_ != State::serving;
        case State::raw:
            if (!input_.empty()) exchange_->on_content();
            return false;
        case State::draining: return drain_content();
        default: return false;
    }
}

bool Http1Connection::read_head() {
    wants_head_octets_ = false;
    if (!answer_.ready()) return false;  // a visitor that doesn't read its answers gets no further ones
    if (!input_.empty()) {
        const Result<std::size_t> read = reader_.read_request(input_.text(), request_);
        if (read) {
            input_.consume(*read);
            head_timing_ = false;
            content_.start(request_.framing);
            persistent_ = request_.persistent;
            begin_request();
            state_ = State::serving;
            deadline_.start(content_.done() ? context_.settings.stall_timeout : context_.settings.content_timeout);
            exchange_->begin();
            return state_ != State::over;
        }
        if (read.error().code != Errc::need_more) {
            refuse_head(problem_of_refused_head(reader_.refusal_status()));
            return false;
        }
        if (!head_timing_) {
            head_timing_ = true;
            deadline_.start(context_.settings.head_deadline);
        }
    }
    if (input_ended_) {
        begin_ending();
        return true;
    }
    wants_head_octets_ = true;
    return false;
}

void Http1Connection::begin_request() {
    open_request();
    stalled_ = false;
    answer_.begin_request();
}

void Http1Connection::refuse_head(const Problem& problem) {
    request_.clear();
    content_.start({});
    persistent_ = false;
    begin_request();
    answer_problem(problem);
}

// What has come of the request's content, and nobody wants. False where its framing is broken.
bool Http1Connection::drop_content() {
    while (true) {
        const Result<Octets> piece = content_.next(input_);
        if (!piece) return false;
        if (piece->empty()) return true;
        drained_ += piece->size();
        content_.took(input_, piece->size());
    }
}

bool Http1Connection::drain_content() {
    if (!drop_content() || drained_ > kMostDrained) {
        begin_ending();
        return false;
    }
    if (!content_.done()) return false;
    become_idle();
    return true;
}

void Http1Connection::become_idle() {
    state_ = State::idle;
    status_ = 0;
    input_.shrink();
    if (request_.fields.octets() > kBigHead) request_ = {};
    reader_.reset();
    deadline_.start(context_.settings.idle_timeout);
}

Result<std::size_t> Http1Connection::pull(RequestSender& sender, MutableOctets room) {
    const ByteCount before = sender.content_octets();
    Result<std::size_t> pulled = sender.pull(room, content_, input_);
    request_octets_ += sender.content_octets() - before;
    if (paused_ && input_.empty()) {
        deadline_.start(context_.settings.content_timeout);
        settle_receive();
    }
    return pulled;
}

void Http1Connection::took_content(std::size_t count) {
    content_.took(input_, count);
    request_octets_ += count;
}

// Receiving goes on while there is nothing unused, or while what is there waits for more.
void Http1Connection::settle_receive() {
    if (state_ == State::over) return;
    const bool pause = !input_.empty() && !(state_ == State::idle && wants_head_octets_);
    if (pause == paused_) return;
    paused_ = pause;
    if (pause) transport_->pause_receive();
    else transport_->resume_receive();
}

// ---- Answering

void Http1Connection::begin_answer(ResponseHead& head) {
    status_ = head.status;
    if (head.framing.kind == Framing::Kind::chunked || head.framing.kind == Framing::Kind::until_close) {
        const bool knows_chunked = request_.version_minor >= 1;
        head.framing.kind = knows_chunked ? Framing::Kind::chunked : Framing::Kind::until_close;
        if (!knows_chunked) persistent_ = false;
    }
    if (context_.draining) persistent_ = false;
    const ConnectionOption kept = request_.version_minor == 0 ? ConnectionOption::keep_alive : ConnectionOption::none;
    answer_.head(head, persistent_ ? kept : ConnectionOption::close);
}

void Http1Connection::finish(const FieldSection& trailers) {
    answer_.end(trailers);
    end_request();
    if (!persistent_ || context_.hurried) {
        begin_ending();
    } else if (content_.done()) {
        become_idle();
    } else {
        drained_ = 0;
        state_ = State::draining;
        deadline_.start(linger());
    }
    if (advancing_) return;
    advance();
    settle_receive();
}

void Http1Connection::answer_whole(ResponseHead& head, std::string_view content) {
    drop_content();
    if (!content_.done()) persistent_ = false;  // nobody will take the rest
    head.fields.add("Date", format_http_date(wall_now()));
    begin_answer(head);
    if (request_.method != "HEAD") answer_.whole(content);
    finish(kNoTrailers);
}

void Http1Connection::abort() {
    if (state_ == State::over) return;
    transport_->abort();
    give_up();
}

void Http1Connection::break_off(const Problem& problem) {
    exchange_->cancel();
    persistent_ = false;
    fail_answer(problem, {});
}

// ---- After a 101

void Http1Connection::upgrade(ResponseHead& head) {
    status_ = head.status;
    persistent_ = false;
    state_ = State::raw;
    deadline_.start(context_.settings.stall_timeout);
    context_.metrics.upgraded_streams.add();
    answer_.switching_protocols(head);
}

Stream::Pulled Http1Connection::pull_raw(MutableOctets room) {
    const Octets front = input_.front();
    const std::size_t count = std::min(front.size(), room.size());
    if (count > 0) std::memcpy(room.data(), front.data(), count);
    input_.consume(count);
    request_octets_ += count;
    if (paused_) settle_receive();
    const bool end = input_ended_ && input_.empty();
    if (end && send_ended_) begin_ending(), try_to_end();
    return {count, end};
}

void Http1Connection::end_raw() {
    raw_ending_ = true;
    try_to_end_raw();
}

void Http1Connection::try_to_end_raw() {
    answer_.flush();
    if (send_ended_ || !answer_.flushed() || !transport_->send_ready()) return;  // on_send_ready comes back here
    send_ended_ = true;
    transport_->end_send();
    if (input_ended_ && input_.empty()) return begin_ending(), try_to_end();
    octets_when_ended_ = answer_.content_octets() + request_octets_;
    deadline_.start(context_.settings.idle_timeout);  // most visitors end their direction at once
}

void Http1Connection::hand_over(std::unique_ptr<TunnelDoor::Admission> admission) {
    transport_->set_owner(nullptr);
    if (paused_) transport_->resume_receive();
    if (!named_ip_.empty())
        if (const auto named = SocketAddress::parse(named_ip_, 0)) transport_->name_peer(*named);
    guest_ = {};
    std::string received(input_.text());
    in_request_ = false;
    counters_ = nullptr;
    // Outside this call, since the transport still delivers what brought the request.
    context_.loop.post([admission = std::move(admission), transport = std::move(transport_), received = std::move(received)]() mutable {
        admission->take(std::move(transport), std::move(received));
    });
    over();
}

// ---- Ending

std::chrono::milliseconds Http1Connection::linger() const {
    return context_.hurried ? context_.settings.last_linger : context_.settings.linger;
}

void Http1Connection::begin_ending() {
    if (state_ == State::raw) {
        context_.metrics.upgraded_streams.subtract();
        end_request();
    }
    state_ = State::ending;
    input_.clear();
    deadline_.start(context_.settings.stall_timeout);
}

void Http1Connection::try_to_end() {
    if (!send_ended_) {
        answer_.flush();
        if (!answer_.flushed() || !transport_->send_ready()) return;  // on_send_ready comes back here
        send_ended_ = true;
        transport_->end_send();
    }
    if (input_ended_) return give_up();
    state_ = State::lingering;
    settle_receive();
    deadline_.start(linger());
}

void Http1Connection::give_up() {
    if (state_ == State::over) return;
    if (state_ == State::raw) context_.metrics.upgraded_streams.subtract();
    const bool serving = state_ == State::serving || state_ == State::raw;
    state_ = State::over;
    if (serving) exchange_->cancel();
    end_request();
    transport_->close();
    over();
}

void Http1Connection::over() {
    state_ = State::over;
    deadline_.cancel();
    context_.metrics.open_connections.subtract();
    context_.owner.on_connection_over(*this);
}

}  // namespace sallyport
