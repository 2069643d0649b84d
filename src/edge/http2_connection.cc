#include "edge/http2_connection.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tunnel/http2_field.h"
#include "tunnel/lazy_memory.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

constexpr std::size_t kFrameHeader = 9;  // RFC 9113 4.1
// Room for any frame that nghttp2 hands out whole: header sections are cut at 16 KiB.
constexpr std::size_t kFrameRoom = 16 * 1024 + 64;
constexpr ByteCount kUnsent = 256 * 1024;   // in the kernel: what is asked for next isn't late
constexpr std::size_t kMostQueued = 300;    // frames that wait to be sent, one answer's head for each stream among them; then reading pauses
constexpr std::size_t kMostAnswerHead = 256 * 1024;
constexpr std::size_t kIdleOrigins = 6;     // as many as a browser would hold open itself
constexpr std::chrono::seconds kOriginRest{10};  // further ones go after that
constexpr std::chrono::seconds kNoticeTime{5};   // for a drained visitor to hear that it shall ask no more

// Control frames: enough for any browser's burst; content in either direction earns more. Requests thrown away: a page of
// images that is left while it loads, again and again. Both arbitrary; they stop CVE-2019-9511 to -9518 and CVE-2023-44487.
constexpr double kMostFrames = 1000, kFramesASecond = 50, kFramesAnOctet = 1.0 / 512;
constexpr double kFramesAMessage = 2;  // for DATA that is short because there was no more: some clients answer each with two WINDOW_UPDATEs
constexpr double kMostResets = 200, kResetsASecond = 20;
constexpr double kSettingsCost = 10;  // answered, and every stream's window is looked at

std::string_view text(nghttp2_vec octets) { return {reinterpret_cast<const char*>(octets.base), octets.len}; }
std::string_view text(nghttp2_rcbuf* octets) { return text(nghttp2_rcbuf_get_buf(octets)); }

bool is_framing(FieldId id) {
    return id == FieldId::connection || id == FieldId::content_length || id == FieldId::transfer_encoding || id == FieldId::keep_alive ||
           id == FieldId::proxy_connection || id == FieldId::upgrade || id == FieldId::host;
}

}  // namespace

// What nghttp2 calls. noexcept: only out-of-memory could throw here, and that ends the process.
struct Http2Connection::Callbacks {
    static Http2Connection& self(void* user) { return *static_cast<Http2Connection*>(user); }

