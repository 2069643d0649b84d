#include "edge/password_checker.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <string>

#include "base/password_hash.h"
#include "base/random.h"

namespace sallyport {

PasswordChecker::PasswordChecker(Clock::duration kept_for)
    : kept_for_(kept_for), key_(random_octets(32)), budget_(kMostEachSecond, kMostAtOnce), workers_(1, kMostQueued) {}

PasswordChecker::~PasswordChecker() { stopping_ = true; }

std::size_t PasswordChecker::HashOfMac::operator()(const Mac& mac) const {
    std::size_t hash = 0;
    std::memcpy(&hash, mac.data(), sizeof hash);
    return hash;
}

// The hash is in it, so that a password changed by the owner is forgotten at once; lengths, so that nothing can be shifted.
PasswordChecker::Mac PasswordChecker::mac_of(std::string_view user, std::string_view password, std::string_view hash, bool known) const {
    std::string text = (known ? "k" : "u") + std::to_string(user.size()) + ":" + std::to_string(password.size()) + ":";
    text.append(user).append(password).append(hash);
    const Secret message{std::move(text)};
    Mac mac{};
    unsigned size = mac.size();
    ::HMAC(::EVP_sha256(), key_.reveal().data(), static_cast<int>(key_.reveal().size()), as_u8(as_octets(message.reveal())), message.reveal().size(),
           as_u8(MutableOctets(mac)), &size);
    return mac;
}

PasswordChecker::Answer PasswordChecker::ask(Loop& loop, const BasicAuth& auth, const Presented& presented, std::string_view visitor_ip,
                                             OnVerdict on_verdict) {
    // For an unknown name just as much is done as for a known one.
    const BasicAuth::User* user = auth.find(presented.user);
    const std::string& hash = user ? user->hash : auth.users.front().hash;
    const Mac mac = mac_of(presented.user, presented.password.reveal(), hash, user != nullptr);
    const TimePoint now = Clock::now();

    const std::lock_guard lock(mutex_);
    if (is_kept(mac, now)) return {Verdict::right, nullptr};
    if (const auto found = waiting_.find(mac); found != waiting_.end()) {
        if (found->second.size() >= kMostWaiting) return {};
        auto question = std::make_unique<Question>(std::move(on_verdict));
        found->second.push_back({&loop, question->on_verdict_});
        return {Verdict::busy, std::move(question)};
    }
    if (!budget_.try_take(visitor_ip, now)) return {};
    auto submitted = workers_.submit(
        [this, mac, password = presented.password, hash, known = user != nullptr] { judge(mac, password, hash, known); });
    if (!submitted) return {};
    auto question = std::make_unique<Question>(std::move(on_verdict));
    waiting_[mac].push_back({&loop, question->on_verdict_});
    return {Verdict::busy, std::move(question)};
}

bool PasswordChecker::knows(const BasicAuth& auth, const Presented& presented) {
    const BasicAuth::User* user = auth.find(presented.user);
    if (!user) return false;
    const Mac mac = mac_of(presented.user, presented.password.reveal(), user->hash, true);
    const std::lock_guard lock(mutex_);
    return is_kept(mac, Clock::now());
}

bool PasswordChecker::is_kept(const Mac& mac, TimePoint now) {
    const auto found = kept_.find(mac);
    if (found == kept_.end()) return false;
    if (now < found->second) return true;
    kept_.erase(found);
    return false;
}

// On the worker.
void PasswordChecker::judge(const Mac& mac, const Secret& password, const std::string& hash, bool known) {
    if (stopping_) return;
    const bool fits = password_fits(password.reveal(), hash) && known;
    const std::lock_guard lock(mutex_);
    if (fits) keep(mac, Clock::now());
    const auto waiters = waiting_.extract(mac);
    if (waiters.empty()) return;
    const Verdict verdict = fits ? Verdict::right : Verdict::wrong;
    for (Waiter& waiter : waiters.mapped())
        waiter.loop->post([on_verdict = std::move(waiter.on_verdict), verdict] {
            if (*on_verdict) std::exchange(*on_verdict, nullptr)(verdict);
        });
}

void PasswordChecker::keep(const Mac& mac, TimePoint now) {
    if (kept_.size() >= kMostKept) std::erase_if(kept_, [now](const auto& entry) { return entry.second <= now; });
    if (kept_.size() >= kMostKept) kept_.erase(kept_.begin());
    kept_[mac] = now + kept_for_;
}

}  // namespace sallyport
