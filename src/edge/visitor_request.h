// visitor_request.h: one request of a visitor and its answer, as an Exchange sees it, whatever version of HTTP carries it.
// What both versions share is here: the request's head and content as they came in, the answer's status, error pages, and
// what log and metrics say when it is over. Http1Connection and Http2Request add the wire. Lives on the context's loop.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "edge/content_reader.h"
#include "edge/edge_context.h"
#include "edge/error_page.h"
#include "edge/exchange.h"
#include "edge/origin_pool.h"
#include "edge/proxy_trust.h"
#include "edge/received_octets.h"
#include "edge/request_sender.h"
#include "edge/visitor_limits.h"
#include "net/tls_transport.h"
#include "tunnel/stream.h"
#include "wire/http1_message.h"

namespace sallyport {

class VisitorRequest {
public:
    explicit VisitorRequest(EdgeContext& context) : context_(context) {}
    VisitorRequest(const VisitorRequest&) = delete;
    VisitorRequest& operator=(const VisitorRequest&) = delete;

    // ---- The visitor
    virtual std::string_view protocol() const = 0;  // "HTTP/1.1"
    virtual const std::string& server_name() const = 0;
    virtual const SocketAddress& peer() const = 0;  // who is connected: perhaps a proxy
    virtual const std::string& peer_ip() = 0;
    virtual const ProxyTrust& proxy_trust() const = 0;
    // Who the visitor is, as far as anybody is believed: what limits, rules, logs and origins are to use.
    const std::string& visitor_ip() { return named_ip_.empty() ? peer_ip() : named_ip_; }
    // The same where a proxy's fields name it, and so each request of this connection may be another one's; else "".
    const std::string& named_ip() const { return named_ip_; }
    Scheme scheme() const { return scheme_; }
    enum class Standing {
        welcome,
        unknown,   // a trusted proxy has written something that names nobody
        too_many,  // requests under way of this address
    };
    Standing standing() const { return standing_; }
    void note_reset();  // the visitor has given up this request half-way
    virtual TlsTransport* tls() const = 0;  // null where no TLS ends here
    virtual VisitorLimits::Visit& visitor_count() = 0;
    // Streams to origins between two requests of this visitor's connection.
    virtual OriginPool& origins() = 0;
    // HTTP/2 only: browsers use one connection for several names (RFC 9113 9.1.1). May this one serve `host`?
    virtual bool coalesces() const { return false; }
    virtual bool covers(const std::string& host) { return host == server_name(); }

    // ---- The request
    RequestHead& request() { return request_; }
    bool content_done() const { return content_.done(); }
    // Lets `sender` take content for `room`. An error is the visitor's: break_off() then, once outside the caller's callbacks.
    virtual Result<std::size_t> pull(RequestSender& sender, MutableOctets room) = 0;
    // Content to be used here: where next_content() is empty and content_done() is not, more follows by on_content().
    Result<Octets> next_content() { return content_.next(input_); }
    virtual void took_content(std::size_t count) = 0;

    // ---- The answer
    bool answer_begun() const { return status_ != 0; }
    // False: the visitor doesn't read; write no head now, on_send_ready follows.
    virtual bool head_ready() = 0;
    virtual void interim(const ResponseHead& head) = 0;
    // The head, with its framing made fit for this visitor. Connection fields of the origin's must be gone.
    virtual void begin_answer(ResponseHead& head) = 0;
    // False: call no content() or raw() now, on_send_ready follows.
    virtual bool ready() = 0;
    // Each takes a part of `octets`, at least one octet while ready(), and says how many.
    virtual std::size_t content(Octets octets) = 0;
    virtual std::size_t raw(Octets octets) = 0;
    virtual void flush() = 0;  // nothing more follows for now: what was given may leave
    // So many octets were refused by ready() and stay where they lie until this returns: a last chance to take them there.
    virtual void take_where_they_lie(std::size_t /*waiting*/) {}
    virtual void finish(const FieldSection& trailers) = 0;  // the answer is complete; the next request may begin within this call
    void answer_problem(const Problem& problem, std::string_view detail_for_log = {});  // begin and finish
    virtual void answer_whole(ResponseHead& head, std::string_view content) = 0;        // begin and finish; short content
    // The answer can't be completed.
    virtual void abort() = 0;
    // answer_problem() if nothing was answered yet, else a note in the log and abort().
    void fail_answer(const Problem& problem, std::string_view detail_for_log);
    virtual void break_off(const Problem& problem) = 0;  // cancels the exchange, then the same

    // ---- After a 101
    // Whether the origin has accepted what this visitor asked for.
    virtual Result<> check_upgrade(const ResponseHead&) { return {}; }
    virtual void upgrade(ResponseHead& head) = 0;
    virtual Stream::Pulled pull_raw(MutableOctets room) = 0;
    virtual void end_raw() = 0;  // the origin ended its direction; all is over once the visitor has ended its own and that was pulled

    // The whole connection may leave the edge; hand_over() gives it to the door's owner, and the exchange is over.
    virtual bool can_hand_over() const = 0;
    virtual void hand_over(std::unique_ptr<TunnelDoor::Admission> admission) = 0;

    // Which route's counters the request under way belongs to.
    void count_for(RouteCounters* counters) { counters_ = counters; }

protected:
    ~VisitorRequest() = default;

    void open_request();                          // from here on in_request_
    void close_request(ByteCount answer_octets);  // it is over, one way or another: what log and metrics say of it
    void log_problem(const Problem& problem, std::string_view detail);

    void identify();

    EdgeContext& context_;
    std::string named_ip_;
    Scheme scheme_ = Scheme::https;
    Standing standing_ = Standing::welcome;
    VisitorLimits::Visit guest_;  // where named_ip_ is set: counts the request for that address
    std::unique_ptr<Exchange> exchange_;
    ReceivedOctets input_{ReceivedOctets::Counted::yes};
    RequestHead request_;
    HeldCount head_held_;  // request_, and what is made of it for the origin
    ContentReader content_;
    bool in_request_ = false;  // between open_request and close_request
    int status_ = 0;           // of the answer under way; 0 before it
    TimePoint began_{};
    ByteCount request_octets_ = 0;
    RouteCounters* counters_ = nullptr;
    std::string error_id_;
    ResponseHead own_answer_;
    std::string page_;
};

}  // namespace sallyport
