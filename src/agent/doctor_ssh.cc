// The doctor's steps where the far end is an SSH server, up to the forwards; what comes after is doctor_home.cc's.
#include "agent/doctor_ssh.h"

#include <algorithm>
#include <cstring>

#include "agent/agent_start.h"
#include "agent/doctor_walk.h"
#include "agent/identity.h"
#include "agent/ssh_advice.h"
#include "agent/ssh_host_keys.h"
#include "agent/ssh_preflight.h"
#include "agent/ssh_start.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxLook = 4096;
constexpr std::size_t kMaxShown = 200;

std::string printable(std::string_view text) {
    std::string out(text.substr(0, kMaxShown));
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f; }, ' ');
    return out;
}

// Where somebody on the server connects to reach this forward.
std::string reached_at(const RemoteForward& forward) {
    if (forward.bind == "::1") return "::1";
    return forward.bind.empty() || forward.bind == "0.0.0.0" || forward.bind == "::" || forward.binds_loopback() ? "127.0.0.1" : forward.bind;
}

}  // namespace

// ---- the connection

DoctorSsh::~DoctorSsh() {
    channel_.reset();
    if (!connection_) return;
    if (!closed_) connection_->close({Errc::end_of_stream, "done"});
    (void)line_.wait([this] { return closed_.has_value(); }, std::chrono::seconds(5));
    line_.loop().dispose(std::move(connection_));
}

Result<SshPublicKey> DoctorSsh::shake_hands(Descriptor connected, const ssh::ClientSettings& settings) {
    auto connection = ssh::ClientConnection::make(line_.loop(), std::move(connected), settings, static_cast<ssh::ClientConnection::Owner&>(*this));
    if (!connection) return std::unexpected(connection.error());
    connection_ = std::move(*connection);
    (void)line_.wait([this] { return host_key_ || closed_; }, kStep);
    if (!host_key_) return std::unexpected(why_closed());
    return *host_key_;
}

std::string DoctorSsh::version() const {
    std::string_view text = connection_->peer_version();
    if (text.starts_with("SSH-2.0-")) text.remove_prefix(8);
    return printable(text);
}

Result<bool> DoctorSsh::log_in(const ssh::PrivateKey& key) {
    connection_->trust_host();
    connection_->log_in_with_key(key);
    (void)line_.wait([this] { return authenticated_ || refused_ || closed_; }, kStep);
    if (authenticated_) return true;
    if (refused_) return false;
    return std::unexpected(why_closed());
}

Result<std::uint16_t> DoctorSsh::ask_to_listen(const std::string& address, std::uint16_t port) {
    auto answer = std::make_shared<std::optional<Result<std::uint16_t>>>();
    connection_->request_forward(address, port, [answer](Result<std::uint16_t> granted) { *answer = std::move(granted); });
    (void)line_.wait([&] { return answer->has_value() || closed_; }, kStep);
    if (!*answer) return std::unexpected(why_closed());
    return **answer;
}

Result<std::string> DoctorSsh::look(const std::string& host, std::uint16_t port, std::string_view request) {
    look_refused_.reset();
    look_open_ = look_ended_ = false;
    received_.clear();
    to_send_ = request;
    auto channel = connection_->open_direct(static_cast<ssh::Channel::Owner&>(*this), host, port, "127.0.0.1", 0);
    if (!channel) return std::unexpected(channel.error());
    channel_ = std::move(*channel);
    (void)line_.wait([this] { return look_open_ || look_refused_ || closed_; }, kStep);
    if (look_refused_) return std::unexpected(*look_refused_);
    if (!look_open_) return std::unexpected(why_closed());
    if (!request.empty()) (void)line_.wait([this] { return received_.find('\n') != std::string::npos || look_ended_ || closed_; }, kStep);
    channel_.reset();
    return received_;
}

void DoctorSsh::on_channel_open() {
    look_open_ = true;
    channel_->wake();
}

void DoctorSsh::on_channel_octets(Octets octets) {
    received_ += as_text(octets).substr(0, kMaxLook - std::min(received_.size(), kMaxLook));
    if (channel_) channel_->consumed(octets.size());
}

ssh::Channel::Pulled DoctorSsh::on_channel_pull(MutableOctets room) {
    const std::size_t count = std::min(room.size(), to_send_.size());
    std::memcpy(room.data(), to_send_.data(), count);
    to_send_.erase(0, count);
    return {count, false};
}

