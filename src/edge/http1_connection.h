// http1_connection.h: one visitor's HTTP/1.1 connection (RFC 9112): reads requests one after another, hands each to the
// Exchange, writes the answer, and keeps the deadlines. Lives on the context's loop.
//
// Pipelined requests wait in a bounded buffer (one receive) until the one before is answered; receiving pauses meanwhile.
// A visitor that ends its direction (FIN): behind a complete request on a plain connection it is still served. Under TLS it
// counts as gone (close_notify is how browsers leave; no HTTP client half-closes TLS), and so behind a trusted proxy (a FIN is how
// proxies pass on that theirs has left), so that the origin hears of it at once. On an upgraded connection the end is passed on, either way.
// An answer that can't be completed ends with a reset, never with anything that could pass for its end.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "edge/answer_writer.h"
#include "edge/visitor_connection.h"
#include "edge/visitor_request.h"
#include "net/tls_transport.h"
#include "net/transport.h"
#include "wire/http1_parser.h"

namespace sallyport {

class Http1Connection final : public VisitorConnection, public VisitorRequest, private Transport::Owner {
public:
    Http1Connection(EdgeContext& context, TransportPtr transport);
    ~Http1Connection() override;

    // Once. `tls`: the transport itself, its handshake done, where TLS ends here; `server_name`: of its ClientHello, may be empty.
    void start(std::unique_ptr<Exchange> exchange, TlsTransport* tls = nullptr, std::string server_name = {});
    void drain() override;  // closes it if it is idle; else its answer will be the last
    void cut() override;

    // ---- For the exchange
    std::string_view protocol() const override { return request_.version_minor == 0 ? "HTTP/1.0" : "HTTP/1.1"; }
    const std::string& server_name() const override { return server_name_; }
    const SocketAddress& peer() const override { return transport_->peer_address(); }
    const std::string& peer_ip() override;
    const ProxyTrust& proxy_trust() const override { return trust; }
    TlsTransport* tls() const override { return tls_; }
    VisitorLimits::Visit& visitor_count() override { return visit; }
    OriginPool& origins() override { return origins_; }

    Result<std::size_t> pull(RequestSender& sender, MutableOctets room) override;
    void took_content(std::size_t count) override;

    bool head_ready() override { return answer_.ready(); }
    void interim(const ResponseHead& head) override { answer_.interim(head); }
    void begin_answer(ResponseHead& head) override;
    bool ready() override { return answer_.ready(); }
    std::size_t content(Octets octets) override { return answer_.content(octets); }
    std::size_t raw(Octets octets) override { return answer_.raw(octets); }
    void flush() override { answer_.flush(); }
    void finish(const FieldSection& trailers) override;
    void answer_whole(ResponseHead& head, std::string_view content) override;
    void abort() override;
    void break_off(const Problem& problem) override;  // the connection ends

    void upgrade(ResponseHead& head) override;
    Stream::Pulled pull_raw(MutableOctets room) override;
    void end_raw() override;

    bool can_hand_over() const override { return true; }
    void hand_over(std::unique_ptr<TunnelDoor::Admission> admission) override;

private:
    enum class State {
        idle,       // no request under way; octets of a head may have come
        serving,    // the exchange has it
        raw,        // upgraded
        draining,   // answered, but the rest of the request's content is still to come
        ending,     // answered for good, but octets of the answer still wait to leave
        lingering,  // our direction has ended; what still comes is dropped, so that no reset overtakes the answer
        over,
    };

    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override;
    void on_transport_error(const Error& error) override;

    void on_deadline();
    void advance();
    bool step();
    bool read_head();
    void begin_request();
    void refuse_head(const Problem& problem);
    bool drop_content();
    bool drain_content();
    void become_idle();
    void end_request() { close_request(answer_.content_octets()); }
    std::chrono::milliseconds linger() const;
    void begin_ending();
    void try_to_end();
    void try_to_end_raw();
    void look_for_stall();
    void look_for_end();
    void give_up();  // no answer any more: cancels the exchange, closes
    void over();
    void settle_receive();

    TransportPtr transport_;
    TlsTransport* tls_ = nullptr;  // transport_, where TLS ends here
    std::string server_name_;
    std::string peer_ip_;
    OriginPool origins_;  // of one: requests come one after another

    State state_ = State::idle;
    HeadReader reader_;
    AnswerWriter answer_;
    bool persistent_ = false;
    bool input_ended_ = false;
    bool paused_ = false;
    bool advancing_ = false;
    bool wants_head_octets_ = true;  // idle, and what is there is no complete head
    bool head_timing_ = false;       // the head's deadline runs
    bool stalled_ = false;           // the visitor took nothing when last looked at
    bool raw_ending_ = false;
    bool send_ended_ = false;

    ByteCount drained_ = 0;
    ByteCount octets_when_ended_ = 0;  // both ways, of an upgraded connection of which one direction has ended

    Timer deadline_;
};

}  // namespace sallyport
