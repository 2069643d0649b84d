// http2_connection.h: one visitor's HTTP/2 connection (RFC 9113), by nghttp2: its frames, its requests, what it may ask of us, and how
// it ends. Each request is served by an Exchange of its own. Lives on the context's loop.
//
// Sending: one round gathers frames into a buffer that the loop's connections share, up to one send of the transport, and goes on
// while the socket takes it; nghttp2 chooses whose frame is next (RFC 9218). So nothing of an answer waits here.
// Receiving: the connection's credit is given back on receipt, a stream's when its octets have left for the origin, so that a
// stalled stream stops no other one. Requests begin once everything received with them was read: what was reset by then never
// reaches an origin.
// What costs us and brings the visitor nothing (control frames, requests thrown away) is counted; who does too much of it is told
// ENHANCE_YOUR_CALM.
#pragma once
#include <nghttp2/nghttp2.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "edge/http2_allowance.h"
#include "edge/http2_head_reader.h"
#include "edge/http2_request.h"
#include "edge/origin_pool.h"
#include "edge/visitor_connection.h"
#include "net/tls_transport.h"
#include "net/transport.h"

namespace sallyport {

class Http2Connection final : public VisitorConnection, private Transport::Owner {
public:
    static constexpr std::uint32_t kMostStreams = 100;       // requests at the same time
    static constexpr ByteCount kFirstWindow = 64_KiB;        // of a stream, towards us
    static constexpr ByteCount kLargestWindow = 1_MiB;
    static constexpr ByteCount kWindowBudget = 4_MiB;        // what all windows together may grow beyond the first
    static constexpr std::int32_t kConnectionWindow = 1 << 20;  // given back on receipt: bounds what is under way only

    using MakeExchange = std::unique_ptr<Exchange> (*)(EdgeContext&, VisitorRequest&);
    Http2Connection(EdgeContext& context, TransportPtr transport, MakeExchange make_exchange);
    ~Http2Connection() override;

    // Once. As Http1Connection::start.
    void start(TlsTransport* tls = nullptr, std::string server_name = {});
    void drain_gently() override;
    void drain() override;
    void cut() override;

    // ---- For the requests
    const std::string& server_name() const { return server_name_; }
    const SocketAddress& peer() const { return transport_->peer_address(); }
    const std::string& peer_ip();
    TlsTransport* tls() const { return tls_; }
    OriginPool& origins() { return origins_; }
    bool covers(const std::string& host);

    enum class Content { follows, none };
    void submit_interim(std::int32_t id, const ResponseHead& head);
    void submit_answer(Http2Request& request, const ResponseHead& head, Content content);
    void resume(Http2Request& request);  // it has something to send
    void give_credit(std::int32_t id, ByteCount octets);
    ByteCount grow_window(std::int32_t id, ByteCount window);  // the window from now on
    static constexpr std::uint32_t kInternalError = NGHTTP2_INTERNAL_ERROR;
    void reset(std::int32_t id, std::uint32_t code);
    void pump();  // sends what may be sent; at the turn's end if called from inside nghttp2

private:
    struct Callbacks;
    enum class State {
        open,
        lingering,  // our direction has ended; what still comes is dropped, so that no reset overtakes the GOAWAY
        over,
    };

    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override;
    void on_transport_error(const Error& error) override;

    Http2Request* find(std::int32_t id) const;
    int admit(double tokens);  // 0, or what nghttp2 is told where a visitor has used up its allowance
    void count_reset();
    void on_request(std::int32_t id, Http2HeadReader::Ends ends);
    bool must_not_speak(std::int32_t id) const;
    void on_stream_closed(std::int32_t id, std::uint32_t code);
    void retire(Http2Request& request);
    void begin_requests();
    bool gather();
    Http2Request::Filled fill(std::int32_t id, std::size_t most);
    void refuse();
    int refuse_soon(std::uint32_t code);
    void settle_receive();
    void look_around();
    void rest();
    void say_last();
    void end_if_done();
    void begin_ending();
    void give_up();
    void over();
    void submit_trailers(Http2Request& request, std::uint32_t& flags);
    nghttp2_nv* write_fields(const ResponseHead& head, std::size_t& count);

    EdgeContext& context_;
    TransportPtr transport_;
    TlsTransport* tls_ = nullptr;
    std::string server_name_;
    std::string peer_ip_;
    std::string covered_;  // a name found to be covered
    MakeExchange make_exchange_;
    OriginPool origins_;

    struct SessionDeleter {
        void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
    };
    std::unique_ptr<nghttp2_session, SessionDeleter> session_;
    State state_ = State::open;
    std::vector<std::unique_ptr<Http2Request>> requests_;  // with an open stream
    std::vector<std::unique_ptr<Http2Request>> spare_;     // ready to be used again
    std::vector<std::int32_t> arrived_;                    // to be begun
    std::array<std::int32_t, 128> closed_by_us_{};         // the last streams that we closed before the visitor did; kMostStreams and some
    std::size_t closed_by_us_at_ = 0;
    std::int32_t reset_by_visitor_ = 0;                    // the last stream that it has reset
    Http2HeadReader head_;
    TimePoint head_since_{};  // a header section has begun and not ended
    Http2Allowance frames_;
    Http2Allowance resets_;
    std::uint32_t refusal_ = 0;  // the code of a connection error that is raised by us

    std::vector<std::byte> out_;  // the loop's, while gathering
    std::size_t gathered_ = 0;
    bool unhindered_ = false;      // less of it than there was room for
    TimePoint idle_until_{};
    Http2Request::Filled filled_;  // what fill() put behind the place of the DATA frame's header
    std::vector<nghttp2_nv> fields_;
    std::string names_;
    ByteCount granted_ = 0;  // windows beyond the first, of all streams
    bool in_session_ = false;
    bool full_ = false;      // gathering stopped although nghttp2 has more
    bool paused_ = false;
    bool refused_ = false;
    bool broken_ = false;    // nghttp2 can't go on
    bool settled_ = false;   // the visitor's SETTINGS have come
    bool notice_sent_ = false;
    bool last_said_ = false;
    TurnEnd pump_soon_;
    Timer look_;
};

}  // namespace sallyport