// ---- the steps

void DoctorWalk::walk_ssh() {
    step("configuration", &DoctorWalk::ssh_configuration);
    step("dns", &DoctorWalk::ssh_dns);
    step("tcp", &DoctorWalk::ssh_tcp);
    step("ssh", &DoctorWalk::ssh_handshake);
    step("credential", &DoctorWalk::ssh_credential);
    step("tunnel", &DoctorWalk::ssh_forwards);
    step("relay_view", &DoctorWalk::no_relay_view);
    step("target_port", &DoctorWalk::target_port);
    step("target_scheme", &DoctorWalk::target_scheme);
    step("forwarded_for", &DoctorWalk::forwarded_for);
    step("public_way", &DoctorWalk::ssh_way);
    ssh_.reset();
    if (options_.public_url.empty()) return;
    url_text_ = options_.public_url;
    step("public_dns", &DoctorWalk::public_dns);
    step("public_tls", &DoctorWalk::public_tls);
    step("public_page", &DoctorWalk::public_page);
    step("websocket", &DoctorWalk::websocket);
    step("external_url", &DoctorWalk::external_url);
}

DoctorWalk::Verdict DoctorWalk::ssh_configuration() {
    const SshConfig& ssh = *config_->ssh;
    fact("state_dir", config_->state_dir.string());
    for (const std::string& warning : config_->warnings) hint(warning);
    ssh_server_ = options_.target.empty() ? &ssh.servers.front() : find_ssh_server(ssh, options_.target);
    if (!ssh_server_) return bad("no server is called " + options_.target, "--target names one of the servers in the configuration");
    if (ssh.servers.size() > 1) hint("this is " + ssh_server_->name + ", one of " + std::to_string(ssh.servers.size()) + " servers; --target NAME looks at another one");
    auto folder = StateFolder::open_existing(config_->state_dir);
    if (!folder && folder.error().code == Errc::permission_denied)
        return bad(folder.error().detail, "run this as the agent's own user, for example: sudo -u sallyport sallyport doctor …");
    const std::string start = "start the agent once (sallyport agent): it makes a key and prints the line that lets it in";
    if (!folder) return bad("the agent has never run: " + folder.error().detail, start);
    folder_ = *folder;
    agent_runs_here_ = folder_->is_locked();
    const bool own = ssh_server_->private_key.empty() && ssh_server_->private_key_file.empty();
    if (own && !folder_->has(kIdentityFile)) return bad("the state folder " + folder_->path().string() + " holds no key: the agent has never run", start);
    Result<ssh::PrivateKey> key = fail(Errc::not_found);
    if (own) {
        const auto identity = load_or_make_identity(*folder_);
        if (!identity) return bad(identity.error().detail, "run this as the agent's own user, for example: sudo -u sallyport sallyport doctor …");
        key = ssh::PrivateKey::parse(to_pem(identity->key));
    } else {
        key = ssh_server_->private_key_file.empty() ? ssh::PrivateKey::parse(ssh_server_->private_key) : ssh::load_key(ssh_server_->private_key_file, ssh::FileMode::shared_ok);
    }
    if (!key) return bad("the agent's key: " + key.error().detail, "see private_key and private_key_file in the configuration");
    ssh_key_.emplace(std::move(*key));
    const SshHostKeys host_keys(*folder_, *ssh_server_);
    if (const auto sound = host_keys.check(); !sound) return bad(sound.error().detail, "correct it; docs/ssh.md lists the keys");
    SshPublicKey public_key = ssh_key_->public_key();
    public_key.comment = "sallyport";
    ssh_line_ = authorized_keys_line(ssh_server_->forwards, public_key);
    std::string forwards;
    for (const SshForward& forward : ssh_server_->forwards)
        forwards += (forwards.empty() ? "" : ", ") + forward.line.listen_text() + " to " + (forward.to_home_assistant ? std::string(kHomeAssistant) : forward.line.destination());
    const SshForward& first = ssh_server_->forwards.front();
    const TargetTable table = make_target_table(*config_, {});
    if (first.to_home_assistant) target_ = table.find(kHomeAssistant).value_or(built_in_target());
    else target_ = Target{.name = first.line.destination(), .url = *parse_target_url("http://" + first.line.destination())};
    guess_scheme_ = !first.to_home_assistant;
    fact("server", ssh_server_->url());
    fact("authorized_keys", ssh_line_);
    fact("engine", ssh_server_->options.only_ssh.empty() ? "libssh" : "ssh");
    return good(source_ + "; server " + ssh_server_->url() + "; forwards: " + forwards);
}

