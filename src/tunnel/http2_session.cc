#include "tunnel/http2_session.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "net/buffer_budget.h"
#include "tunnel/http2_field.h"
#include "tunnel/http2_stream.h"
#include "tunnel/lazy_memory.h"
#include "wire/proxy_status.h"

namespace sallyport {
namespace {

constexpr std::size_t kFrameHeader = 9;                   // RFC 9113 4.1
constexpr std::uint32_t kMaxFrame = 128 * 1024;            // a whole send; the cost per octet halves against 16 KiB
constexpr std::int32_t kConnectionWindow = 8 << 20;       // given back on receipt: bounds what is under way only
constexpr std::size_t kMaxHeaderSection = 16 * 1024;      // names and values; ours are some hundred octets
constexpr std::string_view kControlPath = "/control";

std::string_view text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

Error stream_error(std::uint32_t code) {
    return {Errc::reset, std::string("stream reset: ") + nghttp2_http2_strerror(code)};
}

}  // namespace

// What nghttp2 calls. noexcept: only out-of-memory could throw here, and that ends the process.
struct Http2Session::Callbacks {
    static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }

    static int on_begin_headers(nghttp2_session*, const nghttp2_frame*, void* user) noexcept {
        self(user).block_ = {};
        return 0;
    }
    static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) noexcept {
        self(user).on_field(text(name, name_size), text(value, value_size));
        return 0;
    }
    static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        Http2Session& s = self(user);
        const std::int32_t id = frame->hd.stream_id;
        switch (frame->hd.type) {
            case NGHTTP2_SETTINGS:
                if (!(frame->hd.flags & NGHTTP2_FLAG_ACK) && !std::exchange(s.ready_, true)) s.owner_.on_session_ready();
                break;
            case NGHTTP2_HEADERS:
                s.on_header_section(id, frame->headers.cat == NGHTTP2_HCAT_REQUEST);
                break;
            case NGHTTP2_GOAWAY: s.fail({Errc::end_of_stream, "the other side ended the session"}); return 0;
            default: break;
        }
        if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
            (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            if (Http2Stream* stream = s.find(id)) {
                stream->peer_ended_ = true;
                if (stream->owner_) stream->owner_->on_stream_end();
            }
        }
        return 0;
    }
    static int on_data_chunk(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                             std::size_t size, void* user) noexcept {
        nghttp2_session_consume_connection(session, size);
        Http2Stream* stream = self(user).find(id);
        if (!stream || !stream->owner_) {
            nghttp2_session_consume_stream(session, id, size);
            return 0;
        }
        stream->unconsumed_ += size;
        BufferBudget::hold(size);
        stream->owner_->on_stream_octets(as_octets(data, size));
        return 0;
    }
    static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) noexcept {
        Http2Stream* stream = self(user).find(id);
        if (!stream) return 0;
        Stream::Owner* owner = stream->owner_;
        const bool in_order = code == NGHTTP2_NO_ERROR && stream->peer_ended_ && stream->ended_;
        stream->detach();
        if (owner && !in_order) owner->on_stream_reset(stream_error(code));
        return 0;
    }
    // Asks how long the next DATA frame may be. nghttp2 grows a buffer of its own to that size and keeps it, so the answer is
    // what is really there: idle tunnels stay small.
    static ssize_t read_length(nghttp2_session*, std::uint8_t, std::int32_t id, std::int32_t connection_window,
                               std::int32_t stream_window, std::uint32_t max_frame, void* user) noexcept {
        const auto window = static_cast<std::size_t>(std::max(std::min(connection_window, stream_window), 1));
        return static_cast<ssize_t>(std::max<std::size_t>(self(user).pull(id, std::min<std::size_t>(window, max_frame)), 1));
    }
    static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* header, std::size_t size,
                         nghttp2_data_source*, void* user) noexcept {
        Http2Session& s = self(user);
        s.write_data_frame(header, size);
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            if (Http2Stream* stream = s.find(frame->hd.stream_id)) stream->ended_ = true;
        }
        if (s.pipe_.has_room()) return 0;
        s.paused_ = true;
        return NGHTTP2_ERR_PAUSE;
    }
};

ssize_t Http2Session::read_callback(nghttp2_session* session, std::int32_t id, std::uint8_t*, std::size_t,
                                    std::uint32_t* flags, nghttp2_data_source*, void* user) noexcept {
    auto* stream = static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
    if (!stream || !stream->owner_) return NGHTTP2_ERR_DEFERRED;  // its reset is on the way
    return static_cast<Http2Session*>(user)->take_pulled(*stream, *flags);
}

