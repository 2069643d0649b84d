#include "ssh/channel_core.h"

#include <algorithm>
#include <charconv>

#include "ssh/borrowed_buffer.h"
#include "ssh/connection.h"

namespace sallyport::ssh {
namespace {

constexpr ByteCount kLibrarysWindow = 1'280'000;  // WINDOWBASE: libssh refills below the half of it
constexpr std::size_t kMostPull = LoopBuffers::kSend;
// Until a peer has shown that its maximum packet size is no nuisance; see Connection::check_packets.
constexpr std::size_t kFirstPull = 4096;

// "Channel opening failure: channel 43 error (2) Connection refused" (RFC 4254 5.1).
Error refusal_from(std::string_view text) {
    unsigned code = 0;
    std::string_view said;
    if (const std::size_t at = text.find("error ("); text.starts_with("Channel opening failure") && at != std::string_view::npos) {
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data() + at + 7, end, code);
        if (error == std::errc{}) said = std::string_view(rest, end);
        if (said.starts_with(") ")) said.remove_prefix(2);
    }
    std::string detail(said.substr(0, 256));
    if (code == 2) return {Errc::unreachable, std::move(detail)};
    if (code == 4) return {Errc::no_space, std::move(detail)};
    return {Errc::refused, std::move(detail)};
}

}  // namespace

ChannelCore::ChannelCore(Connection& connection, ssh_channel handle, State state, Channel::Owner& owner)
    : connection_(connection), handle_(handle), state_(state), owner_(&owner), window_(kLibrarysWindow) {
    ssh_callbacks_init(&callbacks_);
    callbacks_.userdata = this;
    callbacks_.channel_data_function = on_data;
    callbacks_.channel_eof_function = on_eof;
    callbacks_.channel_close_function = on_close;
    callbacks_.channel_signal_function = on_signal;
    callbacks_.channel_exit_status_function = on_exit_status;
    callbacks_.channel_exit_signal_function = on_exit_signal;
    // libssh answers for us, with success if there is a callback.
    if (connection_.settings().agent_forwarding) callbacks_.channel_auth_agent_req_function = on_agent_request;
    ssh_add_channel_callbacks(handle_, &callbacks_);
    measured_from_ = connection_.loop().now();
}

ChannelCore::~ChannelCore() {
    if (channel_) channel_->core_ = nullptr;
    if (!handle_) return;
    connection_.unread_ -= pending_ + pending_error_;
    ssh_remove_channel_callbacks(handle_, &callbacks_);
    ssh_channel_free(handle_);
}

ChannelPtr ChannelCore::make_channel() {
    ChannelPtr channel(new Channel(*this));
    channel_ = channel.get();
    return channel;
}

// ---- libssh's callbacks: nothing but notes

int ChannelCore::on_data(ssh_session, ssh_channel, void*, std::uint32_t length, int is_stderr, void* self) {
    auto& core = *static_cast<ChannelCore*>(self);
    if (core.state_ == State::closing || core.state_ == State::over || core.close_wanted_) return static_cast<int>(length);  // dropped
    std::uint32_t& pending = is_stderr ? core.pending_error_ : core.pending_;
    core.connection_.unread_ += length - pending;  // `length` is all that is buffered
    pending = length;
    core.connection_.ready(core);
    return 0;
}

void ChannelCore::on_eof(ssh_session, ssh_channel, void* self) {
    auto& core = *static_cast<ChannelCore*>(self);
    core.eof_seen_ = true;
    core.connection_.ready(core);
}

void ChannelCore::on_close(ssh_session, ssh_channel, void* self) {
    auto& core = *static_cast<ChannelCore*>(self);
    core.close_seen_ = true;
    core.connection_.ready(core);
}

void ChannelCore::note(ChannelRequest event) {
    if (!owner_ || requests_.size() >= Channel::kMostHeldRequests) return;
    requests_.emplace_back(std::move(event), nullptr);
    connection_.ready(*this);
}