DoctorWalk::Verdict DoctorWalk::by_program(const std::string& what) const {
    return skip(what + " is left to the system's ssh (" + ssh_server_->options.only_ssh.front() + " in other_ssh_options): see the agent's log, agent.not_connected and agent.ssh_says");
}

DoctorWalk::Verdict DoctorWalk::ssh_dns() {
    if (!ssh_server_->options.only_ssh.empty()) return by_program("the way there");
    auto found = line_.resolve(ssh_server_->hostname, ssh_server_->port);
    if (found && found->size() == 1 && found->front().ip() == ssh_server_->hostname) {
        relay_addresses_ = std::move(*found);
        return good(ssh_server_->hostname + " is an address; no name to look up");
    }
    if (!found && found.error().code == Errc::timeout)
        return bad(ssh_server_->hostname + ": no name server answered in time", "look at this machine's network and its name servers (/etc/resolv.conf); is the Internet there at all?");
    if (!found) return bad(ssh_server_->hostname + " is not found (" + found.error().detail + ")", "is hostname right? If it is, make an A or AAAA record for it");
    relay_addresses_ = std::move(*found);
    fact("addresses", addresses_text(relay_addresses_));
    return good(ssh_server_->hostname + " is " + addresses_text(relay_addresses_));
}

DoctorWalk::Verdict DoctorWalk::ssh_tcp() {
    if (!ssh_server_->options.only_ssh.empty()) return by_program("the way there");
    auto connected = line_.connect(ssh_server_->hostname, ssh_server_->port);
    if (!connected) {
        const SshFailure why = cannot_connect(*ssh_server_, connected.error());
        return bad(why.reason, why.advice.empty() ? "is this machine's network up, and is there a way to " + addresses_text(relay_addresses_) + "?" : why.advice);
    }
    relay_socket_ = std::move(*connected);
    relay_address_ = SocketAddress::peer_of(relay_socket_.get());
    fact("address", relay_address_.text());
    return good("connected to " + relay_address_.text());
}

DoctorWalk::Verdict DoctorWalk::ssh_handshake() {
    if (!ssh_server_->options.only_ssh.empty()) return by_program("the key exchange");
    const SshHostKeys host_keys(*folder_, *ssh_server_);
    ssh::ClientSettings settings;
    settings.user = ssh_server_->username;
    settings.login_grace = std::chrono::minutes(2);
    settings.known_key_types = host_keys.types();
    ssh_ = std::make_unique<DoctorSsh>(line_);
    auto key = ssh_->shake_hands(std::move(relay_socket_), settings);
    if (!key) {
        fact("cause", std::string(name_of(key.error().code)));
        return bad("no SSH with " + relay_address_.text() + ": " + printable(key.error().detail),
                   "is it sshd that listens on ssh_port? If it is, it may not want this address now (fail2ban, MaxStartups): its log tells");
    }
    const std::string shown = key->fingerprint();
    fact("fingerprint", shown);
    fact("version", ssh_->version());
    SshFailure why;
    switch (host_keys.judge(*key)) {
        case SshKeyVerdict::known: return good(ssh_->version() + "; its key is the known one, " + shown);
        case SshKeyVerdict::first:
            hint("compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows there; the agent notes it when it connects");
            return good(ssh_->version() + "; its key is " + shown + ", not seen before");
        case SshKeyVerdict::changed: why = host_key_changed(*ssh_server_, shown, host_keys.fingerprints()); break;
        case SshKeyVerdict::revoked: why = host_key_revoked(*ssh_server_, shown); break;
        case SshKeyVerdict::not_given: why = host_key_not_given(*ssh_server_, shown); break;
    }
    return bad(why.reason, why.advice);
}