Http2Session::Http2Session(Loop& loop, TunnelRole role, Pipe& pipe, const TunnelSettings& settings, Owner& owner)
    : loop_(loop), role_(role), pipe_(pipe), settings_(settings), owner_(owner), pump_soon_(loop, [this] { pump(); }) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_close);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, Callbacks::read_length);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, Callbacks::send_data);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, settings.most_streams);
    // Two rude visitors must not cut off a home: resets are bounded per visitor at the edge, not here.
    nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
    nghttp2_session* session = nullptr;
    if (role == TunnelRole::relay) nghttp2_session_client_new3(&session, callbacks, this, option, lazy_memory());
    else nghttp2_session_server_new3(&session, callbacks, this, option, lazy_memory());
    session_.reset(session);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

Http2Session::~Http2Session() {
    over_ = true;
    for (Http2Stream* stream : std::exchange(streams_, {})) {
        BufferBudget::release(stream->unconsumed_);
        stream->session_ = nullptr;
    }
}

void Http2Session::start() {
    const std::array settings{
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings_.most_streams},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(settings_.first_window)},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrame},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderSection},
        nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    const std::size_t count = settings.size() - (role_ == TunnelRole::agent ? 1 : 0);  // a server sends no ENABLE_PUSH
    nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings.data(), count);
    nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    pump_soon_.ask();
}

Http2Stream* Http2Session::find(std::int32_t id) const {
    return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session_.get(), id));
}

// ---- opening

Result<StreamPtr> Http2Session::connect(const OpenRequest& request, Stream::Owner& owner) {
    std::vector<nghttp2_nv> fields{field(":method", "CONNECT"), field(":authority", request.target)};
    if (!request.forwarded.empty()) fields.push_back(field("forwarded", request.forwarded));
    return submit(std::move(fields), owner);
}

Result<StreamPtr> Http2Session::open_control(Stream::Owner& owner) {
    return submit({field(":method", "POST"), field(":scheme", "https"), field(":authority", "relay"),
                   field(":path", kControlPath)},
                  owner);
}

Result<StreamPtr> Http2Session::submit(std::vector<nghttp2_nv> fields, Stream::Owner& owner) {
    if (over_) return sallyport::fail(Errc::reset, "the tunnel is closed");
    // Beyond the peer's limit nghttp2 would queue without a word; who asks shall hear it instead.
    const std::uint32_t most = std::min(settings_.most_streams, nghttp2_session_get_remote_settings(
                                                                    session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
    if (streams_.size() >= most) return sallyport::fail(Errc::no_space, "too many streams in the tunnel");
    auto stream = std::make_unique<Http2Stream>(*this, settings_.first_window);
    stream->owner_ = &owner;
    nghttp2_data_provider provider{};
    provider.source.ptr = stream.get();
    provider.read_callback = read_callback;
    const std::int32_t id =
        nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(), &provider, stream.get());
    if (id < 0) {
        stream->session_ = nullptr;
        return sallyport::fail(Errc::no_space, nghttp2_strerror(id));  // stream ids are used up after 2^30 streams
    }
    stream->id_ = id;
    streams_.insert(stream.get());
    pump_soon_.ask();
    return stream;
}

// ---- receiving

void Http2Session::receive(Octets octets) {
    if (over_) return;
    receiving_ = true;
    const auto taken = nghttp2_session_mem_recv(session_.get(), as_u8(octets), octets.size());
    receiving_ = false;
    if (over_) return;
    pump_soon_.ask();
    if (taken < 0) fail({Errc::protocol, std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(taken))});
}

void Http2Session::on_field(std::string_view name, std::string_view value) {
    block_.octets += name.size() + value.size();
    if (block_.octets > kMaxHeaderSection) {
        block_.too_large = true;
        return;
    }
    if (name == ":method") block_.method = value;
    else if (name == ":authority") block_.authority = value;
    else if (name == ":path") block_.path = value;
    else if (name == ":status") block_.status = value;
    else if (name == "forwarded") block_.forwarded = value;
    else if (name == "proxy-status") block_.proxy_status = value;
}

void Http2Session::on_header_section(std::int32_t id, bool is_request) {
    if (is_request && role_ == TunnelRole::agent) return on_request(id);
    if (Http2Stream* stream = find(id)) on_response(*stream);
}