void ChannelCore::on_signal(ssh_session, ssh_channel, const char* name, void* self) {
    if (std::string_view(name).size() > 64) return;
    static_cast<ChannelCore*>(self)->note({.kind = ChannelRequest::Kind::signal, .text = name});
}

void ChannelCore::on_agent_request(ssh_session, ssh_channel, void* self) {
    static_cast<ChannelCore*>(self)->note({.kind = ChannelRequest::Kind::agent});
}

void ChannelCore::on_exit_status(ssh_session, ssh_channel, int status, void* self) {
    auto& core = *static_cast<ChannelCore*>(self);
    core.exit_in_ = ExitStatus{.code = static_cast<std::uint32_t>(status)};
    core.connection_.ready(core);
}

void ChannelCore::on_exit_signal(ssh_session, ssh_channel, const char* name, int core_dumped, const char* message, const char*, void* self) {
    auto& core = *static_cast<ChannelCore*>(self);
    core.exit_in_ = ExitStatus{.signal = std::string(std::string_view(name).substr(0, 64)),
                               .message = std::string(std::string_view(message).substr(0, 1024)),
                               .core_dumped = core_dumped != 0};
    core.connection_.ready(core);
}

// ---- What came, to the owner. It may release the channel in each call.

void ChannelCore::deliver() {
    if (state_ == State::opening) look_whether_open();
    if (state_ == State::closing && close_seen_) state_ = State::over;
    if (state_ != State::open) return;
    run_operations();
    deliver_requests();
    drain(Kind::standard);
    drain(Kind::error);
    if (!owner_ || pending_ || pending_error_) return;
    if (exit_in_) {
        const ExitStatus status = *std::exchange(exit_in_, std::nullopt);
        owner_->on_channel_exit(status);
        if (!owner_) return;
    }
    if (eof_seen_ && !eof_told_) {
        eof_told_ = true;
        owner_->on_channel_eof();
        if (!owner_) return;
    }
    if (!close_seen_) return;
    fail_operations();
    if (!owner_) return;
    Channel::Owner& owner = *owner_;
    detach();
    close_now();
    owner.on_channel_closed(eof_seen_ ? Error{Errc::end_of_stream, "closed by the peer"} : Error{Errc::reset, "closed by the peer without EOF"});
}

void ChannelCore::look_whether_open() {
    // Any of the open calls: on a channel that is being opened they only look.
    const int rc = close_seen_ ? SSH_OK : ssh_channel_open_session(handle_);
    if (rc == SSH_AGAIN) return;
    if (rc == SSH_OK) {
        state_ = State::open;
        if (!owner_) return close_now();
        if (wanting_) connection_.want_to_send(*this);
        owner_->on_channel_open();
        return;
    }
    if (connection_.dead()) return;  // the connection's end says it
    const Error refusal = refusal_from(ssh_get_error(ssh_channel_get_session(handle_)));
    state_ = State::over;
    Channel::Owner* const owner = owner_;
    detach();
    if (owner) owner->on_channel_refused(refusal);
}

// Sends the first request, or looks for its answer.
void ChannelCore::start_operation() {
    if (state_ != State::open || operations_.empty()) return;
    Operation& operation = operations_.front();
    if (operation.result != SSH_AGAIN || (close_seen_ && !operation.started)) return;  // an answer under way may have come before the CLOSE
    operation.started = true;
    operation.result = operation.attempt(handle_);
}

void ChannelCore::run_operations() {
    while (state_ == State::open && !operations_.empty()) {
        start_operation();
        if (operations_.front().result == SSH_AGAIN) return;
        const Operation ended = std::move(operations_.front());
        operations_.erase(operations_.begin());
        if (ended.done && owner_) ended.done(ended.result == SSH_OK);
    }
}

void ChannelCore::fail_operations() {
    const std::vector<Operation> failed = std::exchange(operations_, {});
    for (const Operation& operation : failed)
        if (operation.done && owner_) operation.done(false);
}

