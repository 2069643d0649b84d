// login_guard.h: one login under way, or a WebSocket that may turn out to be a refused one: asks the ban shield whether it may go on,
// and tells it how it ended. Lives on the context's loop, belongs to a ProxyExchange; destroyed before an end it counts for nothing.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "edge/ban_shield.h"
#include "edge/edge_context.h"
#include "edge/login_answers.h"
#include "edge/visitor_request.h"
#include "net/loop.h"

namespace sallyport {

class LoginGuard {
public:
    static constexpr std::chrono::seconds kPatience{10};  // of a login that has to wait for its turn
    static constexpr std::chrono::seconds kShortWebSocket{15};
    static constexpr ByteCount kSmallWebSocket = 1024;

    enum class Kind { basic, password, token, websocket, other_websocket };  // the last is refused, but counts for nothing
    // Set: the request has to be refused, and may come again after so many seconds.
    using OnTurn = std::function<void(std::optional<int> retry_after)>;

    LoginGuard(EdgeContext& context, VisitorRequest& visitor, const Route& route, Kind kind, OnTurn on_turn);
    LoginGuard(const LoginGuard&) = delete;
    LoginGuard& operator=(const LoginGuard&) = delete;

    // Calls `on_turn` at once or later; the guard may be given to Loop::dispose within it.
    void ask();

    Kind kind() const { return kind_; }
    void fail();
    void succeed();

    // Of a password or token.
    void begin_answer(const ResponseHead& head);
    void answer_content(std::string_view octets);
    void abandon();  // the visitor has left before the answer was there

    // Of a WebSocket, behind its 101.
    void open();
    void origin_said(std::size_t octets);
    void closed_by_origin();

private:
    BanShield::Who who() const;
    void settle();

    EdgeContext& context_;
    const Kind kind_;
    const std::string ip_, home_, home_name_;
    const bool foreign_;
    OnTurn on_turn_;
    BanShield::Attempt attempt_;
    TimePoint began_;
    bool ended_ = false;
    bool open_ = false;
    ByteCount said_ = 0;
    LoginAnswer answer_;
    Timer turn_;
};

// Who asks, as the shield counts.
bool is_foreign(const RequestHead& head);
void tell_of_ban(EdgeContext& context, const BanShield::Banned& banned);

}  // namespace sallyport