    // Every frame before it is looked at, but those of unknown types, which nghttp2 reads over.
    static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* header, void* user) noexcept {
        Http2Connection& c = self(user);
        const std::int32_t id = header->stream_id;
        switch (header->type) {
            case NGHTTP2_DATA: return 0;  // see on_frame_recv
            case NGHTTP2_HEADERS: return c.must_not_speak(id) ? c.refuse_soon(NGHTTP2_STREAM_CLOSED) : 0;
            case NGHTTP2_PRIORITY: return id == 0 ? c.refuse_soon(NGHTTP2_PROTOCOL_ERROR) : c.admit(1);
            case NGHTTP2_SETTINGS: return c.admit(kSettingsCost);
            default: return c.admit(1);
        }
    }
    static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        Http2Connection& c = self(user);
        c.head_since_ = c.context_.loop.now();
        if (c.requests_.empty()) c.look_.start(c.context_.settings.head_deadline);
        c.head_.begin(frame->headers.cat == NGHTTP2_HCAT_REQUEST ? Http2HeadReader::Section::header : Http2HeadReader::Section::trailer);
        return 0;
    }
    static int on_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::uint8_t,
                         void* user) noexcept {
        Http2Connection& c = self(user);
        return c.head_.add(text(name), text(value)) ? 0 : c.refuse_soon(NGHTTP2_ENHANCE_YOUR_CALM);
    }
    // nghttp2 would leave such a field out and go on; RFC 9113 8.2.1 calls the request malformed.
    static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*, std::uint8_t, void*) noexcept {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    static int on_invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) noexcept {
        self(user).count_reset();
        return 0;
    }
    static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        Http2Connection& c = self(user);
        const std::int32_t id = frame->hd.stream_id;
        const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        switch (frame->hd.type) {
            case NGHTTP2_HEADERS:
                c.head_since_ = {};
                if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
                    c.on_request(id, ends ? Http2HeadReader::Ends::here : Http2HeadReader::Ends::later);
                } else if (Http2Request* request = c.find(id); request && ends) {
                    request->end_content(c.head_.take_trailers());
                }
                break;
            case NGHTTP2_DATA:
                if (frame->hd.length == frame->data.padlen && !ends) return c.admit(1);  // nothing in it
                if (Http2Request* request = ends ? c.find(id) : nullptr) request->end_content({});
                break;
            case NGHTTP2_SETTINGS:
                if (!std::exchange(c.settled_, true)) c.rest();
                break;
            case NGHTTP2_RST_STREAM: c.reset_by_visitor_ = id; break;
            case NGHTTP2_PING:
                if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && c.notice_sent_) c.say_last();
                break;
            default: break;
        }
        return 0;
    }
    static int on_data_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                             void* user) noexcept {
        Http2Connection& c = self(user);
        c.frames_.earn(static_cast<double>(size) * kFramesAnOctet);
        nghttp2_session_consume_connection(session, size);
        if (Http2Request* request = c.find(id)) request->take_content(as_octets(data, size));
        else nghttp2_session_consume_stream(session, id, size);
        return 0;
    }
    static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) noexcept {
        self(user).on_stream_closed(id, code);
        return 0;
    }
    // Where the answer is complete and the visitor still sends: it may stop (RFC 9113 8.1).
    static int on_frame_send(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept {
        Http2Connection& c = self(user);
        // Its answer tells that the notice was read. (Asked for together, nghttp2 would send it first.)
        if (frame->hd.type == NGHTTP2_GOAWAY && c.notice_sent_) nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, nullptr);
        const bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
        if (!may_end || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
        const Http2Request* request = c.find(frame->hd.stream_id);
        if (request && request->state() == Http2Request::State::answered && !request->content_ended())
            nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
        return 0;
    }
    // Asks how long the next DATA frame may be; it is filled here, and the answer is what was really there.
    static ssize_t read_length(nghttp2_session*, std::uint8_t, std::int32_t id, std::int32_t connection_window,
                               std::int32_t stream_window, std::uint32_t max_frame, void* user) noexcept {
        Http2Connection& c = self(user);
        const auto window = static_cast<std::size_t>(std::max(std::min(connection_window, stream_window), 1));
        const std::size_t most = std::min<std::size_t>(window, max_frame);
        c.filled_ = c.fill(id, most);
        c.unhindered_ = c.filled_.octets < most;
        return static_cast<ssize_t>(std::max<std::size_t>(c.filled_.octets, 1));
    }
    static ssize_t read_data(nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t, std::uint32_t* flags,
                             nghttp2_data_source*, void* user) noexcept {
        Http2Connection& c = self(user);
        Http2Request* request = c.find(id);
        if (!request) return NGHTTP2_ERR_DEFERRED;  // its reset is on the way
        if (c.filled_.octets == 0 && !c.filled_.end) {
            request->deferred = true;
            return NGHTTP2_ERR_DEFERRED;
        }
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        if (c.filled_.end) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            if (!request->trailers().empty()) c.submit_trailers(*request, *flags);
        }
        return static_cast<ssize_t>(c.filled_.octets);
    }
    // The content stands behind the place of this header already.
    static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* header, std::size_t size, nghttp2_data_source*,
                         void* user) noexcept {
        Http2Connection& c = self(user);
        std::memcpy(c.out_.data() + c.gathered_, header, kFrameHeader);
        c.gathered_ += kFrameHeader + size;
        c.frames_.earn(static_cast<double>(size) * kFramesAnOctet + (c.unhindered_ ? kFramesAMessage : 0));
        if (c.out_.size() - c.gathered_ >= kFrameRoom) return 0;
        c.full_ = true;
        return NGHTTP2_ERR_PAUSE;
    }
};

Http2Connection::Http2Connection(EdgeContext& context, TransportPtr transport, MakeExchange make_exchange)
    : context_(context),
      transport_(std::move(transport)),
      make_exchange_(make_exchange),
      origins_(context.farewells, kMostStreams),
      frames_(kMostFrames, kFramesASecond),
      resets_(kMostResets, kResetsASecond),
      pump_soon_(context.loop, [this] { pump(); }),
      look_(context.loop, [this] { look_around(); }) {}

Http2Connection::~Http2Connection() = default;

