#include "gateway/key_fetcher.h"

#include <utility>

namespace sallyport::gateway {
namespace {

// Nothing of a client's is in it, and every login shell reads it the same.
constexpr const char* kCommand = "cat ~/.ssh/authorized_keys";
constexpr std::size_t kMostOctets = 256 * 1024;

}  // namespace

class KeyFetcher::Fetch final : RemoteLink::Waiter {
public:
    Fetch(KeyFetcher& fetcher, std::string user, RemoteLinkPtr link) : fetcher_(fetcher), user_(std::move(user)), link_(std::move(link)) {
        link_->add(*this);
        if (link_->ready()) run();
    }
    ~Fetch() {
        if (link_) link_->remove(*this);
    }
    const std::string& user() const { return user_; }
    RemoteLinkPtr take_link() {
        link_->remove(*this);
        return std::move(link_);
    }
    std::vector<std::weak_ptr<Question>> questions;

private:
    void on_link_ready(RemoteLink&) override { run(); }
    void on_link_over(RemoteLink&, const RemoteFailure& why) override { fetcher_.answer(*this, {.failure = why}); }
    void run() {
        RemoteCommand::Request request;
        request.command = kCommand;
        request.most_octets = kMostOctets;
        command_.emplace(fetcher_.loop_, link_, std::move(request), [this](Result<RemoteCommand::Outcome> outcome) {
            if (!outcome) return fetcher_.answer(*this, {.failure = {RefusalReason::remote_unreachable, "reading authorized_keys: " + outcome.error().detail}});
            auto keys = parse_authorized_keys(outcome->output);
            if (!keys) return fetcher_.answer(*this, {.failure = {RefusalReason::remote_refused, keys.error().detail}});
            fetcher_.cache_.keep(user_, std::move(outcome->output), fetcher_.loop_.now());
            fetcher_.answer(*this, {.keys = std::make_shared<const AuthorizedKeys>(std::move(*keys))});
        });
    }
    KeyFetcher& fetcher_;
    const std::string user_;
    RemoteLinkPtr link_;
    std::optional<RemoteCommand> command_;
};

KeyFetcher::KeyFetcher(Loop& loop, const RemoteSite& site, ssh::PrivateKey key, Duration kept_for, Counters& counters, Log& log)
    : loop_(loop), site_(site), key_(std::move(key)), counters_(counters), log_(log), cache_(kept_for) {}

KeyFetcher::~KeyFetcher() = default;

KeyFetcher::Keys KeyFetcher::known(std::string_view user) {
    const auto text = cache_.find(user, loop_.now());
    if (!text) return nullptr;
    auto keys = parse_authorized_keys(*text);
    if (!keys) return nullptr;
    ++counters_.key_cache[CacheResult::hit];
    return std::make_shared<const AuthorizedKeys>(std::move(*keys));
}

KeyFetcher::QuestionPtr KeyFetcher::ask(const std::string& user, RemoteLinkPtr link, OnAnswer on_answer) {
    auto question = std::make_shared<Question>(std::move(on_answer));
    if (const auto under_way = fetches_.find(user); under_way != fetches_.end()) {
        under_way->second->questions.push_back(question);
        return question;
    }
    if (!cache_.may_fetch(user, loop_.now())) {
        ++counters_.key_cache[CacheResult::suppressed];
        return nullptr;
    }
    ++counters_.key_cache[CacheResult::miss];
    if (!link || link->over()) {
        std::vector<RemoteCredential> credentials;
        credentials.emplace_back(key_);
        link = std::make_shared<RemoteLink>(site_, user, std::move(credentials));
    }
    auto& fetch = fetches_[user];
    fetch = std::make_unique<Fetch>(*this, user, std::move(link));
    fetch->questions.push_back(question);
    return question;
}

void KeyFetcher::answer(Fetch& fetch, Answer answer) {
    const auto place = fetches_.find(fetch.user());
    if (place == fetches_.end() || place->second.get() != &fetch) return;
    if (!answer.keys) {
        ++counters_.key_cache[CacheResult::failed];
        cache_.note_failure(fetch.user(), loop_.now());
        log_.info("gateway.keys_not_fetched", {{"user", fetch.user()}, {"reason", name_of(answer.failure.reason)}, {"detail", answer.failure.detail}});
    }
    std::vector<std::weak_ptr<Question>> questions = std::move(fetch.questions);
    RemoteLinkPtr link = answer.keys ? fetch.take_link() : nullptr;
    loop_.dispose(std::move(place->second));
    fetches_.erase(place);
    for (const auto& each : questions) {
        const QuestionPtr question = each.lock();
        if (!question || !question->on_answer_) continue;
        auto on_answer = std::move(question->on_answer_);
        question->on_answer_ = nullptr;
        on_answer({.keys = answer.keys, .link = std::exchange(link, nullptr), .failure = answer.failure});
    }
    if (link) loop_.dispose(std::make_unique<RemoteLinkPtr>(std::move(link)));
}

}  // namespace sallyport::gateway
