#include "edge/login_guard.h"

namespace sallyport {

bool is_foreign(const RequestHead& head) {
    return BanShield::is_foreign(head.fields.find("Sec-Fetch-Site").value_or(""), head.fields.find("Origin").value_or(""), head.authority);
}

void tell_of_ban(EdgeContext& context, const BanShield::Banned& banned) {
    context.log.info("visitor.banned", {{"address", banned.address}, {"agent", banned.home_name}, {"kind", name_of(banned.kind)}, {"for_s", banned.for_s.count()}});
}

LoginGuard::LoginGuard(EdgeContext& context, VisitorRequest& visitor, const Route& route, Kind kind, OnTurn on_turn)
    : context_(context),
      kind_(kind),
      ip_(visitor.visitor_ip()),
      home_(route.agent_id),
      home_name_(route.agent_name),
      foreign_(is_foreign(visitor.request())),
      on_turn_(std::move(on_turn)),
      began_(context.loop.now()),
      turn_(context.loop, [this] { ask(); }) {}

BanShield::Who LoginGuard::who() const { return {.ip = ip_, .home = home_, .home_name = home_name_, .foreign = foreign_}; }

void LoginGuard::ask() {
    using enum BanShield::Judgement::Verdict;
    const TimePoint now = context_.loop.now();
    auto judgement = context_.shield->judge(who(), kind_ == Kind::websocket || kind_ == Kind::other_websocket ? BanShield::Ask::websocket : BanShield::Ask::login, now);
    if (judgement.verdict == pass) {
        attempt_ = std::move(judgement.attempt);
        return on_turn_({});
    }
    if (judgement.verdict == wait && now - began_ < kPatience) return turn_.start(judgement.after);
    on_turn_(static_cast<int>(std::chrono::ceil<std::chrono::seconds>(judgement.after).count()));
}

void LoginGuard::settle() {
    ended_ = true;
    attempt_.end();
}

void LoginGuard::fail() {
    if (ended_) return;
    BanKind kind = BanKind::login;
    if (kind_ == Kind::basic) kind = BanKind::password;
    if (kind_ == Kind::websocket) kind = BanKind::websocket;
    // Counted before the attempt ends, so that no other one passes between.
    if (const auto banned = context_.shield->fail(who(), kind, context_.loop.now())) tell_of_ban(context_, *banned);
    settle();
}

void LoginGuard::succeed() {
    if (ended_) return;
    if (kind_ == Kind::websocket) context_.shield->succeed_websocket(who());
    else context_.shield->succeed(who());
    settle();
}

// ---- a login's answer

void LoginGuard::begin_answer(const ResponseHead& head) {
    answer_.begin(head);
    if (answer_.verdict() == LoginVerdict::failed) fail();
}

void LoginGuard::answer_content(std::string_view octets) {
    if (ended_) return;
    answer_.content(octets);
    if (answer_.verdict() == LoginVerdict::failed) fail();
    else if (answer_.verdict() == LoginVerdict::succeeded) succeed();
}

// Whoever doesn't wait for the answer may learn it by asking the same flow once more. Codes and tokens can't be guessed, and
// phones that change networks leave many such requests behind.
void LoginGuard::abandon() {
    if (kind_ == Kind::password) fail();
}

// ---- a WebSocket

void LoginGuard::open() {
    open_ = kind_ == Kind::websocket;
    began_ = context_.loop.now();
}

void LoginGuard::origin_said(std::size_t octets) {
    if (ended_ || !open_) return;
    said_ += octets;
    if (said_ >= kSmallWebSocket) succeed();
}

void LoginGuard::closed_by_origin() {
    if (ended_ || !open_) return;
    if (context_.loop.now() - began_ < kShortWebSocket) fail();
    else succeed();
}

}  // namespace sallyport
