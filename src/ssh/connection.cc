#include "ssh/connection.h"

#include <fcntl.h>
#include <libssh/callbacks.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "net/socket.h"
#include "ssh/channel_core.h"

namespace sallyport::ssh {
namespace {

constexpr ByteCount kMostReceive = 256_KiB;         // in one turn
constexpr ByteCount kOneDelivery = 128_KiB;
constexpr ByteCount kMostSend = 256_KiB;            // in one turn
constexpr ByteCount kOneReceive = 4096;             // libssh's own piece; a shorter one has emptied the socket
constexpr ByteCount kUnsentInKernel = 128_KiB;
constexpr std::size_t kMostMessages = 1024;         // of one turn; a bound, no pace
constexpr std::uint64_t kMostUnsentPackets = 20'000;  // answers that the peer doesn't fetch
constexpr std::size_t kMostGlobalRequests = 256;
constexpr std::chrono::milliseconds kSwallowed{1000};
constexpr ByteCount kSwallowedOctets = 200;  // a login by key has more; SSH_MSG_IGNORE, which some clients send while they ask for a password, less
constexpr std::chrono::milliseconds kFarewell{2000};  // for octets on their way when the connection is closed with a text

}  // namespace

void start_library() {
    ::ssh_init();
    ::ssh_set_log_level(SSH_LOG_NOLOG);
    ::ssh_set_log_callback([](int, const char*, const char*, void*) {});
}

// A request that waits for its answer at the owner.
class IncomingChannelMessage final : public IncomingChannel {
public:
    IncomingChannelMessage(std::shared_ptr<Connection*> connection, Message message, ChannelOpen asked)
        : connection_(std::move(connection)), message_(std::move(message)), asked_(std::move(asked)) {
        (*connection_)->opens_waiting_.push_back(this);
    }
    ~IncomingChannelMessage() override { IncomingChannelMessage::refuse(); }
    const ChannelOpen& asked() const override { return asked_; }
    Result<ChannelPtr> accept(Channel::Owner& owner) override {
        Connection* const connection = answered();
        const Message message = std::exchange(message_, nullptr);
        if (!connection || !connection->usable()) return fail(Errc::reset, "the connection is closed");
        ssh_channel handle = ssh_message_channel_request_open_reply_accept(message.get());
        if (!handle) return fail(Errc::reset, "the connection is closed");
        connection->settle_soon();
        return connection->adopt(handle, owner);
    }
    void refuse() override {
        Connection* const connection = answered();
        const Message message = std::exchange(message_, nullptr);
        if (!connection || !connection->usable()) return;
        ssh_message_reply_default(message.get());
        connection->settle_soon();
    }
    void on_lost(std::function<void(const Error&)> lost) override { lost_ = std::move(lost); }
    void connection_lost(const Error& reason) {
        message_.reset();
        if (const auto lost = std::exchange(lost_, nullptr)) lost(reason);
    }

private:
    // The connection, if it still is there and waits for this answer.
    Connection* answered() {
        Connection* const connection = *connection_;
        if (!connection || !message_) return nullptr;
        std::erase(connection->opens_waiting_, this);
        return connection;
    }
    std::shared_ptr<Connection*> connection_;
    Message message_;
    const ChannelOpen asked_;
    std::function<void(const Error&)> lost_;
};

struct Connection::Bound {
    Bound(Loop& loop, Connection& connection)
        : watch(std::make_unique<Watch>(loop, connection.descriptor_.get(), static_cast<Watch::Owner&>(connection))),
          grace(loop, [&connection] { connection.on_grace_over(); }),
          keepalive(loop, [&connection] { connection.on_keepalive_due(); }),
          farewell(loop, [&connection] { connection.settle(); }),
          soon(loop, [&connection] { connection.work(); }) {}
    void silence() {
        watch.reset();
        grace.cancel();
        keepalive.cancel();
        farewell.cancel();
    }
    std::unique_ptr<Watch> watch;
    Timer grace;
    Timer keepalive;
    Timer farewell;
    TurnEnd soon;
};

Connection::Connection(Loop& loop, Side side, Descriptor descriptor, const ConnectionSettings& settings)
    : loop_(&loop),
      side_(side),
      settings_(settings),
      descriptor_(std::move(descriptor)),
      peer_(SocketAddress::peer_of(descriptor_.get())),
      heard_at_(loop.now()),
      self_(std::make_shared<Connection*>(this)) {}

Connection::~Connection() {
    *self_ = nullptr;
    over_ = true;
    bound_.reset();
    if (!told_channels_) {
        // Destroyed without close(): nobody is told any more.
        for (const auto& core : channels_) core->set_silent();
    }
    for (const auto& core : channels_) core->connection_lost({Errc::unreachable, "connection destroyed"});
    channels_.clear();
    messages_.clear();
}

Result<int> Connection::duplicate_descriptor() const {
    const int duplicate = ::fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 0);
    if (duplicate < 0) return fail_errno(errno, "duplicate a connection's descriptor");
    return duplicate;
}