void ChannelCore::take_request(Message message) {
    ssh_message m = message.get();
    ChannelRequest request;
    const auto text = [](const char* value) { return std::string(value ? value : ""); };
    const auto size = [&] {
        const auto number = [](int value) { return value < 0 ? 0U : static_cast<std::uint32_t>(value); };
        return TerminalSize{number(ssh_message_channel_request_pty_width(m)), number(ssh_message_channel_request_pty_height(m)),
                            number(ssh_message_channel_request_pty_pxwidth(m)), number(ssh_message_channel_request_pty_pxheight(m))};
    };
    switch (ssh_message_subtype(m)) {
        case SSH_CHANNEL_REQUEST_PTY:
            request = {.kind = ChannelRequest::Kind::pty, .text = text(ssh_message_channel_request_pty_term(m)), .size = size()};
            break;
        case SSH_CHANNEL_REQUEST_WINDOW_CHANGE: request = {.kind = ChannelRequest::Kind::window_change, .size = size()}; break;
        case SSH_CHANNEL_REQUEST_ENV:
            request = {.kind = ChannelRequest::Kind::env,
                       .text = text(ssh_message_channel_request_env_name(m)),
                       .value = text(ssh_message_channel_request_env_value(m))};
            break;
        case SSH_CHANNEL_REQUEST_SHELL: request = {.kind = ChannelRequest::Kind::shell}; break;
        case SSH_CHANNEL_REQUEST_EXEC:
            request = {.kind = ChannelRequest::Kind::exec, .text = text(ssh_message_channel_request_command(m))};
            break;
        case SSH_CHANNEL_REQUEST_SUBSYSTEM:
            request = {.kind = ChannelRequest::Kind::subsystem, .text = text(ssh_message_channel_request_subsystem(m))};
            break;
        default: ssh_message_reply_default(m); return;
    }
    if (!owner_ || state_ != State::open || request.text.size() + request.value.size() > kMaxRequestText) {
        ssh_message_reply_default(m);
        return;
    }
    if (requests_.size() >= Channel::kMostHeldRequests)
        return connection_.close({Errc::too_large, "too many requests on a channel"}, "too many requests");
    requests_.emplace_back(std::move(request), std::move(message));
    connection_.ready(*this);
}

void ChannelCore::deliver_requests() {
    while (owner_ && state_ == State::open && !request_asked_ && !requests_.empty()) {
        request_asked_ = true;
        const ChannelRequest request = requests_.front().first;
        const bool note = requests_.front().second == nullptr;
        const Channel::Answer answered = owner_->on_channel_request(request);
        if (!request_asked_) continue;  // answer() was called meanwhile
        if (note || answered != Channel::Answer::later) answer(answered);
    }
}

void ChannelCore::answer(Channel::Answer answer) {
    if (!request_asked_ || requests_.empty()) return;
    request_asked_ = false;
    const Message message = std::move(requests_.front().second);
    requests_.erase(requests_.begin());
    if (message && state_ == State::open) {
        if (answer == Channel::Answer::accept)
            ssh_message_channel_request_reply_success(message.get());
        else
            ssh_message_reply_default(message.get());
    }
    connection_.ready(*this);
    connection_.settle_soon();
}

void ChannelCore::drain(Kind kind) {
    std::uint32_t& pending = kind == Kind::error ? pending_error_ : pending_;
    while (owner_ && state_ == State::open && pending && unconsumed_ < Channel::kMostUnconsumed) {
        BorrowedBuffer borrowed(connection_.loop().buffers().received, LoopBuffers::kReceive);
        const std::span room(borrowed.octets());
        const auto most = static_cast<std::uint32_t>(std::min<ByteCount>(Channel::kMostUnconsumed - unconsumed_, room.size()));
        // Asking for more than there is makes libssh grow the window to that; it copies no more than `pending`.
        const std::uint32_t count = pending <= most && kind == Kind::standard ? window_to_ask(pending) : std::min(pending, most);
        const int n = ssh_channel_read_timeout(handle_, room.data(), count, kind == Kind::error, 0);
        if (n <= 0 || static_cast<std::uint32_t>(n) > pending) {  // the session is over
            connection_.unread_ -= std::exchange(pending, 0);
            return;
        }
        const auto octets = static_cast<std::uint32_t>(n);
        pending -= octets;
        connection_.unread_ -= octets;
        unconsumed_ += octets;
        connection_.unconsumed_ += octets;
        octets_in_ += octets;
        since_growth_ += octets;
        since_asked_ += octets;
        if (kind == Kind::error)
            owner_->on_channel_error_octets(room.first(octets));
        else
            owner_->on_channel_octets(room.first(octets));
    }
}

