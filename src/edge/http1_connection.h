// http1_connection.h: one visitor's HTTP/1.1 connection (RFC 9112): reads requests one after another, hands each to the
// Exchange, writes the answer, and keeps the deadlines. Lives on the context's loop.
//
// Pipelined requests wait in a bounded buffer (one receive) until the one before is answered; receiving pauses meanwhile.
// A visitor that ends its direction (FIN): behind a complete request on a plain connection it is still served. Under TLS it
// counts as gone (close_notify is how browsers leave; no HTTP client half-closes TLS), so that the origin hears of it
// at once. On an upgraded connection the end is passed on, either way.
// An answer that can't be completed ends with a reset, never with anything that could pass for its end.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "edge/answer_writer.h"
#include "edge/content_reader.h"
#include "edge/edge_context.h"
#include "edge/error_page.h"
#include "edge/exchange.h"
#include "edge/received_octets.h"
#include "edge/request_sender.h"
#include "net/tls_transport.h"
#include "net/transport.h"
#include "tunnel/stream.h"
#include "wire/http1_parser.h"

namespace sallyport {

class Http1Connection final : private Transport::Owner {
public:
    Http1Connection(EdgeContext& context, TransportPtr transport);
    ~Http1Connection();
    Http1Connection(const Http1Connection&) = delete;
    Http1Connection& operator=(const Http1Connection&) = delete;

    // One of the two, once. `tls` is the transport itself; the first request comes after the handshake. `server_name`: of
    // the ClientHello, may be empty.
    void start(std::unique_ptr<Exchange> exchange);
    void start_tls(TlsTransport& tls, std::string server_name, std::unique_ptr<Exchange> exchange);
    // Closes it if it is idle; else its answer will be the last.
    void drain();
    // Cuts it now, without a word to anybody but the exchange.
    void cut();

    // ---- For the exchange: the request
    RequestHead& request() { return request_; }
    const std::string& server_name() const { return server_name_; }
    const SocketAddress& peer() const { return transport_->peer_address(); }
    const std::string& peer_ip();
    TlsTransport* tls() const { return tls_; }
    bool content_done() const { return content_.done(); }
    // Lets `sender` take content for `room`. An error is the visitor's: break_off() then, once outside the caller's callbacks.
    Result<std::size_t> pull(RequestSender& sender, MutableOctets room);
    // Content to be used here: where next_content() is empty and content_done() is not, more follows by on_content().
    Result<Octets> next_content() { return content_.next(input_); }
    void took_content(std::size_t count);

    // ---- For the exchange: the answer
    AnswerWriter& answer() { return answer_; }
    bool answer_begun() const { return status_ != 0; }
    // The head, with its framing made fit for this visitor. Connection fields of the origin's must be gone.
    void begin_answer(ResponseHead& head);
    void finish(const FieldSection& trailers);  // the answer is complete; the next request may begin within this call
    void answer_problem(const Problem& problem, std::string_view detail_for_log = {});  // begin and finish
    void answer_whole(ResponseHead& head, std::string_view content);                    // begin and finish; short content
    // The answer can't be completed.
    void abort();
    // answer_problem() if nothing was answered yet, else a note in the log and abort().
    void fail_answer(const Problem& problem, std::string_view detail_for_log);
    void break_off(const Problem& problem);  // cancels the exchange, then the same; the connection ends

    // ---- For the exchange: after a 101
    void upgrade(ResponseHead& head);
    Stream::Pulled pull_raw(MutableOctets room);
    void end_raw();  // the origin ended its direction; the connection is over once the visitor has ended its own and that was pulled

    // Gives the connection to the door's owner; the exchange is over.
    void hand_over(std::unique_ptr<TunnelDoor::Admission> admission);

    // Which route's counters the request under way belongs to.
    void count_for(RouteCounters* counters) { counters_ = counters; }

    std::size_t place = 0;  // in the owner's list

private:
    enum class State {
        handshake,
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

    void on_handshake(const Result<>& done);
    void on_deadline();
    void advance();
    bool step();
    bool read_head();
    void begin_request();
    void refuse_head(const Problem& problem);
    bool drop_content();
    bool drain_content();
    void become_idle();
    void close_request();
    void begin_ending();
    void try_to_end();
    void try_to_end_raw();
    void look_for_stall();
    void look_for_end();
    void give_up();  // no answer any more: cancels the exchange, closes
    void over();
    void settle_receive();
    void log_problem(const Problem& problem, std::string_view detail);

    EdgeContext& context_;
    TransportPtr transport_;
    TlsTransport* tls_ = nullptr;  // transport_, where TLS ends here
    std::string server_name_;
    std::string peer_ip_;
    std::unique_ptr<Exchange> exchange_;

    State state_ = State::handshake;
    ReceivedOctets input_;
    HeadReader reader_;
    RequestHead request_;
    ContentReader content_;
    AnswerWriter answer_;
    bool persistent_ = false;
    bool input_ended_ = false;
    bool paused_ = false;
    bool advancing_ = false;
    bool wants_head_octets_ = true;  // idle, and what is there is no complete head
    bool head_timing_ = false;       // the head's deadline runs
    bool in_request_ = false;        // between begin_request and close_request, for log and metrics
    bool stalled_ = false;           // the visitor took nothing when last looked at
    bool raw_ending_ = false;
    bool send_ended_ = false;

    int status_ = 0;  // of the answer under way; 0 before it
    TimePoint began_{};
    ByteCount request_octets_ = 0;
    ByteCount drained_ = 0;
    ByteCount octets_when_ended_ = 0;  // both ways, of an upgraded connection of which one direction has ended
    RouteCounters* counters_ = nullptr;
    std::string error_id_;
    ResponseHead own_answer_;
    std::string page_;

    Timer deadline_;
};

}  // namespace sallyport
