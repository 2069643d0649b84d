// password_judge.h: whether a password is a user's, judged away from the loop, since hashes are slow by intent. A name that nobody
// has takes as long as one that somebody has. Bounded: what comes while kMostAtOnce are judged is refused as if it were wrong.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "config/gateway_config.h"
#include "net/worker.h"

namespace sallyport::gateway {

class PasswordJudge {
public:
    static constexpr std::size_t kMostAtOnce = 8;
    using Passwords = std::map<std::string, GatewayPassword, std::less<>>;

    // Answers on the loop, never inside ask(); destroying it takes it back.
    class Question {
    public:
        explicit Question(std::function<void(bool right)> on_verdict) : on_verdict_(std::move(on_verdict)) {}

    private:
        friend class PasswordJudge;
        std::function<void(bool right)> on_verdict_;
    };

    PasswordJudge(Loop& loop, Workers& workers, Passwords passwords);  // the loop outlives the workers
    std::shared_ptr<Question> ask(std::string_view user, const Secret& password, std::function<void(bool right)> on_verdict);

private:
    Loop& loop_;
    Workers& workers_;
    const Passwords passwords_;
    std::string any_hash_;  // judged in place of one that isn't there
    std::size_t under_way_ = 0;
};

}  // namespace sallyport::gateway