void Http2Session::on_request(std::int32_t id) {
    if (block_.too_large) return reset(id, NGHTTP2_ENHANCE_YOUR_CALM);
    auto stream = std::make_unique<Http2Stream>(*this, settings_.first_window);
    stream->id_ = id;
    streams_.insert(stream.get());
    nghttp2_session_set_stream_user_data(session_.get(), id, stream.get());
    if (block_.method == "CONNECT")
        return owner_.on_session_stream({std::move(block_.authority), std::move(block_.forwarded)}, std::move(stream));
    if (block_.method == "POST" && block_.path == kControlPath) return owner_.on_session_control(std::move(stream));
    stream->refuse({404, "http_request_denied", "unknown kind of stream"});
}

void Http2Session::on_response(Http2Stream& stream) {
    if (stream.answered_ || block_.status.starts_with('1')) return;
    stream.answered_ = true;
    Stream::Owner* owner = stream.owner_;
    if (!owner) return;
    if (block_.status.starts_with('2')) return owner->on_stream_accepted();
    Refusal refusal;
    refusal.status = block_.status.size() == 3 ? std::atoi(block_.status.c_str()) : 502;
    if (const auto why = parse_proxy_status(block_.proxy_status)) {
        refusal.cause = name_of(why->error);
        refusal.details = why->details;
    }
    const std::int32_t id = stream.id_;
    stream.owner_ = nullptr;
    stream.detach();
    reset(id, NGHTTP2_CANCEL);
    owner->on_stream_refused(refusal);
}

// ---- sending

void Http2Session::pump() {
    if (over_ || pumping_) return;
    if (receiving_) return pump_soon_.ask();
    pumping_ = true;
    while (pipe_.make_room()) {
        paused_ = false;
        const std::uint8_t* data = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
        if (size < 0) {
            pumping_ = false;
            return fail({Errc::internal, std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(size))});
        }
        if (size > 0) pipe_.retained().append(as_octets(data, static_cast<std::size_t>(size)));
        else if (!paused_) break;
    }
    pumping_ = false;
    if (pipe_.retained().unsent() > 0) pipe_.flush_soon();
    if (!nghttp2_session_want_read(session_.get()) && !nghttp2_session_want_write(session_.get()))
        fail({Errc::protocol, "HTTP/2 connection error"});
}

// Fetches the content of the next DATA frame straight into the pipe's room, behind the place of its header.
std::size_t Http2Session::pull(std::int32_t id, std::size_t most) {
    pulled_ = {};
    Http2Stream* stream = find(id);
    if (!stream || !stream->owner_) return 0;
    const MutableOctets room = pipe_.retained().room().subspan(kFrameHeader);
    pulled_ = stream->owner_->on_stream_pull(room.first(std::min({most, room.size(), static_cast<std::size_t>(pipe_.quantum())})));
    return pulled_.octets;
}

ssize_t Http2Session::take_pulled(Http2Stream& stream, std::uint32_t& flags) {
    if (pulled_.octets == 0 && !pulled_.end) {
        stream.deferred_ = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (pulled_.end) flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(pulled_.octets);
}

// The content stands in the room already, put there by pull() just before.
void Http2Session::write_data_frame(const std::uint8_t* header, std::size_t length) {
    const MutableOctets room = pipe_.retained().room();
    std::memcpy(room.data(), header, kFrameHeader);
    pipe_.retained().commit(kFrameHeader + length);
}

void Http2Session::reset(std::int32_t id, std::uint32_t code) {
    if (over_) return;
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, id, code);
    pump_soon_.ask();
}

// Doubles twice over when a whole window was drained and little of it waits: the reader is faster than the window.
void Http2Session::grow_window(Http2Stream& stream) {
    if (stream.drained_ < stream.window_ || stream.unconsumed_ > stream.window_ / 4) return;
    stream.drained_ = 0;
    const ByteCount larger = std::min(stream.window_ * 4, settings_.largest_window);
    const ByteCount growth = larger - stream.window_;
    if (growth == 0 || granted_ + growth > settings_.window_budget || !BufferBudget::may_grow()) return;
    granted_ += growth;
    stream.window_ = larger;
    nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, stream.id_, static_cast<std::int32_t>(larger));
}

// ---- ending

void Http2Session::shut_down(const Error& reason) {
    if (over_) return;
    nghttp2_session_terminate_session(session_.get(), NGHTTP2_NO_ERROR);
    if (!receiving_ && !pumping_) pump();
    over_ = true;
    while (!streams_.empty()) {
        Http2Stream* stream = *streams_.begin();
        Stream::Owner* owner = stream->owner_;
        stream->detach();
        if (owner) owner->on_stream_reset({Errc::unreachable, reason.detail});
    }
}

void Http2Session::fail(Error error) {
    if (over_) return;
    owner_.on_session_failed(error);
}

}  // namespace sallyport
