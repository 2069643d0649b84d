// login_answers.h: which requests to a home with a home-assistant preset are logins, and what its answers say about them. Of an
// answer the head and at most kMostContent octets of JSON are looked at, as they pass; nothing waits for it. Pure.
// (Home Assistant: POST /auth/login_flow, /auth/login_flow/<id>, /auth/token; a wrong password is a 200 with "errors".)
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "wire/http1_message.h"

namespace sallyport {

enum class LoginPath {
    none,
    password,  // or a second factor
    token,     // a code or a token, which nobody guesses
};
// `path` as the origin will get it. What could be read in two ways counts as a login.
LoginPath login_path(std::string_view method, std::string_view path);

// Whether a WebSocket opened there begins with a login. (Those of add-ons need one before: they may be as short as they like.)
bool is_login_websocket(std::string_view path);

enum class LoginVerdict { open, failed, succeeded };

class LoginAnswer {
public:
    static constexpr std::size_t kMostContent = 4096;

    void begin(const ResponseHead& head);
    void content(std::string_view octets);
    LoginVerdict verdict() const { return verdict_; }

private:
    void look();
    LoginVerdict verdict_ = LoginVerdict::open;
    bool wants_content_ = false;
    std::string seen_;  // without white space
};

}  // namespace sallyport