void Connection::begin(Session session) {
    session_ = std::move(session);
    ssh_set_blocking(session_.get(), 0);
    ssh_set_counters(session_.get(), &socket_octets_, &packets_);
    std::uint64_t octets = settings_.rekey_octets;
    ssh_options_set(session_.get(), SSH_OPTIONS_REKEY_DATA, &octets);
    auto seconds = static_cast<std::uint32_t>(settings_.rekey_time.count());
    ssh_options_set(session_.get(), SSH_OPTIONS_REKEY_TIME, &seconds);
    tune_connection(descriptor_.get());
    limit_unsent(descriptor_.get(), kUnsentInKernel);
    bound_ = std::make_unique<Bound>(*loop_, *this);
    bound_->grace.start(settings_.login_grace);
    bound_->watch->want_read(true);
    bound_->soon.ask();
}

void Connection::login_done() {
    authenticated_ = true;
    bound_->grace.cancel();
    bound_->keepalive.cancel();
    // The first one tells the round trip early; the rest are about the interval.
    if (settings_.keepalive_interval.count() > 0)
        bound_->keepalive.start_about(std::min<Duration>(std::chrono::seconds(2), settings_.keepalive_interval));
}

// ---- What the owner asks

void Connection::close(Error reason, std::string text) {
    if (closing_ || over_) return;
    closing_ = std::move(reason);
    if (text.size() > 400) text.resize(400);
    farewell_ = std::move(text);
    settle_soon();
}

std::string_view Connection::peer_version() const {
    if (!session_) return {};
    const char* const version = is_server() ? ssh_get_clientbanner(session_.get()) : ssh_get_serverbanner(session_.get());
    return version ? version : "";
}

std::string_view Connection::cipher() const {
    const char* const name = session_ ? ssh_get_cipher_in(session_.get()) : nullptr;
    return name ? name : "";
}

std::chrono::microseconds Connection::round_trip_by_tcp() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
    return std::chrono::microseconds(info.tcpi_rtt);
}

std::chrono::microseconds Connection::round_trip() const { return round_trip_.count() > 0 ? round_trip_ : round_trip_by_tcp(); }

ByteCount Connection::octets_in() const { return socket_octets_.in_bytes; }
ByteCount Connection::octets_out() const { return socket_octets_.out_bytes; }

void Connection::ping() {
    if (!authenticated_ || pinging_ || !usable()) return;
    pinging_ = true;
    ask_globally({.attempt =
                      [this] {
                          if (!global_started_) pinged_at_ = loop_->exact_now();
                          return ssh_send_keepalive(session_.get());
                      },
                  .done =
                      [this](int) {
                          pinging_ = false;
                          const auto took = std::chrono::duration_cast<std::chrono::microseconds>(loop_->exact_now() - pinged_at_);
                          round_trip_ = std::max(took, std::chrono::microseconds(1));
                      }});
}

// ---- Times

void Connection::on_grace_over() {
    if (!authenticated_) close({Errc::timeout, "login grace time is over"}, handshake_done_ ? "login timed out" : "");
}

void Connection::on_keepalive_due() {
    if (!usable()) return;
    if (!authenticated_) {
        if (!lent_) on_swallowed();
        return;
    }
    bound_->keepalive.start_about(settings_.keepalive_interval);
    // While we don't receive because of our own readers, silence means nothing.
    const bool receiving = unread_ <= settings_.most_unread;
    if (receiving && loop_->now() - heard_at_ > settings_.keepalive_interval * settings_.keepalive_count_max)
        return close({Errc::timeout, "no sign of life from the peer"});
    ping();
}

