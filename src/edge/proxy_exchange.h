// proxy_exchange.h: serves a visitor's requests from origins behind agents: finds the route, waits for agent and permit where
// needed, sends the request on a stream, and passes the answer on as it comes. Lives on the context's loop; belongs to one
// VisitorRequest. Kept-alive streams wait in the pool of that visitor's connection.
//
// Nothing is buffered whole: a visitor that doesn't read leaves octets in the stream's window; an origin that doesn't read
// leaves them at the visitor. A kept stream that turns out dead is replaced once by a fresh one, if repeating can do no harm:
// no octet of an answer came, no content is gone, and the method is idempotent (RFC 9110 9.2.2) or nothing was sent at all.
#pragma once
#include <memory>
#include <string>

#include "edge/content_reader.h"
#include "edge/edge_context.h"
#include "edge/exchange.h"
#include "edge/login_guard.h"
#include "edge/origin_connection.h"
#include "edge/password_checker.h"
#include "edge/request_policy.h"
#include "edge/request_sender.h"
#include "edge/visitor_request.h"
#include "wire/http1_parser.h"

namespace sallyport {

class ProxyExchange final : public Exchange, private OriginConnection::User {
public:
    ProxyExchange(EdgeContext& context, VisitorRequest& visitor);
    ~ProxyExchange() override;

    void begin() override;
    void on_content() override;
    void on_send_ready() override;
    void cancel() override;

private:
    enum class Stage {
        none,
        waiting,    // for the verdict on a password, the agent or a permit
        knocking,   // a stream is open; the request waits for what the agent finds out about the target
        sending,    // the request is on its way; no final answer yet
        answering,  // the answer's content
        raw,        // upgraded
    };

    // The way to the origin, one step after the other; each goes on with the next, waits, or answers with a problem.
    bool shown_to_door();
    void hide_credentials_of_agent();
    bool find_route();
    bool is_of_doctor();
    void judge_by_policy();
    void judge_password();
    void ask_password();
    void on_password(PasswordChecker::Verdict verdict);
    void judge_login();
    void wait_for_turn(LoginGuard::Kind kind, void (ProxyExchange::*go_on)());
    void count_unknown_host();
    void refuse(PolicyRefusal reason, const Problem& problem);
    void find_agent();
    void on_online(bool online);
    void get_permit();
    void on_permit(Result<std::unique_ptr<Origins::Permit>> permit);
    void send_request();
    void knock();
    void decide_after_knock();
    void on_knock_due();
    bool write_as_decided(ForwardedFields forwarded);
    void use_origin();
    void write_request(ForwardedFields forwarded);
    bool use_kept_origin();
    bool open_origin();

    void on_origin_accepted() override;
    void on_origin_octets() override;
    void on_origin_refused(const Refusal& refusal) override;
    Stream::Pulled on_origin_pull(MutableOctets room) override;

    void pump();
    bool read_answer_head();
    void pass_interim();
    void begin_answer();
    void begin_raw();
    void relay_content();
    void relay_raw();
    void finish_answer();
    void on_origin_lost();
    bool may_repeat() const;

    void on_answer_overdue();
    void note_raw_octets();
    void do_later();
    void fail(const Problem& problem, std::string_view detail = {});
    void let_go();
    void drop_origin();
    const AgentView::Target* target() const;
    std::string origin_name() const;

    EdgeContext& context_;
    VisitorRequest& visitor_;

    // Of the last request's host, so that the next one to the same host needs no look-up.
    std::shared_ptr<const RouteTable> routes_;
    std::string authority_;
    std::string host_;
    const RouteTable::Site* site_ = nullptr;
    const Route* counted_ = nullptr;  // whose counters_ are
    RouteCounters* counters_ = nullptr;

    Stage stage_ = Stage::none;
    const Route* route_ = nullptr;  // in routes_, or doctor_route_
    std::unique_ptr<Route> doctor_route_;
    std::shared_ptr<const AgentView> agent_;
    std::unique_ptr<PasswordChecker::Question> question_;
    Presented presented_;               // until it is judged
    std::unique_ptr<LoginGuard> guard_;  // of a login, or a WebSocket at a home that asks for one
    std::unique_ptr<Origins::Wait> wait_;
    std::unique_ptr<Origins::Permit> permit_;
    std::unique_ptr<OriginConnection> origin_;
    RequestSender sender_;
    HeadReader reader_;
    ResponseHead answer_;
    ContentReader content_;
    std::string origin_host_;
    bool written_ = false;         // the request's head is in sender_
    ForwardedFields written_with_ = ForwardedFields::undecided;
    bool knock_answered_ = false;
    TimePoint knock_answered_at_{};
    bool upgrading_ = false;       // the request asks for WebSocket
    bool kept_ = false;            // origin_ has served a request before
    bool responded_ = false;       // octets of an answer have come
    bool repeated_ = false;
    bool reusable_ = false;        // the origin may be asked again after this answer
    bool clock_on_ = false;        // request_timeout runs
    bool raw_ended_ = false;
    bool content_broken_ = false;  // the visitor's
    bool content_too_large_ = false;  // with content_broken_: over the route's max_body
    bool look_again_ = false;      // for the agent, to repeat the request
    unsigned interims_ = 0;
    Timer answer_clock_;
    Timer knock_clock_;
    TurnEnd later_;  // what must not be done inside the stream's own callbacks
};

}  // namespace sallyport