// How much to ask libssh to read: what is there, or the size to which the window is to grow. It doubles when a whole window went by within
// three round trips: then the peer waited for us. (libssh's own window limits a client 100 ms away to 6 MB/s.)
std::uint32_t ChannelCore::window_to_ask(std::uint32_t pending) {
    if (since_growth_ >= window_) {
        const TimePoint now = connection_.loop().now();
        const auto round_trip = connection_.round_trip_by_tcp();
        if (round_trip > std::chrono::milliseconds(1) && now - measured_from_ < 3 * round_trip && BufferBudget::may_grow())
            window_ = std::min<ByteCount>(window_ * 2, std::max(connection_.settings().largest_window, kLibrarysWindow));
        measured_from_ = now;
        since_growth_ = 0;
    }
    if (window_ <= kLibrarysWindow || since_asked_ < window_ / 8) return pending;
    since_asked_ = 0;
    return std::max(pending, static_cast<std::uint32_t>(window_));
}

void ChannelCore::consumed(ByteCount octets) {
    const ByteCount taken = std::min(octets, unconsumed_);
    unconsumed_ -= taken;
    connection_.unconsumed_ -= taken;
    if ((pending_ || pending_error_) && unconsumed_ < Channel::kMostUnconsumed) {
        connection_.ready(*this);
        connection_.settle_soon();
    }
}

// ---- Sending

bool ChannelCore::wants_to_send() const {
    if (state_ != State::open) return false;
    if (unsent_at_ < unsent_.size() || exit_out_ || close_wanted_) return true;
    return (wanting_ || end_pulled_) && !eof_sent_;
}

bool ChannelCore::has_room() const {
    // What libssh didn't take waits for the end of a key exchange: that is something to receive.
    // And requests wait for the answer to the one before.
    return state_ == State::open && unsent_at_ == unsent_.size() && operations_started() && ssh_channel_window_size(handle_) > 0;
}

void ChannelCore::wake() {
    wanting_ = true;
    if (state_ == State::open) connection_.want_to_send(*this);
}

ByteCount ChannelCore::send(ByteCount most) {
    if (state_ != State::open) return 0;
    if (unsent_at_ < unsent_.size()) {
        write_unsent();
        if (unsent_at_ < unsent_.size()) return 0;
    }
    if (close_wanted_) {
        close_now();
        return 0;
    }
    ByteCount sent = 0;
    if (wanting_ && owner_ && !end_pulled_ && operations_started()) {
        const std::uint32_t window = close_seen_ ? 0 : ssh_channel_window_size(handle_);
        const auto room = static_cast<std::size_t>(std::min<ByteCount>({most, window, has_written_ ? kMostPull : kFirstPull}));
        if (room > 0) {
            BorrowedBuffer borrowed(connection_.loop().buffers().frames, kMostPull);
            if (connection_.is_server()) sent += pull(Kind::error, MutableOctets(borrowed.octets()).first(room));
            const bool more = unsent_at_ == unsent_.size() && state_ == State::open && owner_;
            const std::uint32_t left = more ? ssh_channel_window_size(handle_) : 0;
            if (left > 0) sent += pull(Kind::standard, MutableOctets(borrowed.octets()).first(std::min<std::size_t>(room, left)));
        }
    }
    if (unsent_at_ < unsent_.size() || state_ != State::open) return sent;
    if (exit_out_) send_exit_now();
    if (end_pulled_ && !eof_sent_) {
        eof_sent_ = true;
        ssh_channel_send_eof(handle_);
    }
    return sent;
}