// ---- Events

void Connection::on_readable() {
    if (over_ || lent_) return;
    working_ = true;
    receive();
    working_ = false;
    work();
}

void Connection::on_writable() {
    if (over_ || lent_) return;
    working_ = true;
    receive();
    working_ = false;
    work();
}

// One poll of libssh's: at most one receive of 4 KiB, and what it has to send. False: nothing more is there now.
bool Connection::receive_once() {
    const ByteCount before = socket_octets_.in_bytes;
    if (!handshake_done_) {
        switch (shake_hands()) {
            case Handshake::done: handshake_done_ = true; return true;  // with the last of it more may have come
            case Handshake::under_way: break;
            case Handshake::failed:
                if (!closing_) closing_ = reason_of_death();
                return false;
        }
    } else if (ssh_message message = ssh_message_get(session_.get())) {
        messages_.emplace_back(message);
        return messages_.size() < kMostMessages;  // out of its queue, perhaps without having looked at the socket
    }
    const ByteCount came = socket_octets_.in_bytes - before;
    return came >= kOneReceive && !dead();
}

void Connection::receive() {
    const ByteCount before = socket_octets_.in_bytes;
    const std::size_t messages_before = messages_.size();
    const bool logging_in = handshake_done_ && !authenticated_;
    while (receive_once() && socket_octets_.in_bytes - before < kMostReceive && unread_ <= settings_.most_unread) {
        // In pieces that are worth a send() and still are in the cache. What isn't delivered when the peer hangs up libssh keeps from us:
        // that is nothing, as the octets before the end are a short receive, after which this isn't reached.
        if (unread_ >= kOneDelivery && !ready_.empty() && messages_.empty()) deliver();
        if (over_ || !bound_) return;
    }
    if (packets_.in_packets != std::exchange(packets_seen_, packets_.in_packets)) {
        heard_at_ = loop_->now();
        if (logging_in && bound_ && !closing_) {
            if (messages_.size() > messages_before)
                bound_->keepalive.cancel();
            else if (socket_octets_.in_bytes - before >= kSwallowedOctets)
                bound_->keepalive.start(kSwallowed);
        }
        for (const auto& core : channels_)
            if (core->waits_for_answer()) ready(*core);
    }
}

void Connection::work() {
    if (over_ || !bound_ || working_) return;
    working_ = true;
    // Every call of libssh's may have received something.
    if ((!std::exchange(handshake_begun_, true) || packets_.in_packets != packets_seen_) && !closing_ && !lent_) receive();
    if (!closing_ && !lent_) {
        // Handling one may park the connection, or close it.
        while (!messages_.empty() && usable() && bound_ && !lent_) {
            std::vector<Message> messages = std::exchange(messages_, {});
            for (Message& message : messages) {
                if (usable() && bound_) after_events();  // what came of the one before comes first
                if (usable() && bound_ && !lent_)
                    take_message(std::move(message));
                else if (usable())
                    messages_.push_back(std::move(message));  // for the next loop
            }
        }
        if (bound_ && usable() && !lent_) run_global();
        if (bound_ && usable() && !lent_) after_events();
        if (bound_ && usable() && !lent_) deliver();
        if (bound_ && usable() && !lent_) send_round();
    }
    working_ = false;
    if (bound_) settle();
}

void Connection::deliver() {
    // A channel that has more is asked again when its owner has consumed, so each is served once.
    std::vector<ChannelCore*> ready = std::exchange(ready_, {});
    for (ChannelCore* core : ready) core->in_ready = false;
    for (ChannelCore* core : ready) {
        if (!usable()) return;
        core->deliver();
    }
}

void Connection::ready(ChannelCore& core) {
    if (core.in_ready) return;
    core.in_ready = true;
    ready_.push_back(&core);
}

// ---- Sending

bool Connection::may_send() const {
    return authenticated_ && usable() && !dead() && !(ssh_get_status(session_.get()) & SSH_WRITE_PENDING);
}

void Connection::want_to_send(ChannelCore& core) {
    if (!core.in_senders) {
        core.in_senders = true;
        senders_.push_back(&core);
    }
    if (!working_ && !sending_ && usable() && bound_) send_round();
    settle_soon();
}