void Http2Connection::start(TlsTransport* tls, std::string server_name) {
    tls_ = tls;
    server_name_ = std::move(server_name);
    context_.metrics.open_connections.add();
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, Callbacks::on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, Callbacks::on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, Callbacks::on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, Callbacks::on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::on_frame_send);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, Callbacks::read_length);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, Callbacks::send_data);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_max_send_header_block_length(option, kMostAnswerHead);
    nghttp2_option_set_builtin_recv_extension_type(option, NGHTTP2_PRIORITY_UPDATE);
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);  // counted here: see count_reset()
    nghttp2_session* session = nullptr;
    nghttp2_session_server_new3(&session, callbacks, this, option, lazy_memory());
    session_.reset(session);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);

    const std::array settings{
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMostStreams},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kFirstWindow)},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, Http2HeadReader::kMostOctets},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    transport_->limit_unsent(kUnsent);
    look_.start(context_.settings.head_deadline);
    transport_->set_owner(this);
    pump_soon_.ask();
}

const std::string& Http2Connection::peer_ip() {
    if (peer_ip_.empty()) peer_ip_ = peer().ip();
    return peer_ip_;
}

bool Http2Connection::covers(const std::string& host) {
    if (host == server_name_ || host == covered_) return true;
    if (!tls_ || !tls_->certificate_covers(host)) return false;
    covered_ = host;
    return true;
}

// ---- What the transport tells

void Http2Connection::on_receive(MutableOctets octets) {
    if (state_ != State::open) return;
    if (refused_) return;
    in_session_ = true;
    const auto taken = nghttp2_session_mem_recv(session_.get(), as_u8(octets), octets.size());
    in_session_ = false;
    pump_soon_.ask();
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) return give_up();  // no HTTP/2 at all
    if (taken < 0 && !refusal_) refusal_ = taken == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_INTERNAL_ERROR;
    if (refusal_) return refuse();
    begin_requests();
    settle_receive();
}

void Http2Connection::on_receive_end() { give_up(); }
void Http2Connection::on_transport_error(const Error&) { give_up(); }
void Http2Connection::on_send_ready() {
    pump();
    settle_receive();
}

void Http2Connection::settle_receive() {
    if (state_ != State::open) return;
    const bool pause = nghttp2_session_get_outbound_queue_size(session_.get()) > kMostQueued && !transport_->send_ready();
    if (pause == paused_) return;
    paused_ = pause;
    if (pause) transport_->pause_receive();
    else transport_->resume_receive();
}

// Ends the connection with a GOAWAY; everything under way is reset by it.
void Http2Connection::refuse() {
    if (std::exchange(refused_, true)) return;
    context_.metrics.http2_refused.add();
    nghttp2_session_terminate_session(session_.get(), refusal_);
    pump_soon_.ask();
}

