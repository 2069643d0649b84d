#include "gateway/password_judge.h"

#include "base/password_hash.h"

namespace sallyport::gateway {

PasswordJudge::PasswordJudge(Loop& loop, Workers& workers, Passwords passwords) : loop_(loop), workers_(workers), passwords_(std::move(passwords)) {
    for (const auto& [user, password] : passwords_)
        if (!password.hash.empty()) any_hash_ = password.hash;
}

std::shared_ptr<PasswordJudge::Question> PasswordJudge::ask(std::string_view user, const Secret& password, std::function<void(bool right)> on_verdict) {
    auto question = std::make_shared<Question>(std::move(on_verdict));
    const std::weak_ptr<Question> asked = question;
    const auto answer = [asked](bool right) {
        const auto still = asked.lock();
        if (!still || !still->on_verdict_) return;
        auto tell = std::move(still->on_verdict_);
        still->on_verdict_ = nullptr;
        tell(right);
    };
    const auto place = passwords_.find(user);
    const bool hashed = place == passwords_.end() ? !any_hash_.empty() : !place->second.hash.empty();
    if (!hashed) {
        const bool right = place != passwords_.end() && equal_in_constant_time(password.reveal(), place->second.text.reveal());
        loop_.post([answer, right] { answer(right); });
        return question;
    }
    const bool known = place != passwords_.end();
    const std::string hash = known ? place->second.hash : any_hash_;
    if (under_way_ < kMostAtOnce &&
        workers_.submit([this, &loop = loop_, answer, known, hash, password] {
            const bool right = password_fits(password.reveal(), hash) && known;
            loop.post([this, answer, right] {
                --under_way_;
                answer(right);
            });
        })) {
        ++under_way_;
        return question;
    }
    loop_.post([answer] { answer(false); });
    return question;
}

}  // namespace sallyport::gateway