ByteCount ChannelCore::pull(Kind kind, MutableOctets room) {
    const Channel::Pulled pulled = kind == Kind::error ? owner_->on_channel_pull_error(room) : owner_->on_channel_pull(room);
    if (state_ != State::open || !owner_) return 0;  // released meanwhile
    const std::size_t octets = std::min(pulled.octets, room.size());
    if (kind == Kind::standard) {
        if (pulled.end) end_pulled_ = true;
        if (octets == 0 && !pulled.end) wanting_ = false;
    }
    if (octets == 0) return 0;
    const std::size_t written = write(kind, room.first(octets));
    if (written < octets) {
        unsent_.assign(as_text(room.first(octets).subspan(written)));
        unsent_at_ = 0;
        unsent_kind_ = kind;
    }
    return octets;
}

std::size_t ChannelCore::write(Kind kind, Octets octets) {
    const auto length = static_cast<std::uint32_t>(octets.size());
    const std::uint64_t packets_before = connection_.packets_out();
    const int n = kind == Kind::error ? ssh_channel_write_stderr(handle_, octets.data(), length) : ssh_channel_write(handle_, octets.data(), length);
    if (n < 0) {  // the peer has closed it, or the session is over: both are told elsewhere
        octets_out_ += octets.size();
        return octets.size();
    }
    octets_out_ += static_cast<std::size_t>(n);
    has_written_ = has_written_ || n > 0;
    connection_.check_packets(static_cast<std::size_t>(n), connection_.packets_out() - packets_before);
    return static_cast<std::size_t>(n);
}

void ChannelCore::write_unsent() {
    const Octets rest = as_octets(std::string_view(unsent_).substr(unsent_at_));
    const std::uint32_t window = close_seen_ ? static_cast<std::uint32_t>(rest.size()) : ssh_channel_window_size(handle_);
    if (window == 0) return;
    unsent_at_ += write(unsent_kind_, rest.first(std::min<std::size_t>(rest.size(), window)));
    if (unsent_at_ < unsent_.size()) return;
    unsent_ = {};
    unsent_at_ = 0;
}

void ChannelCore::send_exit(const ExitStatus& status) {
    if (state_ != State::open) return;
    exit_out_ = status;
    if (unsent_at_ == unsent_.size()) send_exit_now();
    connection_.settle_soon();
}

void ChannelCore::send_exit_now() {
    const ExitStatus status = *std::exchange(exit_out_, std::nullopt);
    if (status.signal.empty())
        ssh_channel_request_send_exit_status(handle_, static_cast<int>(status.code));
    else
        ssh_channel_request_send_exit_signal(handle_, status.signal.c_str(), status.core_dumped, status.message.c_str(), "");
}

void ChannelCore::ask(std::function<int(ssh_channel)> attempt, Channel::Done done) {
    if (state_ != State::open && state_ != State::opening) return;
    operations_.push_back({.attempt = std::move(attempt), .done = std::move(done)});
    // At once where it can be: octets that are sent next must not overtake it.
    if (operations_.size() == 1) start_operation();
    connection_.ready(*this);
    connection_.settle_soon();
}

// ---- The end

void ChannelCore::detach() {
    connection_.unconsumed_ -= std::exchange(unconsumed_, 0);
    owner_ = nullptr;
    if (channel_) channel_->core_ = nullptr;
    channel_ = nullptr;
}

void ChannelCore::release() {
    detach();
    requests_.clear();
    request_asked_ = false;
    operations_.clear();
    wanting_ = false;
    if (state_ == State::opening) return;  // until the answer
    if (state_ == State::open && unsent_at_ < unsent_.size()) {
        close_wanted_ = true;
        connection_.want_to_send(*this);
    } else {
        close_now();
    }
    connection_.settle_soon();
}