// Each in turn gets its piece while the socket takes them.
void Connection::send_round() {
    sending_ = true;
    ByteCount left = kMostSend;
    std::size_t idle = 0;  // in a row
    while (left > 0 && !senders_.empty() && idle < senders_.size() && may_send()) {
        ChannelCore* const core = senders_.front();
        const ByteCount sent = core->send(std::min(left, senders_.size() == 1 ? kMostSend : kMostSend / 4));
        left -= std::min(left, sent);
        idle = sent > 0 ? 0 : idle + 1;
        senders_.erase(senders_.begin());
        if (core->wants_to_send())
            senders_.push_back(core);
        else
            core->in_senders = false;
    }
    sending_ = false;
}

// A peer whose maximum packet size is a few octets makes us seal a packet for each few; nobody sane has one below 1 KiB.
void Connection::check_packets(std::size_t octets, std::uint64_t packets) {
    if (octets >= 4096 && packets > 64 + octets / 256)
        close({Errc::protocol, "the peer's maximum packet size is too small"}, "maximum packet size too small");
}

// ---- The state of things, after every call of libssh

void Connection::settle_soon() {
    if (bound_ && !over_) bound_->soon.ask();
}

bool Connection::dead() const {
    if (!session_) return true;
    if (ssh_get_status(session_.get()) & (SSH_CLOSED | SSH_CLOSED_ERROR)) return true;
    return handshake_done_ && !ssh_is_connected(session_.get());
}

Error Connection::reason_of_death() const {
    const std::string_view text = ssh_get_error(session_.get());
    const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    std::string detail(text.substr(0, 512));
    if (has("SSH_MSG_DISCONNECT") || has("Socket error: disconnected")) return {Errc::end_of_stream, std::move(detail)};
    if (has("Socket error") || has("error on socket")) return {Errc::reset, std::move(detail)};
    return {Errc::protocol, detail.empty() ? "the SSH session failed" : std::move(detail)};
}

void Connection::settle() {
    if (over_ || !bound_) return;
    if (lent_) {
        if (closing_) cut_loan();
        return;
    }
    if (!closing_ && dead()) closing_ = reason_of_death();
    if (closing_) return end();
    std::erase_if(senders_, [](ChannelCore* core) {
        if (core->state() != ChannelCore::State::over) return false;
        core->in_senders = false;
        return true;
    });
    std::erase_if(ready_, [](ChannelCore* core) { return core->state() == ChannelCore::State::over; });
    std::erase_if(channels_, [](const auto& core) { return core->state() == ChannelCore::State::over; });

    held_.set(unread_ + unconsumed_);
    const bool pending = ssh_get_status(session_.get()) & SSH_WRITE_PENDING;
    if (!pending) packets_when_empty_ = packets_.out_packets;
    if (packets_.out_packets - packets_when_empty_ > kMostUnsentPackets) {
        closing_ = Error{Errc::too_large, "the peer asks and doesn't read the answers"};
        return end();
    }
    const bool can_go_on = !pending && std::ranges::any_of(senders_, [](ChannelCore* core) { return core->has_room(); });
    bound_->watch->want_write(pending || can_go_on);
    bound_->watch->want_read(unread_ <= settings_.most_unread);
    if (packets_.in_packets != packets_seen_ || !ready_.empty() || !messages_.empty() || (!global_.empty() && !global_started_)) bound_->soon.ask();
}

