// user_connection.h: one accepted SSH client, from its first octet to its end: who he is (docs/gateway.md has the order of proofs),
// his connection to the remote, and the channels between the two. Until the remote has let him in he gets nothing, whatever
// the client has been told before. Lives on the gateway's loop.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/user_channels.h"
#include "ssh/server_connection.h"

namespace sallyport::gateway {

class UserConnection final : ssh::ServerConnection::Owner, RemoteLink::Waiter, RemoteLink::Receiver, public UserChannels {
public:
    using OnOver = std::function<void(UserConnection&)>;  // once; Loop::dispose
    static Result<std::unique_ptr<UserConnection>> make(Parts& parts, const ssh::ServerHost& host, Descriptor accepted, std::string ip, Admission::Place place,
                                                        OnOver on_over);
    ~UserConnection();

    // The gateway stops: it ends as soon as nothing is open.
    void stop();
    void cut();  // now

private:
    enum class State { greeting, in, over };
    UserConnection(Parts& parts, std::string ip, Admission::Place place, OnOver on_over);

    // ---- from the client
    void on_login_request(const ssh::LoginRequest& request) override;
    void on_authenticated() override;
    void on_forward_request(const ssh::ForwardRequest& request) override;
    void on_forward_cancelled(const ssh::ForwardRequest& request) override;
    void on_channel_requested(std::unique_ptr<ssh::IncomingChannel> channel) override;
    void on_connection_closed(const Error& reason) override;
    // ---- from the remote
    void on_link_ready(RemoteLink& link) override;
    void on_link_over(RemoteLink& link, const RemoteFailure& why) override;
    void on_link_channel(std::unique_ptr<ssh::IncomingChannel> channel) override;
    // ---- from the channels
    void need_link(LinkUser& user, Agent agent) override;
    void forget(LinkUser& user) override;
    bool let_in_by_remote() const override { return by_agent_; }
    void over(UserChannel& channel) override;
    void add(std::unique_ptr<UserChannel> channel) override;
    void touch() override { touched_at_ = parts_.loop.now(); }
    const Login& login() const override { return login_; }
    Parts& parts() override { return parts_; }
    ssh::ServerConnection& front() override { return *connection_; }
    RemoteLinkPtr link() override { return link_; }
    void receive_from(RemoteLinkPtr link) override;

    // ---- who he is
    struct Offer {
        SshPublicKey key;
        bool proven = false;
    };
    void judge_password(const Secret& password);
    void judge_key(Offer offer);
    void judge_by_remote(const Offer& offer, const KeyFetcher::Keys& keys);
    void ask_remote(Offer offer);
    void take_key(const Offer& offer, LoginBy by, AuthorizedKeyOptions options);
    void log_in(LoginBy by, std::string key, AuthorizedKeyOptions options);
    void reject(RefusalReason reason, std::string_view detail);
    void turn_away(RefusalReason reason, const std::string& text);  // the whole connection

    // ---- the remote
    void take_link(RemoteLinkPtr link);
    void make_link(std::vector<RemoteCredential> credentials);
    void keep_a_spare();
    void tell_link_users();
    struct Forward {
        ssh::ForwardRequest asked;  // as the client says
        std::uint16_t port = 0;     // as the remote says
    };
    class ForwardWish;
    void answer_forward(const ssh::ForwardRequest& asked, Result<std::uint16_t> port);

    void check_idle();
    void look_whether_useless();

    Parts& parts_;
    OnOver on_over_;
    Admission::Place place_;
    Login login_;
    State state_ = State::greeting;
    const TimePoint began_at_;
    TimePoint touched_at_;
    unsigned rejected_ = 0;
    bool failure_noted_ = false;
    RefusalReason last_refusal_ = RefusalReason::bad_key;
    KeyFetcher::QuestionPtr key_question_;
    std::shared_ptr<PasswordJudge::Question> password_question_;
    RemoteLinkPtr fetched_link_;         // left over from a fetch, for this user's login
    RemoteLinkPtr link_;
    std::vector<RemoteLinkPtr> other_links_;  // of sessions that were taken up again
    bool stopping_ = false;
    bool by_agent_ = false;              // his agent logs him in to the remote
    std::vector<LinkUser*> link_users_;  // wait for the link
    std::vector<Forward> forwards_;
    std::unique_ptr<ForwardWish> forward_wish_;
    std::map<UserChannel*, std::unique_ptr<UserChannel>> channels_;
    Timer idle_;
    Timer useless_;                      // nothing is open, and nothing can come of it: the client has had time to end by itself
    Timer proof_;                        // pass-through: how long the remote may not have let him in
    std::unique_ptr<ssh::ServerConnection> connection_;
};

}  // namespace sallyport::gateway
