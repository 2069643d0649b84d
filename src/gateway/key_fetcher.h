// key_fetcher.h: the remote's own ~/.ssh/authorized_keys of a user, read over a connection that the gateway's key logs in, and
// believed for a while (KeyCache). Questions for the same user wait for one answer. The connection goes to the first who asked, for
// his login. Lives on the gateway's loop.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "gateway/counters.h"
#include "gateway/key_cache.h"
#include "gateway/remote_command.h"
#include "wire/authorized_keys.h"

namespace sallyport::gateway {

class KeyFetcher {
public:
    using Keys = std::shared_ptr<const AuthorizedKeys>;
    struct Answer {
        Keys keys;           // null: they can't be had; then `failure` says why
        RemoteLinkPtr link;  // logged in as the user; for one of those who asked
        RemoteFailure failure{};
    };
    using OnAnswer = std::move_only_function<void(Answer)>;

    // Destroying it takes the question back.
    class Question {
    public:
        explicit Question(OnAnswer on_answer) : on_answer_(std::move(on_answer)) {}

    private:
        friend class KeyFetcher;
        OnAnswer on_answer_;
    };
    using QuestionPtr = std::shared_ptr<Question>;

    KeyFetcher(Loop& loop, const RemoteSite& site, ssh::PrivateKey key, Duration kept_for, Counters& counters, Log& log);
    ~KeyFetcher();

    // What is known already; null: ask().
    Keys known(std::string_view user);
    // Null when nobody may ask for that name now. The answer never comes inside the call. `link`: a spare connection of that user,
    // to ask over; null: a new one.
    QuestionPtr ask(const std::string& user, RemoteLinkPtr link, OnAnswer on_answer);

private:
    class Fetch;
    void answer(Fetch& fetch, Answer answer);
    Loop& loop_;
    const RemoteSite site_;
    const ssh::PrivateKey key_;
    Counters& counters_;
    Log& log_;
    KeyCache cache_;
    std::map<std::string, std::unique_ptr<Fetch>, std::less<>> fetches_;
};

}  // namespace sallyport::gateway
