#include "agent/ssh_preflight.h"

#include <algorithm>

#include "net/tcp_transport.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxIdentification = 255;  // RFC 4253 4.2
constexpr std::size_t kMaxShown = 80;

std::string printable(std::string_view text) {
    if (text.ends_with('\r')) text.remove_suffix(1);
    std::string out(text.substr(0, kMaxIdentification));
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f; }, '?');
    return out;
}

std::string place(const SshServerConfig& server) { return server.hostname + " port " + std::to_string(server.port); }

}  // namespace

SshBanner read_ssh_banner(std::string_view received) {
    // The first line is ours in all but odd servers; lines may stand before it.
    for (std::string_view rest = received.substr(0, kMaxBeforeBanner); ;) {
        const std::size_t end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        const bool begun = std::string_view("SSH-").starts_with(line.substr(0, 4));
        if (line.starts_with("SSH-") && (end != std::string_view::npos || line.size() > kMaxIdentification)) {
            for (const std::string_view version : {"SSH-2.0-", "SSH-1.99-"})
                if (line.starts_with(version)) return {SshBanner::State::ssh, printable(line.substr(version.size()))};
            return {SshBanner::State::not_ssh, printable(line)};
        }
        if (end == std::string_view::npos) {
            const bool too_much = received.size() >= kMaxBeforeBanner || (!begun && line.size() > 1024);
            return {too_much ? SshBanner::State::not_ssh : SshBanner::State::need_more, printable(received.substr(0, kMaxShown))};
        }
        if (line.starts_with("HTTP/") || line.starts_with("220")) return {SshBanner::State::not_ssh, printable(line.substr(0, kMaxShown))};
        rest.remove_prefix(end + 1);
    }
}

SshFailure cannot_connect(const SshServerConfig& server, const Error& error) {
    switch (error.code) {
        case Errc::not_found: return {SshFailure::Kind::network, "there is no host called " + server.hostname + " (" + error.detail + ")", "see hostname; or this machine's DNS doesn't answer"};
        case Errc::refused: return {SshFailure::Kind::network, "nobody listens at " + place(server) + ": connection refused", "is sshd running there, and is ssh_port right?"};
        case Errc::timeout: return {SshFailure::Kind::network, "no answer from " + place(server) + ": " + error.detail, "a firewall may drop what is sent there, or ssh_port is another one"};
        default: return {SshFailure::Kind::network, "no way to " + place(server) + ": " + error.detail, {}};
    }
}

SshPreflight::SshPreflight(Loop& loop, Workers& workers, const SshServerConfig& server, std::chrono::milliseconds patience, Done done)
    : loop_(loop),
      server_(server),
      patience_(patience),
      done_(std::move(done)),
      deadline_(loop, [this] {
          finish(std::unexpected(SshFailure{SshFailure::Kind::no_ssh, "somebody takes connections at " + place(server_) + ", but says nothing",
                                            "an SSH server speaks first: is ssh_port right? Or it is overloaded (MaxStartups)"}));
      }),
      connector_(std::make_unique<Connector>(loop, workers, server.hostname, server.port, Connector::Limits{std::chrono::seconds(5), patience},
                                             [this](Result<Descriptor> connected) { on_connected(std::move(connected)); })) {}

SshPreflight::~SshPreflight() = default;

void SshPreflight::on_connected(Result<Descriptor> connected) {
    loop_.dispose(std::move(connector_));
    if (!connected) return finish(std::unexpected(cannot_connect(server_, connected.error())));
    deadline_.start(patience_);
    transport_ = make_plain_transport(loop_, std::move(*connected));
    transport_->set_owner(this);
}

void SshPreflight::on_receive(MutableOctets octets) {
    received_ += as_text(octets).substr(0, kMaxBeforeBanner - std::min(received_.size(), kMaxBeforeBanner));
    const SshBanner banner = read_ssh_banner(received_);
    if (banner.state == SshBanner::State::need_more) return;
    if (banner.state == SshBanner::State::ssh) return finish(Seen{transport_->peer_address().text(), banner.version});
    finish(std::unexpected(SshFailure{SshFailure::Kind::no_ssh, "what answers at " + place(server_) + " is no SSH server: \"" + banner.version + "\"", "is ssh_port right?"}));
}

void SshPreflight::on_receive_end() {
    finish(std::unexpected(SshFailure{SshFailure::Kind::no_ssh, place(server_) + " closes connections at once",
                                      "its sshd may not want this address (fail2ban, hosts.deny, MaxStartups), or ssh_port is another one"}));
}

void SshPreflight::on_transport_error(const Error& error) {
    finish(std::unexpected(SshFailure{SshFailure::Kind::network, place(server_) + " cut the connection: " + error.detail, "a firewall or fail2ban may not want this address"}));
}

void SshPreflight::finish(std::expected<Seen, SshFailure> result) {
    deadline_.cancel();
    if (transport_) {
        transport_->close();
        loop_.dispose(std::move(transport_));
    }
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace sallyport
