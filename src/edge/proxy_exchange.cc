// A state machine; the stages stand in the header.
#include "edge/proxy_exchange.h"

#include "edge/route_gate.h"
#include "net/buffer_budget.h"
#include "wire/forwarded.h"
#include "wire/host_name.h"
#include "wire/http1_writer.h"
#include "wire/http_syntax.h"
#include "wire/relay_view.h"
#include "wire/websocket_handshake.h"

namespace sallyport {
namespace {

constexpr std::string_view kTunnelPath = "/tunnel";
constexpr unsigned kMostInterims = 16;  // arbitrary; stops an origin that never comes to the point
// A kept stream idle for longer is not used for a request that mustn't be repeated: the origin may be closing it right now.
constexpr std::chrono::seconds kSurelyAlive{1};
// How long an accepted stream waits for the verdict: an agent asks a target three times, 5 s each.
constexpr std::chrono::seconds kVerdictPatience{15};
constexpr std::chrono::milliseconds kLookForVerdict{20};
constexpr std::chrono::seconds kLongestKnock{30};  // where the route sets no request_timeout
constexpr std::chrono::seconds kDoctorTimeout{60};
constexpr std::size_t kBigHead = 16 * 1024;  // an idle connection keeps no more; arbitrary
const FieldSection kNoTrailers;

}  // namespace

ProxyExchange::ProxyExchange(EdgeContext& context, VisitorRequest& visitor)
    : context_(context),
      visitor_(visitor),
      answer_clock_(context.loop, [this] { on_answer_overdue(); }),
      knock_clock_(context.loop, [this] { on_knock_due(); }),
      later_(context.loop, [this] { do_later(); }) {}

ProxyExchange::~ProxyExchange() = default;

// ---- The way to the origin

void ProxyExchange::begin() {
    stage_ = Stage::waiting;
    written_ = kept_ = responded_ = repeated_ = reusable_ = clock_on_ = raw_ended_ = content_broken_ = content_too_large_ = look_again_ = false;
    interims_ = 0;
    route_ = nullptr;
    const RequestHead& head = visitor_.request();
    if (head.form == TargetForm::authority) return fail(problem::kConnectNotOffered);
    upgrading_ = head.wants_upgrade && !head.framing.has_content() && is_websocket_request(head);
    if (upgrading_ && shown_to_door()) return;
    if (visitor_.standing() == VisitorRequest::Standing::unknown) return fail(problem::kBadRequest, "the proxy in front names no address");
    if (visitor_.visitor_count().in_reserve() || visitor_.standing() == VisitorRequest::Standing::too_many) return fail(problem::kTooManyVisitors);
    if (BufferBudget::refuses_new()) return fail(problem::kRelayFull);
    if (!find_route()) return;
    if (has_looped(head.fields, context_.settings.cdn_loop_id)) return fail(problem::kLoop);
    if (is_of_doctor()) return find_agent();
    if (route_->policy) return judge_by_policy();
    find_agent();
}

bool ProxyExchange::shown_to_door() {
    const RequestHead& head = visitor_.request();
    if (head.method != "GET" || head.path() != kTunnelPath) return false;
    auto admission = visitor_.can_hand_over() ? context_.door.judge(head, visitor_.tls(), visitor_.scheme()) : nullptr;
    if (!admission) {
        hide_credentials_of_agent();
        return false;
    }
    stage_ = Stage::none;
    let_go();
    visitor_.hand_over(std::move(admission));
    return true;
}

// Routed like any other path from here on. But an agent whom the relay doesn't know must not show its credential to somebody's
// home, and no home may be able to pose as the relay.
void ProxyExchange::hide_credentials_of_agent() {
    FieldSection& fields = visitor_.request().fields;
    if (!fields.has_member(FieldId::sec_websocket_protocol, kTunnelProtocol) &&
        !fields.has_member(FieldId::sec_websocket_protocol, kViewProtocol))
        return;
    fields.remove(FieldId::authorization);
    fields.remove(FieldId::sec_websocket_protocol);
}

bool ProxyExchange::find_route() {
    RequestHead& head = visitor_.request();
    if (head.authority.empty()) head.authority = visitor_.server_name();  // HTTP/1.0 without Host
    drop_root_dot(head.authority);
    if (routes_ != context_.routes) {
        routes_ = context_.routes;
        authority_.clear();
        counted_ = nullptr;
    }
    if (authority_.empty() || authority_ != head.authority) {
        site_ = nullptr;
        authority_ = head.authority;
        const Result<Authority> authority = parse_authority(authority_);
        host_ = authority ? authority->host : std::string();
        if (authority) site_ = routes_->site(host_);
    }
    route_ = site_ ? RouteTable::find(*site_, head.path()) : nullptr;
    const bool other_name = host_ != visitor_.server_name();
    const std::string_view claimed = other_name ? routes_->agent_for_server_name(visitor_.server_name()) : std::string_view{};
    if (!route_ || !route_->enabled) {
        context_.metrics.unknown_host.add();
        if (!site_) count_unknown_host();
        // On a connection that was made for another name, that connection may be all that is wrong.
        fail(visitor_.coalesces() && !claimed.empty() ? problem::kMisdirected : problem::kUnknownHost);
        return false;
    }
    // A connection made for one home's name must not reach another home: it also is on the wrong loop for it. (An address,
    // or a name that leads nowhere, is no claim.) Over HTTP/2 it may, for the names that its certificate covers.
    if (!claimed.empty() && (visitor_.coalesces() ? !visitor_.covers(host_) : claimed != route_->agent_id)) {
        fail(problem::kMisdirected);
        return false;
    }
    if (counted_ != route_) {
        counted_ = route_;
        counters_ = &context_.metrics.route(route_->id, route_->hostname, route_->path_prefix);
    }
    visitor_.count_for(counters_);
    return true;
}

// A request of the doctor of this route's own agent: it leads to the agent itself, and no policy is asked, since it reaches
// nothing of the home. Without a good ticket it is a request like any other.
bool ProxyExchange::is_of_doctor() {
    RequestHead& head = visitor_.request();
    if (!context_.tickets || head.target.find(kDoctorPath) == std::string::npos) return false;
    std::string target = head.target;
    if (route_->path_prefix != "/") strip_prefix(target, route_->path_prefix);
    const DoctorPath path = DoctorPath::of(target);
    if (path.ticket.empty() || !context_.tickets->admit(path.ticket, route_->agent_id, context_.loop.now())) return false;
    head.target = path.rest;
    doctor_route_ = std::make_unique<Route>();
    doctor_route_->id = route_->id;
    doctor_route_->hostname = route_->hostname;
    doctor_route_->agent_id = route_->agent_id;
    doctor_route_->agent_name = route_->agent_name;
    doctor_route_->target = kDoctorTarget;
    doctor_route_->forward_client_ip = ForwardClientIp::never;
    doctor_route_->request_timeout = kDoctorTimeout;
    route_ = doctor_route_.get();
    return true;
}

// ---- The route's policy (route_gate.h), before anything is asked of the agent

void ProxyExchange::judge_by_policy() {
    if (const auto refusal = judge_request(*route_, visitor_.request(), visitor_.visitor_ip())) return refuse(refusal->reason, refusal->told);
    if (route_->policy->basic_auth) return judge_password();
    judge_login();
}

void ProxyExchange::judge_password() {
    RequestHead& head = visitor_.request();
    const PasswordNeed need = need_password(*route_, head, presented_);
    if (need == PasswordNeed::absent) return refuse(PolicyRefusal::no_password, problem::kPasswordWanted);
    drop_basic_credentials(head.fields);
    if (need != PasswordNeed::judge) return judge_login();
    if (!context_.passwords) return on_password(PasswordChecker::Verdict::busy);
    // Who was let in a moment ago tries nothing out.
    if (!context_.shield || context_.passwords->knows(*route_->policy->basic_auth, presented_)) return ask_password();
    wait_for_turn(LoginGuard::Kind::basic, &ProxyExchange::ask_password);
}

void ProxyExchange::ask_password() {
    const Presented presented = std::exchange(presented_, {});
    auto [verdict, question] = context_.passwords->ask(context_.loop, *route_->policy->basic_auth, presented, visitor_.visitor_ip(),
                                                       [this](PasswordChecker::Verdict later) { on_password(later); });
    if (!question) return on_password(verdict);
    question_ = std::move(question);
}

void ProxyExchange::on_password(PasswordChecker::Verdict verdict) {
    question_.reset();
    switch (verdict) {
        case PasswordChecker::Verdict::right:
            if (guard_) guard_->succeed();
            context_.loop.dispose(std::move(guard_));
            return judge_login();
        case PasswordChecker::Verdict::wrong:
            if (guard_) guard_->fail();
            return refuse(PolicyRefusal::wrong_password, problem::kPasswordWanted);
        case PasswordChecker::Verdict::busy: return refuse(PolicyRefusal::password_busy, problem::kPasswordBusy);
    }
}

void ProxyExchange::refuse(PolicyRefusal reason, const Problem& problem) {
    context_.metrics.policy_refused[static_cast<std::size_t>(reason)].add();
    fail(problem);
}

// ---- Logins at homes with a home-assistant preset, and their WebSockets (ban_shield.h)

void ProxyExchange::judge_login() {
    if (!context_.shield || route_->policy->preset == RoutePolicy::Preset::none) return find_agent();
    RequestHead& head = visitor_.request();
    std::string memory;
    if (upgrading_) {
        const bool login = is_login_websocket(path_at_origin(*route_, head, memory));
        return wait_for_turn(login ? LoginGuard::Kind::websocket : LoginGuard::Kind::other_websocket, &ProxyExchange::find_agent);
    }
    if (head.method != "POST") return find_agent();
    const LoginPath path = login_path(head.method, path_at_origin(*route_, head, memory));
    if (path == LoginPath::none) return find_agent();
    head.fields.remove_if([](const Field& field) { return equals_ignoring_case(field.name, "accept-encoding"); });  // so that the answer can be read on its way
    wait_for_turn(path == LoginPath::token ? LoginGuard::Kind::token : LoginGuard::Kind::password, &ProxyExchange::find_agent);
}

void ProxyExchange::wait_for_turn(LoginGuard::Kind kind, void (ProxyExchange::*go_on)()) {
    context_.loop.dispose(std::move(guard_));
    guard_ = std::make_unique<LoginGuard>(context_, visitor_, *route_, kind, [this, go_on](std::optional<int> retry_after) {
        if (!retry_after) return (this->*go_on)();
        Problem told = problem::kBanned;
        told.retry_after = *retry_after;
        refuse(PolicyRefusal::banned, told);
    });
    guard_->ask();
}

void ProxyExchange::count_unknown_host() {
    if (!context_.shield) return;
    const BanShield::Who who{.ip = visitor_.visitor_ip(), .home = {}, .home_name = {}, .foreign = is_foreign(visitor_.request())};
    if (const auto banned = context_.shield->fail_host(who, host_, context_.loop.now())) tell_of_ban(context_, *banned);
}

void ProxyExchange::find_agent() {
    agent_ = context_.origins.agent(route_->agent_id);
    if (agent_ && !agent_->lost) return get_permit();
    wait_ = context_.origins.wait_online(route_->agent_id, context_.settings.offline_grace, [this](bool online) { on_online(online); });
}

void ProxyExchange::on_online(bool online) {
    context_.loop.dispose(std::move(wait_));
    agent_ = online ? context_.origins.agent(route_->agent_id) : nullptr;
    if (!agent_ || agent_->lost) return fail(problem::kAgentOffline);
    get_permit();
}

void ProxyExchange::get_permit() {
    if (!permit_) permit_ = context_.origins.try_permit(route_->agent_id);
    if (permit_) return send_request();
    wait_ = context_.origins.wait_permit(
        route_->agent_id, context_.settings.permit_wait,
        [this](Result<std::unique_ptr<Origins::Permit>> permit) { on_permit(std::move(permit)); });
}

void ProxyExchange::on_permit(Result<std::unique_ptr<Origins::Permit>> permit) {
    context_.loop.dispose(std::move(wait_));
    if (!permit) return fail(permit.error().code == Errc::timeout ? problem::kAgentBusy : problem::kAgentOffline);
    permit_ = std::move(*permit);
    send_request();
}

const AgentView::Target* ProxyExchange::target() const {
    for (const AgentView::Target& known : agent_->targets)
        if (known.serves(route_->target, route_->id)) return &known;
    return nullptr;
}

// What a kept stream leads to. Of an SSH client two routes with one target may be two services.
std::string ProxyExchange::origin_name() const {
    const AgentView::Target* known = target();
    return known && !known->route.empty() ? route_->target + "@" + route_->id : route_->target;
}

void ProxyExchange::send_request() {
    const ForwardedFields forwarded = choose_forwarded_fields(route_->forward_client_ip, target());
    if (forwarded == ForwardedFields::undecided) return knock();
    if (!write_as_decided(forwarded)) return;
    if (!use_kept_origin() && !open_origin()) return;
    use_origin();
}

bool ProxyExchange::write_as_decided(ForwardedFields forwarded) {
    if (forwarded == ForwardedFields::refuse) {
        fail(problem::kTrustedNetworks);
        return false;
    }
    // A request that is repeated was written for a home that has changed its mind meanwhile.
    if (written_ && forwarded != written_with_) {
        fail(problem::kNotProbed);
        return false;
    }
    if (!written_) write_request(forwarded);
    written_with_ = forwarded;
    stage_ = Stage::sending;
    return true;
}

void ProxyExchange::use_origin() {
    reader_.reset();
    sender_.start();
    origin_->begin_use(*this);
    origin_->wake();
}

// Without the fields a home may take anybody for one of its own, so nothing is sent before it is known. A stream makes the
// agent find out, and tells what is wrong where it can't.
void ProxyExchange::knock() {
    drop_origin();
    kept_ = knock_answered_ = false;
    stage_ = Stage::knocking;
    if (!open_origin()) return;
    origin_->begin_use(*this);
    const auto timeout = route_->request_timeout.value_or(agent_->request_timeout);
    knock_clock_.start(timeout.count() > 0 ? timeout : kLongestKnock);
}

void ProxyExchange::on_origin_accepted() {
    if (stage_ != Stage::knocking) return;
    knock_answered_ = true;
    knock_answered_at_ = context_.loop.now();
    decide_after_knock();
}

void ProxyExchange::on_knock_due() {
    if (stage_ != Stage::knocking) return;
    if (knock_answered_) return decide_after_knock();
    const auto now = context_.origins.agent(route_->agent_id);
    fail(now && !now->lost ? problem::kOriginTimeout : problem::kAgentLost);
}

// What the agent found out comes by another stream than the acceptance, maybe a moment after it.
void ProxyExchange::decide_after_knock() {
    if (auto now = context_.origins.agent(route_->agent_id)) agent_ = std::move(now);
    const ForwardedFields forwarded = choose_forwarded_fields(route_->forward_client_ip, target());
    if (forwarded != ForwardedFields::undecided) {
        knock_clock_.cancel();
        if (write_as_decided(forwarded)) use_origin();
    } else if (context_.loop.now() - knock_answered_at_ >= kVerdictPatience) {
        fail(problem::kNotProbed);
    } else {
        knock_clock_.start(kLookForVerdict);
    }
}

void ProxyExchange::write_request(ForwardedFields forwarded) {
    written_ = true;
    RequestHead& head = visitor_.request();
    drop_untrusted_fields(head);
    if (upgrading_) head.fields.add("Upgrade", "websocket");
    if (forwarded == ForwardedFields::send) add_forwarded_fields(head.fields, visitor_.visitor_ip(), visitor_.scheme(), head.authority);
    head.fields.add("CDN-Loop", context_.settings.cdn_loop_id);
    if (route_->strip_prefix) strip_prefix(head.target, route_->path_prefix);
    if (route_->policy) route_->policy->request_fields.apply(head.fields);
    const ConnectionOption connection = upgrading_ ? ConnectionOption::upgrade : ConnectionOption::none;
    std::string& out = sender_.begin();
    if (const RoutePolicy* policy = route_->policy.get())
        if (policy->max_body || !policy->request_fields.empty()) sender_.limit(policy->max_body.value_or(~ByteCount{0}), &policy->request_fields);
    if (route_->preserve_host) {
        write_request_head(out, head, connection);
        return;
    }
    const AgentView::Target* known = target();
    origin_host_ = known && !known->authority.empty() ? known->authority : route_->target;
    std::swap(head.authority, origin_host_);  // the log names the visitor's
    write_request_head(out, head, connection);
    std::swap(head.authority, origin_host_);
}

bool ProxyExchange::use_kept_origin() {
    kept_ = false;
    origin_ = visitor_.origins().take(route_->agent_id, origin_name(), visitor_.named_ip());
    if (!origin_) return false;
    const bool fresh = context_.loop.now() - origin_->idle_since() < kSurelyAlive;
    if (fresh || is_idempotent(visitor_.request().method)) return kept_ = true;
    drop_origin();
    return false;
}

bool ProxyExchange::open_origin() {
    OpenRequest request;
    request.target = route_->target;
    request.route = route_->id;
    request.forwarded = format_forwarded({.for_address = visitor_.visitor_ip(),
                                          .for_port = visitor_.named_ip().empty() ? std::optional(visitor_.peer().port()) : std::nullopt,
                                          .proto = std::string(name_of(visitor_.scheme())),
                                          .host = visitor_.request().authority});
    origin_ = std::make_unique<OriginConnection>(route_->agent_id, origin_name());
    Result<StreamPtr> stream = context_.origins.open(route_->agent_id, request, *origin_);
    if (stream) {
        origin_->attach(std::move(*stream));
        return true;
    }
    fail(stream.error().code == Errc::no_space ? problem::kTooManyStreams : problem::kAgentOffline, stream.error().detail);
    return false;
}

// ---- The request's octets

void ProxyExchange::on_content() {
    if (stage_ == Stage::sending || stage_ == Stage::answering || stage_ == Stage::raw) origin_->wake();
}

Stream::Pulled ProxyExchange::on_origin_pull(MutableOctets room) {
    if (stage_ == Stage::raw) {
        const Stream::Pulled pulled = visitor_.pull_raw(room);
        if (pulled.octets > 0) note_raw_octets();
        if (pulled.end) context_.loop.dispose(std::move(guard_));  // the visitor ends it
        return pulled;
    }
    if ((stage_ != Stage::sending && stage_ != Stage::answering) || content_broken_) return {};
    const bool was_done = sender_.done();
    const Result<std::size_t> pulled = visitor_.pull(sender_, room);
    if (!pulled) {
        content_broken_ = true;
        content_too_large_ = pulled.error().code == Errc::too_large;
        later_.ask();
        return {};
    }
    // The clock starts when the last octet has left; where the visitor waits for a 100, with the head.
    const bool sent = sender_.done() && !was_done;
    const bool awaits_continue = visitor_.request().expects_continue && !sender_.content_begun();
    if (stage_ == Stage::sending && (sent || awaits_continue)) {
        clock_on_ = true;
        const auto timeout = route_->request_timeout.value_or(agent_->request_timeout);
        if (timeout.count() > 0) answer_clock_.start(timeout);
    } else if (!sender_.done()) {
        clock_on_ = false;
    }
    return {*pulled, false};
}

void ProxyExchange::on_answer_overdue() {
    if (stage_ == Stage::raw && clock_on_) return fail(problem::kStreamIdle);
    if (stage_ != Stage::sending || !clock_on_) return;
    const auto now = context_.origins.agent(route_->agent_id);
    fail(now && !now->lost ? problem::kOriginTimeout : problem::kAgentLost);
}

// ---- The answer's octets

void ProxyExchange::on_origin_octets() {
    pump();
    if (origin_) visitor_.take_where_they_lie(origin_->received().size());
}

void ProxyExchange::on_send_ready() {
    pump();
    if (origin_) origin_->settle();
}

void ProxyExchange::pump() {
    if (stage_ == Stage::knocking && origin_->end() != OriginConnection::End::none) return on_origin_lost();
    while (stage_ == Stage::sending && read_answer_head()) {
    }
    if (stage_ == Stage::answering) relay_content();
    else if (stage_ == Stage::raw) relay_raw();
}

// True if there may be more to do at once.
bool ProxyExchange::read_answer_head() {
    if (!visitor_.head_ready()) return false;
    ReceivedOctets& in = origin_->received();
    if (in.empty()) {
        if (origin_->end() != OriginConnection::End::none) on_origin_lost();
        return false;
    }
    responded_ = true;
    const Result<std::size_t> read = reader_.read_response(in.text(), visitor_.request().method, answer_);
    if (!read) {
        if (read.error().code != Errc::need_more) fail(problem::kOriginBadAnswer, read.error().detail);
        else if (origin_->end() != OriginConnection::End::none) on_origin_lost();
        else origin_->ask_for_more();  // a head may be as long as the window
        return false;
    }
    in.consume(*read);
    if (answer_.is_interim()) {
        pass_interim();
        return stage_ == Stage::sending;
    }
    if (answer_.status == 101) begin_raw();
    else begin_answer();
    return false;
}

void ProxyExchange::pass_interim() {
    if (++interims_ > kMostInterims) return fail(problem::kOriginBadAnswer, "too many interim answers");
    if (clock_on_) answer_clock_.start(route_->request_timeout.value_or(agent_->request_timeout));
    const RequestHead& head = visitor_.request();
    if (head.version_minor == 0 || (answer_.status == 100 && !head.expects_continue)) return;
    remove_connection_fields(answer_.fields);
    visitor_.interim(answer_);
    visitor_.flush();
}

void ProxyExchange::begin_answer() {
    clock_on_ = false;
    stage_ = Stage::answering;
    reusable_ = answer_.persistent;
    remove_connection_fields(answer_.fields);
    content_.start(answer_.framing);
    if (answer_.status == 400)
        if (const AgentView::Target* known = target(); known && known->home_assistant)
            context_.origins.report_unexpected_400(route_->agent_id, route_->target);
    if (guard_) guard_->begin_answer(answer_);
    if (route_->policy) route_->policy->response_fields.apply(answer_.fields);
    visitor_.begin_answer(answer_);
}

void ProxyExchange::relay_content() {
    VisitorRequest& out = visitor_;
    ReceivedOctets& in = origin_->received();
    while (!content_.done()) {
        if (!out.ready()) return;
        const Result<Octets> piece = content_.next(in);
        if (!piece) return fail(problem::kOriginBadAnswer, piece.error().detail);
        if (piece->empty()) break;
        const std::size_t taken = out.content(*piece);
        if (guard_) guard_->answer_content(as_text(piece->first(taken)));
        content_.took(in, taken);
    }
    if (!content_.done() && origin_->end() == OriginConnection::End::ended && !content_.end_of_input()) return on_origin_lost();
    if (content_.done()) return finish_answer();
    if (origin_->end() == OriginConnection::End::reset) return on_origin_lost();
    out.flush();
}

void ProxyExchange::finish_answer() {
    stage_ = Stage::none;
    permit_.reset();
    context_.loop.dispose(std::move(guard_));
    const bool sent = sender_.done();
    sender_.shrink();
    if (answer_.fields.octets() > kBigHead) answer_ = {};
    const bool complete = sent && origin_->received().empty() && origin_->end() != OriginConnection::End::reset;
    if (complete) origin_->end_use(context_.loop.now());
    if (complete && reusable_ && !origin_->dead()) visitor_.origins().give(std::move(origin_), visitor_.named_ip());
    else drop_origin();
    visitor_.finish(content_.framing().kind == Framing::Kind::chunked ? content_.trailers() : kNoTrailers);
}

void ProxyExchange::begin_raw() {
    if (!upgrading_ || !answer_.wants_upgrade || !answer_.fields.has_member(FieldId::upgrade, "websocket"))
        return fail(problem::kOriginBadAnswer, "101 that nobody asked for");
    if (answer_.fields.has_member(FieldId::sec_websocket_protocol, kTunnelProtocol))
        return fail(problem::kOriginBadAnswer, "a home that poses as a relay");
    if (const Result<> accepted = visitor_.check_upgrade(answer_); !accepted)
        return fail(problem::kOriginBadAnswer, accepted.error().detail);
    stage_ = Stage::raw;
    clock_on_ = route_->policy && route_->policy->idle_timeout;
    note_raw_octets();
    if (guard_) guard_->open();
    remove_connection_fields(answer_.fields);
    answer_.fields.add("Upgrade", "websocket");
    visitor_.upgrade(answer_);
    origin_->wake();  // what the visitor has sent behind its request was held back until now
}

void ProxyExchange::relay_raw() {
    VisitorRequest& out = visitor_;
    ReceivedOctets& in = origin_->received();
    while (!in.empty()) {
        if (!out.ready()) return;
        const std::size_t taken = out.raw(in.front());
        if (guard_) guard_->origin_said(taken);
        in.consume(taken);
        note_raw_octets();
    }
    out.flush();
    if (origin_->end() == OriginConnection::End::reset) return visitor_.abort();
    if (origin_->end() == OriginConnection::End::ended && !raw_ended_) {
        raw_ended_ = true;
        if (guard_) guard_->closed_by_origin();
        visitor_.end_raw();
    }
}

void ProxyExchange::note_raw_octets() {
    if (clock_on_) answer_clock_.start(*route_->policy->idle_timeout);
}

// ---- When it goes wrong

void ProxyExchange::on_origin_refused(const Refusal& refusal) {
    fail(problem_of_refusal(refusal), refusal.cause + (refusal.details.empty() ? "" : ": ") + refusal.details);
}

bool ProxyExchange::may_repeat() const {
    return !repeated_ && !responded_ && !sender_.content_begun() &&
           (is_idempotent(visitor_.request().method) || !sender_.begun());
}

// The stream ended or was cut, and what the origin had sent before is used up.
void ProxyExchange::on_origin_lost() {
    const bool reset = origin_->end() == OriginConnection::End::reset;
    const std::string detail = reset ? origin_->error().detail : "closed by the origin";
    const bool agent_lost = reset && (origin_->error().code == Errc::unreachable || !context_.origins.agent(route_->agent_id));
    if (stage_ == Stage::sending && kept_ && may_repeat()) {
        // Outside the lost stream's callback.
        repeated_ = look_again_ = true;
        stage_ = Stage::waiting;
        clock_on_ = false;
        drop_origin();
        context_.metrics.retried.add();
        return later_.ask();
    }
    fail(agent_lost ? problem::kAgentLost : problem::kOriginLost, detail);
}

void ProxyExchange::do_later() {
    if (content_broken_) {
        content_broken_ = false;
        if (stage_ == Stage::none) return;
        if (content_too_large_) context_.metrics.policy_refused[static_cast<std::size_t>(PolicyRefusal::content)].add();
        visitor_.break_off(content_too_large_ ? problem::kContentTooLarge : problem::kBrokenContent);
    } else if (look_again_) {
        look_again_ = false;
        if (stage_ == Stage::waiting) find_agent();
    }
}

void ProxyExchange::fail(const Problem& problem, std::string_view detail) {
    const std::string kept_detail(detail);  // may live in what let_go() drops
    let_go();
    visitor_.fail_answer(problem, kept_detail);
}

void ProxyExchange::cancel() {
    if (guard_ && ((stage_ == Stage::sending && sender_.done()) || stage_ == Stage::answering)) guard_->abandon();
    if (origin_ && stage_ != Stage::none) visitor_.note_reset();
    let_go();
}

void ProxyExchange::let_go() {
    stage_ = Stage::none;
    clock_on_ = look_again_ = false;
    knock_clock_.cancel();
    question_.reset();
    presented_ = {};
    context_.loop.dispose(std::move(guard_));
    context_.loop.dispose(std::move(wait_));
    permit_.reset();
    drop_origin();
}

void ProxyExchange::drop_origin() {
    if (!origin_) return;
    if (origin_->in_use()) origin_->cut();
    context_.farewells.take(std::move(origin_));
}

}  // namespace sallyport
