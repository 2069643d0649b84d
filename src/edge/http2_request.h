// http2_request.h: one request of an HTTP/2 connection and its answer (RFC 9113 8.1), and the Exchange that serves it. Used again
// for later requests of the same connection. Lives on the context's loop; the connection outlives it.
//
// Towards the visitor everything is pulled: when nghttp2 has room for a DATA frame (windows, priority, the socket) it asks fill(),
// which asks the exchange, and only meanwhile is the request ready(). So octets wait where they came from, the origin's stream.
// From the visitor octets are pushed, at most the stream's window, whose credit is given back when the exchange has taken them.
#pragma once
#include <string>

#include "edge/http2_head_reader.h"
#include "edge/visitor_request.h"

namespace sallyport {

class Http2Connection;

class Http2Request final : public VisitorRequest {
public:
    Http2Request(EdgeContext& context, Http2Connection& connection) : VisitorRequest(context), connection_(connection) {}
    void set_exchange(std::unique_ptr<Exchange> exchange) { exchange_ = std::move(exchange); }

    // ---- For the connection
    enum class State {
        none,      // waits to be used
        opened,    // its head is there
        serving,   // the exchange has it
        answered,  // the exchange is done with it; octets of the answer may still wait
    };
    State state() const { return state_; }
    std::int32_t id() const { return id_; }
    std::size_t place = 0;  // in the connection's list

    void open(std::int32_t id, Http2HeadReader& head, Http2HeadReader::Ends ends);
    void begin();
    void take_content(Octets octets);
    void end_content(FieldSection trailers);  // END_STREAM
    bool content_ended() const { return ended_by_visitor_; }
    // The stream is gone, and with it whatever was under way.
    void close();

    struct Filled {
        std::size_t octets = 0;
        bool end = false;
    };
    Filled fill(MutableOctets room);
    const FieldSection& trailers() const { return trailers_; }  // to be sent behind the end
    // nghttp2 was told that there is nothing; it must be told when there is.
    bool deferred = false;

    void look_for_stall(TimePoint now);
    ByteCount window() const { return window_; }  // what the visitor may send before we give credit

    // ---- For the exchange
    std::string_view protocol() const override { return "HTTP/2"; }
    const std::string& server_name() const override;
    const SocketAddress& peer() const override;
    const std::string& peer_ip() override;
    const ProxyTrust& proxy_trust() const override;
    TlsTransport* tls() const override;
    VisitorLimits::Visit& visitor_count() override;
    OriginPool& origins() override;
    bool coalesces() const override { return true; }
    bool covers(const std::string& host) override;

    Result<std::size_t> pull(RequestSender& sender, MutableOctets room) override;
    void took_content(std::size_t count) override;

    bool head_ready() override { return true; }
    void interim(const ResponseHead& head) override;
    void begin_answer(ResponseHead& head) override;
    bool ready() override;
    std::size_t content(Octets octets) override;
    std::size_t raw(Octets octets) override { return content(octets); }
    void flush() override {}
    void take_where_they_lie(std::size_t waiting) override;
    void finish(const FieldSection& trailers) override;
    void answer_whole(ResponseHead& head, std::string_view content) override;
    void abort() override;
    void break_off(const Problem& problem) override;

    Result<> check_upgrade(const ResponseHead& head) override;
    void upgrade(ResponseHead& head) override;
    Stream::Pulled pull_raw(MutableOctets room) override;
    void end_raw() override;

    bool can_hand_over() const override { return false; }
    void hand_over(std::unique_ptr<TunnelDoor::Admission>) override {}

private:
    void want_to_send();
    void end_answer();
    void drop_input();
    void gave_up(ByteCount octets);

    Http2Connection& connection_;
    std::int32_t id_ = 0;
    State state_ = State::none;
    int refused_ = 0;  // status, if the head alone refuses the request
    bool ended_by_visitor_ = false;
    bool raw_ = false;
    bool has_content_ = false;  // the answer has: nghttp2 pulls it
    bool end_ = false;          // nothing follows what was given to fill()
    bool wants_to_send_ = false;
    bool filling_ = false;
    MutableOctets room_;  // while filling_
    std::size_t filled_ = 0;
    std::string whole_;  // content of our own, the part from whole_at_ not given out yet
    std::size_t whole_at_ = 0;
    std::string websocket_key_;
    FieldSection trailers_;
    ByteCount answer_octets_ = 0;
    TimePoint received_at_{};    // the visitor's last octet
    TimePoint moved_at_{};       // the last octet either way
    TimePoint blocked_since_{};  // it takes no octet, or too few
    std::size_t since_blocked_ = 0;
    ByteCount window_ = 0;
    ByteCount drained_ = 0;
    ByteCount unconsumed_ = 0;
};

}  // namespace sallyport