// From inside nghttp2, which goes no further then.
int Http2Connection::refuse_soon(std::uint32_t code) {
    if (!refusal_) refusal_ = code;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

// ---- What nghttp2 tells

Http2Request* Http2Connection::find(std::int32_t id) const {
    return static_cast<Http2Request*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

int Http2Connection::admit(double tokens) {
    return frames_.spend(context_.loop.now(), tokens) ? 0 : refuse_soon(NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Connection::count_reset() {
    if (!resets_.spend(context_.loop.now())) refuse_soon(NGHTTP2_ENHANCE_YOUR_CALM);
    if (refusal_) pump_soon_.ask();
}

void Http2Connection::on_request(std::int32_t id, Http2HeadReader::Ends ends) {
    if (spare_.empty()) {
        auto made = std::make_unique<Http2Request>(context_, *this);
        made->set_exchange(make_exchange_(context_, *made));
        spare_.push_back(std::move(made));
    }
    Http2Request& request = *spare_.back();
    request.place = requests_.size();
    requests_.push_back(std::move(spare_.back()));
    spare_.pop_back();
    nghttp2_session_set_stream_user_data(session_.get(), id, &request);
    request.open(id, head_, ends);
    arrived_.push_back(id);
}

void Http2Connection::begin_requests() {
    if (arrived_.empty()) return;
    const bool was_idle = requests_.size() == arrived_.size();
    for (std::size_t i = 0; i < arrived_.size() && state_ == State::open; ++i)
        if (Http2Request* request = find(arrived_[i])) request->begin();
    arrived_.clear();
    if (was_idle && state_ == State::open && !requests_.empty()) rest();
}

// Whether the visitor has ended its side of that stream, or has passed over it (5.1): nghttp2 forgets streams when they are closed.
// On those that we closed something may still be on its way.
bool Http2Connection::must_not_speak(std::int32_t id) const {
    return id > 0 && id <= nghttp2_session_get_last_proc_stream_id(session_.get()) && !nghttp2_session_find_stream(session_.get(), id) &&
           std::ranges::find(closed_by_us_, id) == closed_by_us_.end();
}

void Http2Connection::on_stream_closed(std::int32_t id, std::uint32_t code) {
    Http2Request* request = find(id);
    if (id != reset_by_visitor_ && !(request && request->content_ended()))
        closed_by_us_[closed_by_us_at_++ % closed_by_us_.size()] = id;
    const bool wasted = code != NGHTTP2_NO_ERROR && (!request || request->state() != Http2Request::State::answered);
    if (wasted) count_reset();
    if (request) retire(*request);
}

void Http2Connection::retire(Http2Request& request) {
    nghttp2_session_set_stream_user_data(session_.get(), request.id(), nullptr);
    granted_ -= request.window() - kFirstWindow;
    request.close();
    const std::size_t place = request.place;
    std::swap(requests_[place], requests_.back());
    requests_[place]->place = place;
    spare_.push_back(std::move(requests_.back()));
    requests_.pop_back();
    if (requests_.empty()) rest();
}

// ---- Answers

// Names in lower case (RFC 9113 8.2), without what only HTTP/1.1 has.
nghttp2_nv* Http2Connection::write_fields(const ResponseHead& head, std::size_t& count) {
    fields_.clear();
    names_.clear();
    names_ = std::to_string(head.status);
    std::size_t octets = names_.size() + 20;
    for (const Field& field : head.fields) octets += field.name.size();
    names_.reserve(octets);
    fields_.push_back(field(":status", names_));
    for (const Field& f : head.fields) {
        if (is_framing(f.id)) continue;
        const std::size_t at = names_.size();
        for (const char c : f.name) names_ += ascii_lower(c);
        fields_.push_back(field(std::string_view(names_).substr(at), f.value));
    }
    const bool framed = head.framing.kind == Framing::Kind::content_length;
    if (framed || head.announced_length) {
        const std::size_t at = names_.size();
        names_ += std::to_string(framed ? head.framing.length : *head.announced_length);
        fields_.push_back(field("content-length", std::string_view(names_).substr(at)));
    }
    count = fields_.size();
    return fields_.data();
}

void Http2Connection::submit_interim(std::int32_t id, const ResponseHead& head) {
    if (state_ != State::open) return;
    if (nghttp2_session_get_outbound_queue_size(session_.get()) > kMostQueued) return;  // it only tells, and the visitor isn't listening
    std::size_t count = 0;
    nghttp2_nv* fields = write_fields(head, count);
    nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, id, nullptr, fields, count, nullptr);
    pump_soon_.ask();
}

void Http2Connection::submit_answer(Http2Request& request, const ResponseHead& head, Content content) {
    if (state_ != State::open) return;
    std::size_t count = 0;
    nghttp2_nv* fields = write_fields(head, count);
    nghttp2_data_provider provider{};
    provider.read_callback = Callbacks::read_data;
    nghttp2_submit_response(session_.get(), request.id(), fields, count, content == Content::follows ? &provider : nullptr);
    request.deferred = false;
    pump_soon_.ask();
}

void Http2Connection::submit_trailers(Http2Request& request, std::uint32_t& flags) {
    fields_.clear();
    names_.clear();
    std::size_t octets = 0;
    for (const Field& field : request.trailers()) octets += field.name.size();
    names_.reserve(octets);
    for (const Field& f : request.trailers()) {
        const std::size_t at = names_.size();
        for (const char c : f.name) names_ += ascii_lower(c);
        fields_.push_back(field(std::string_view(names_).substr(at), f.value));
    }
    if (nghttp2_submit_trailer(session_.get(), request.id(), fields_.data(), fields_.size()) == 0) flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
}

void Http2Connection::resume(Http2Request& request) {
    if (state_ != State::open) return;
    if (std::exchange(request.deferred, false)) nghttp2_session_resume_data(session_.get(), request.id());
    pump_soon_.ask();
}

void Http2Connection::give_credit(std::int32_t id, ByteCount octets) {
    if (octets == 0 || state_ != State::open) return;
    nghttp2_session_consume_stream(session_.get(), id, octets);
    pump_soon_.ask();
}

ByteCount Http2Connection::grow_window(std::int32_t id, ByteCount window) {
    const ByteCount larger = std::min(window * 4, kLargestWindow);
    if (larger == window || granted_ + larger - window > kWindowBudget || state_ != State::open) return window;
    granted_ += larger - window;
    nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, id, static_cast<std::int32_t>(larger));
    return larger;
}

void Http2Connection::reset(std::int32_t id, std::uint32_t code) {
    if (state_ != State::open) return;
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, code);
    pump_soon_.ask();
}

// ---- Sending

void Http2Connection::pump() {
    if (state_ != State::open) return;
    if (in_session_) return pump_soon_.ask();
    if (refusal_) refuse();
    auto& shared = context_.loop.buffers().frames;
    if (shared.empty()) return pump_soon_.ask();  // another connection gathers right now, further up the stack
    out_.swap(shared);
    in_session_ = true;
    bool more = true;
    while (more && transport_->send_ready()) {
        gathered_ = 0;
        more = gather();
        if (gathered_ > 0) transport_->send(Octets(out_).first(gathered_));
    }
    in_session_ = false;
    out_.swap(shared);
    if (broken_) return give_up();
    end_if_done();
}

// Fills the buffer with frames. False: nghttp2 has no more.
bool Http2Connection::gather() {
    full_ = false;
    while (out_.size() - gathered_ >= kFrameRoom) {
        const std::uint8_t* data = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
        if (size < 0) {
            broken_ = true;
            return false;
        }
        if (size == 0) return full_;
        std::memcpy(out_.data() + gathered_, data, static_cast<std::size_t>(size));
        gathered_ += static_cast<std::size_t>(size);
    }
    return true;
}

Http2Request::Filled Http2Connection::fill(std::int32_t id, std::size_t most) {
    Http2Request* request = find(id);
    if (!request) return {};
    const MutableOctets room = MutableOctets(out_).subspan(gathered_ + kFrameHeader);
    return request->fill(room.first(std::min(most, room.size())));
}

// ---- Time

// How long until the next look: soon while requests are under way.
void Http2Connection::rest() {
    if (state_ != State::open) return;
    const EdgeSettings& settings = context_.settings;
    if (requests_.empty()) {
        const bool leaving = last_said_ || notice_sent_;
        idle_until_ = context_.loop.now() + (leaving ? std::min<Duration>(settings.idle_timeout, kNoticeTime) : settings.idle_timeout);
        look_.start(idle_until_ - context_.loop.now());
    } else {
        const auto shortest = std::min({settings.content_timeout, settings.stall_timeout, settings.head_deadline});
        look_.start(std::clamp<EdgeSettings::Milliseconds>(shortest / 4, EdgeSettings::Milliseconds(10), EdgeSettings::Milliseconds(5000)));
    }
}

void Http2Connection::look_around() {
    if (state_ == State::lingering) return give_up();
    if (state_ == State::over) return;
    const TimePoint now = context_.loop.now();
    const bool slow_head = head_since_ != TimePoint{} && now - head_since_ > context_.settings.head_deadline;
    if (!settled_ || slow_head) return give_up();
    if (requests_.empty() && now < idle_until_) return look_.start(idle_until_ - now);
    if (notice_sent_) say_last();
    if (requests_.empty()) {
        say_last();
        pump();
        if (state_ == State::open) give_up();  // the visitor doesn't take even that
        return;
    }
    for (std::size_t i = requests_.size(); i-- > 0 && state_ == State::open;)
        if (i < requests_.size()) requests_[i]->look_for_stall(now);
    origins_.trim(now - kOriginRest, kIdleOrigins);
    rest();
}

// ---- Ending

void Http2Connection::drain_gently() {
    if (state_ != State::open || notice_sent_ || last_said_) return;
    notice_sent_ = true;
    nghttp2_submit_shutdown_notice(session_.get());
    pump_soon_.ask();
    if (requests_.empty()) rest();
}

void Http2Connection::drain() {
    if (state_ != State::open) return;
    say_last();
    pump();
}

void Http2Connection::cut() {
    if (state_ == State::over) return;
    transport_->abort();
    give_up();
}

void Http2Connection::say_last() {
    if (std::exchange(last_said_, true)) return;
    notice_sent_ = false;
    nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR, nullptr, 0);
    pump_soon_.ask();
}

void Http2Connection::end_if_done() {
    if (state_ != State::open) return;
    if (nghttp2_session_want_read(session_.get()) || nghttp2_session_want_write(session_.get())) return;
    begin_ending();
}

void Http2Connection::begin_ending() {
    state_ = State::lingering;
    while (!requests_.empty()) retire(*requests_.back());
    origins_.clear();
    transport_->end_send();
    if (paused_) transport_->resume_receive();
    look_.start(context_.settings.linger);
}

void Http2Connection::give_up() {
    if (state_ == State::over) return;
    state_ = State::over;
    while (!requests_.empty()) retire(*requests_.back());
    transport_->close();
    over();
}

void Http2Connection::over() {
    state_ = State::over;
    look_.cancel();
    origins_.clear();
    context_.metrics.open_connections.subtract();
    context_.owner.on_connection_over(*this);
}

}  // namespace sallyport