DoctorWalk::Verdict DoctorWalk::ssh_credential() {
    if (!ssh_server_->options.only_ssh.empty()) return by_program("logging in");
    const auto in = ssh_->log_in(*ssh_key_);
    if (!in) return bad("the server ended the connection: " + printable(in.error().detail), "its log tells why; perhaps it counts refusals (fail2ban)");
    if (*in) return good("the server knows this agent's key, for the user " + ssh_server_->username);
    fact("cause", "key_refused");
    if (!ssh_->refusal().banner.empty()) hint("it says: " + printable(ssh_->refusal().banner));
    const SshFailure why = is_sallyport(ssh_->version()) ? key_refused_by_relay(*ssh_server_, ssh_key_->public_key().text()) : key_refused(*ssh_server_, ssh_line_);
    return bad(why.reason, why.advice);
}

DoctorWalk::Verdict DoctorWalk::ssh_forwards() {
    if (!ssh_server_->options.only_ssh.empty()) return by_program("the forward");
    std::string all;
    for (const SshForward& forward : ssh_server_->forwards) {
        const RemoteForward& line = forward.line;
        const std::string listen = line.listen_text();
        if (line.port == 0) {
            hint(listen + ": the server chooses the port, and the agent's log says which (agent.forward)");
            continue;
        }
        if (agent_runs_here_) {
            const auto seen = ssh_->look(reached_at(line), line.port, {});
            if (!seen && seen.error().code == Errc::unreachable)
                return bad_alone("an agent runs here, but nobody listens on " + listen + " there", "see its log: agent.not_connected says why");
            if (!seen) {
                hint(listen + " can't be looked at from here (AllowTcpForwarding remote, or a relay of ours); the agent's log says whether it stands");
                continue;
            }
        } else if (const auto granted = ssh_->ask_to_listen(line.bind, line.port); !granted) {
            const auto seen = granted.error().code == Errc::refused ? ssh_->look(reached_at(line), line.port, {}) : Result<std::string>(std::unexpected(granted.error()));
            const SshFailure why = is_sallyport(ssh_->version())                             ? forward_refused_by_relay(line)
                                   : seen                                                    ? forward_taken(*ssh_server_, line)
                                   : seen.error().code == Errc::unreachable                  ? forward_refused(*ssh_server_, line, ForwardDoubt::not_permitted, ssh_line_)
                                                                                             : forward_refused(*ssh_server_, line, ForwardDoubt::unclear, ssh_line_);
            fact("cause", std::string(name_of(why.kind)));
            return bad(why.reason, why.advice);
        }
        all += (all.empty() ? "" : ", ") + listen;
    }
    fact("agent_runs", agent_runs_here_);
    if (agent_runs_here_) return good(all.empty() ? "an agent runs here" : "an agent runs here, and the server listens on " + all);
    hint("no agent runs with this state folder: start it (sallyport agent)");
    return good("the server allows " + (all.empty() ? "forwards" : all));
}

DoctorWalk::Verdict DoctorWalk::no_relay_view() {
    const std::string more = options_.public_url.empty() ? "; with --public-url URL the visitors' way is looked at, too" : "";
    return skip("an SSH server can't be asked how it sees this agent" + more);
}

DoctorWalk::Verdict DoctorWalk::ssh_way() {
    if (!ssh_server_->options.only_ssh.empty()) return by_program("a visit from the server");
    if (!agent_runs_here_) return skip("no agent runs here that could answer");
    const RemoteForward& line = ssh_server_->forwards.front().line;
    if (line.port == 0) return skip("the server chose the port");
    const std::string request = target_.is_http() && !target_.is_tls() ? "GET /manifest.json HTTP/1.1\r\nHost: " + target_.url.authority() + "\r\nConnection: close\r\n\r\n" : "";
    const auto seen = ssh_->look(reached_at(line), line.port, request);
    if (!seen && seen.error().code == Errc::refused) return skip("the server lets nobody look (AllowTcpForwarding remote, or a relay of ours)", "try there: curl -i http://" + line.listen_text() + "/");
    if (!seen) return bad(line.listen_text() + " on the server: " + printable(seen.error().detail), "see the agent's log");
    if (request.empty()) return good(line.listen_text() + " on the server leads here");
    const std::string status = printable(seen->substr(0, seen->find('\r')));
    if (seen->starts_with("HTTP/1.")) return good("from the server, " + line.listen_text() + " answers " + status.substr(9));
    return bad("from the server, " + line.listen_text() + (seen->empty() ? " gives no answer" : " answers something that is not HTTP"),
               "does this agent hold that port, or somebody else (ss -ltnp there)? Its log tells what became of the visit (log_level debug, agent.stream_refused)");
}

}  // namespace sallyport