void ChannelCore::close_now() {
    if (state_ != State::open) return;
    state_ = close_seen_ ? State::over : State::closing;
    connection_.unread_ -= std::exchange(pending_, 0) + std::exchange(pending_error_, 0);
    // SSH_AGAIN may come from the EOF, with no CLOSE sent yet.
    for (int i = 0; i < 3 && ssh_channel_close(handle_) == SSH_AGAIN; ++i) {}
    connection_.settle_soon();
}

void ChannelCore::connection_lost(const Error& reason) {
    if (handle_) ssh_remove_channel_callbacks(handle_, &callbacks_);
    handle_ = nullptr;
    connection_.unread_ -= std::exchange(pending_, 0) + std::exchange(pending_error_, 0);
    const bool was_opening = state_ == State::opening;
    state_ = State::over;
    fail_operations();
    Channel::Owner* const owner = owner_;
    detach();
    if (!owner) return;
    if (was_opening)
        owner->on_channel_refused({Errc::reset, reason.detail});
    else
        owner->on_channel_closed({Errc::unreachable, reason.detail});
}

// ---- Channel

Channel::~Channel() {
    if (core_) core_->release();
}

void Channel::close() {
    if (core_) core_->release();
}

bool Channel::open() const { return core_ && core_->state() == ChannelCore::State::open; }

void Channel::set_owner(Owner& owner) {
    if (core_) core_->set_owner(owner);
}

void Channel::wake() {
    if (core_) core_->wake();
}

void Channel::consumed(ByteCount octets) {
    if (core_) core_->consumed(octets);
}

void Channel::answer(Answer answer) {
    if (core_) core_->answer(answer);
}

void Channel::send_exit(const ExitStatus& status) {
    if (core_) core_->send_exit(status);
}

ByteCount Channel::octets_in() const { return core_ ? core_->octets_in() : 0; }
ByteCount Channel::octets_out() const { return core_ ? core_->octets_out() : 0; }

void Channel::request_pty(std::string term, TerminalSize size, Done done) {
    if (!core_) return;
    core_->ask(
        [term = std::move(term), size](ssh_channel channel) {
            return ssh_channel_request_pty_size(channel, term.c_str(), static_cast<int>(size.columns), static_cast<int>(size.rows));
        },
        std::move(done));
}

void Channel::request_env(std::string name, std::string value, Done done) {
    if (!core_) return;
    core_->ask([name = std::move(name), value = std::move(value)](
                   ssh_channel channel) { return ssh_channel_request_env(channel, name.c_str(), value.c_str()); },
               std::move(done));
}

void Channel::request_shell(Done done) {
    if (core_) core_->ask([](ssh_channel channel) { return ssh_channel_request_shell(channel); }, std::move(done));
}

void Channel::request_exec(std::string command, Done done) {
    if (!core_) return;
    core_->ask([command = std::move(command)](ssh_channel channel) { return ssh_channel_request_exec(channel, command.c_str()); }, std::move(done));
}

void Channel::request_subsystem(std::string name, Done done) {
    if (!core_) return;
    core_->ask([name = std::move(name)](ssh_channel channel) { return ssh_channel_request_subsystem(channel, name.c_str()); }, std::move(done));
}

void Channel::request_agent() {
    if (core_) core_->ask([](ssh_channel channel) { return ssh_channel_request_auth_agent(channel); }, {});
}

void Channel::send_window_change(TerminalSize size) {
    if (!core_) return;
    core_->ask([size](ssh_channel channel) { return ssh_channel_change_pty_size(channel, static_cast<int>(size.columns), static_cast<int>(size.rows)); },
               {});
}

void Channel::send_signal(std::string name) {
    if (core_) core_->ask([name = std::move(name)](ssh_channel channel) { return ssh_channel_request_send_signal(channel, name.c_str()); }, {});
}

}  // namespace sallyport::ssh