void Connection::end() {
    if (!told_channels_) {
        told_channels_ = true;
        messages_.clear();
        // libssh frees the channels with the session: closing each would tell the peer that all of them ended in order.
        const Error reason{Errc::unreachable, closing_->detail};
        for (const auto& core : channels_) core->connection_lost(reason);
        channels_.clear();
        ready_.clear();
        senders_.clear();
        while (!opens_waiting_.empty()) {
            IncomingChannelMessage* const open = opens_waiting_.back();
            opens_waiting_.pop_back();
            open->connection_lost(reason);
        }
        for (GlobalRequest& request : std::exchange(global_, {})) request.done(SSH_ERROR);
        bound_->grace.cancel();
        bound_->keepalive.cancel();
        farewell_until_ = loop_->now() + kFarewell;
    }
    if (!farewell_.empty() && !dead()) {
        // libssh writes the message only when it knows that the socket takes octets, and closes at once.
        ssh_message_free(ssh_message_get(session_.get()));
        if (!dead() && (ssh_get_status(session_.get()) & SSH_WRITE_PENDING) && loop_->now() < farewell_until_) {
            bound_->watch->want_read(false);
            bound_->watch->want_write(true);
            bound_->farewell.start(farewell_until_ - loop_->now());
            return;
        }
        if (!dead()) {
            ssh_session_set_disconnect_message(session_.get(), farewell_.c_str());
            ssh_disconnect(session_.get());
        }
    }
    over_ = true;
    held_.set(0);
    bound_->silence();
    loop_->dispose(std::exchange(bound_, nullptr));
    session_.reset();
    descriptor_.reset();
    const Error reason = *closing_;
    tell_closed(reason);
}

// ---- Global requests of ours

void Connection::ask_globally(GlobalRequest request) {
    if (global_.size() >= kMostGlobalRequests) {
        close({Errc::too_large, "too many global requests are waiting"});
        return;
    }
    global_.push_back(std::move(request));
    settle_soon();
}

void Connection::run_global() {
    while (!global_.empty() && usable() && bound_) {
        const int rc = global_.front().attempt();
        if (rc == SSH_AGAIN) {
            global_started_ = true;
            return;
        }
        if (dead()) return;
        global_started_ = false;
        const auto done = std::move(global_.front().done);
        global_.erase(global_.begin());
        done(rc);
    }
}

// ---- Channels

Result<> Connection::room_for_channel() const {
    if (!usable() || !bound_ || !authenticated_) return fail(Errc::reset, "the connection is closed");
    if (channels_.size() + opens_waiting_.size() >= settings_.most_channels) return fail(Errc::no_space, "too many channels are open");
    return {};
}

ChannelPtr Connection::adopt(ssh_channel handle, Channel::Owner& owner) {
    channels_.push_back(std::make_unique<ChannelCore>(*this, handle, ChannelCore::State::open, owner));
    return channels_.back()->make_channel();
}

Result<ChannelPtr> Connection::open_channel(Channel::Owner& owner, const std::function<int(ssh_channel)>& ask) {
    if (Result<> room = room_for_channel(); !room) return std::unexpected(room.error());
    ChannelHandle handle(ssh_channel_new(session_.get()));
    if (!handle) return fail(Errc::internal, "cannot make a channel");
    channels_.push_back(std::make_unique<ChannelCore>(*this, handle.release(), ChannelCore::State::opening, owner));
    ChannelCore& core = *channels_.back();
    ask(core.handle());
    ready(core);  // told from the loop, however quickly it went
    settle_soon();
    return core.make_channel();
}

void Connection::take_channel_request(Message message) {
    ssh_channel handle = ssh_message_channel_request_channel(message.get());
    for (const auto& core : channels_)
        if (core->handle() == handle) return core->take_request(std::move(message));
    // Its channel is gone, and the message points at it: no answer.
}

std::unique_ptr<IncomingChannel> Connection::incoming(Message message, ChannelOpen asked) {
    return std::make_unique<IncomingChannelMessage>(self_, std::move(message), std::move(asked));
}

// ---- Lent, and from loop to loop

void Connection::lend_session() {
    lent_ = true;
    bound_->watch->want_read(false);
    bound_->watch->want_write(false);
}

void Connection::take_session_back() {
    lent_ = false;
    heard_at_ = loop_->now();
    settle_soon();
}

void Connection::shut_socket() { ::shutdown(descriptor_.get(), SHUT_RDWR); }

void Connection::leave_loop() {
    if (!bound_) return;
    bound_->silence();
    loop_->dispose(std::exchange(bound_, nullptr));
}

void Connection::join_loop(Loop& loop) {
    loop_ = &loop;
    bound_ = std::make_unique<Bound>(loop, *this);
    bound_->watch->want_read(true);
    heard_at_ = loop.now();
    if (authenticated_)
        login_done();
    else
        bound_->grace.start(settings_.login_grace);
    bound_->soon.ask();
}

}  // namespace sallyport::ssh
