#include "agent/ssh_advice.h"

#include <algorithm>

namespace sallyport {
namespace {

std::string where(const SshServerConfig& server) {
    return server.username + "@" + server.hostname + (server.port == 22 ? "" : ":" + std::to_string(server.port));
}

std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
    return all;
}

constexpr std::uint16_t kFirstFreePort = 1024;

}  // namespace

std::string authorized_keys_line(const std::vector<SshForward>& forwards, const SshPublicKey& key) {
    std::vector<std::string> options;
    for (const SshForward& forward : forwards) {
        std::string option = permit_listen_option(forward.line);
        if (std::ranges::find(options, option) == options.end()) options.push_back(std::move(option));
    }
    std::string line = "restrict,port-forwarding";
    for (const std::string& option : options) line += "," + option;
    return line + " " + key.text();
}

SshFailure host_key_changed(const SshServerConfig& server, std::string_view shown, const std::vector<std::string>& known) {
    const bool given = server.has_given_keys();
    return {SshFailure::Kind::host_key_changed,
            "the server's key has changed: it shows " + std::string(shown) + ", but " + (given ? "host_key or known_hosts says " : "this agent has noted ") + joined(known),
            given ? "nothing is sent to it; if the server really has a new key, change host_key or known_hosts"
                  : "nothing is sent to it, since somebody may stand in between; if the server really has a new key: sallyport agent trust " + server.name};
}

SshFailure host_key_not_given(const SshServerConfig& server, std::string_view shown) {
    return {SshFailure::Kind::host_key_unknown, "the server shows the key " + std::string(shown) + ", which neither host_key nor known_hosts names",
            "compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` shows on " + server.hostname + ", and add it"};
}

SshFailure host_key_revoked(const SshServerConfig& server, std::string_view shown) {
    return {SshFailure::Kind::host_key_unknown, "the server shows the key " + std::string(shown) + ", which known_hosts calls revoked", "find out what has happened to " + server.hostname};
}

bool is_sallyport(std::string_view version) {
    if (version.starts_with("SSH-2.0-")) version.remove_prefix(8);
    return version.starts_with("Sallyport");
}

SshFailure key_refused_by_relay(const SshServerConfig& server, std::string_view public_key) {
    return {SshFailure::Kind::key_refused, "the relay doesn't know this agent's key", "on " + server.hostname + ": sallyport admin agent add NAME --ssh-key '" + std::string(public_key) + "'"};
}

SshFailure forward_refused_by_relay(const RemoteForward& forward) {
    return {SshFailure::Kind::forward_refused, "the relay refuses to listen on " + forward.listen_text(),
            "no route of this agent fits: the relay's log says which ones there are (docs/ssh.md), and `sallyport admin route add HOSTNAME NAME` makes one; remote_ip_address may be the route's hostname"};
}

SshFailure refused_by_relay(std::string_view said) {
    // "Received disconnect from 192.0.2.1 port 2222:11: TEXT", "Received SSH_MSG_DISCONNECT: 11:TEXT"
    for (const std::string_view mark : {":11: ", ": 11:", ":2: ", ": 2:"}) {
        const std::size_t at = said.find(mark);
        if (at == std::string_view::npos || !said.starts_with("Received ")) continue;
        said.remove_prefix(at + mark.size());
        break;
    }
    if (said.contains("connect again") || said.contains("try again")) return {SshFailure::Kind::network, "the relay says: " + std::string(said), {}};
    return {SshFailure::Kind::forward_refused, "the relay says: " + std::string(said), "see `sallyport admin agent show NAME` there, and remote_ip_address and remote_forwarding here (docs/ssh.md, What -R means)"};
}

SshFailure key_refused(const SshServerConfig& server, std::string_view authorized_line) {
    return {SshFailure::Kind::key_refused, "the server doesn't take this agent's key for the user " + server.username,
            "add this line to ~" + server.username + "/.ssh/authorized_keys on " + server.hostname + ": " + std::string(authorized_line)};
}

SshFailure forward_taken(const SshServerConfig& server, const RemoteForward& forward) {
    return {SshFailure::Kind::forward_taken, forward.listen_text() + " is taken on " + where(server),
            "most likely by this agent's own connection before, which the server still believes to be alive; it goes on trying. So that a dead one is noticed in a "
            "minute, set in sshd_config there: ClientAliveInterval 15, ClientAliveCountMax 3. If somebody else listens there (ss -ltnp), choose another remote_port"};
}

SshFailure forward_refused(const SshServerConfig& server, const RemoteForward& forward, ForwardDoubt doubt, std::string_view authorized_line) {
    const std::string listen = forward.listen_text();
    SshFailure failure{SshFailure::Kind::forward_refused, "the server refuses to listen on " + listen, {}};
    const std::string permit = permit_listen_option(forward);
    const std::string low = forward.port != 0 && forward.port < kFirstFreePort && server.username != "root" ? " Ports below 1024 are root's: choose a higher one and put a proxy in front." : "";
    const std::string forwarding = "AllowTcpForwarding must be yes or remote, and DisableForwarding no";
    const std::string listening = "PermitListen, if it is set, must name " + listen + ", and the authorized_keys line needs port-forwarding and " + permit;
    const std::string settings = "in sshd_config on " + server.hostname + ": " + forwarding + "; " + listening;
    failure.advice = doubt == ForwardDoubt::not_permitted ? "nobody listens there, so it isn't allowed; " + settings + "." + low
                                                          : "either it isn't allowed (" + settings + "), or the port is taken (ss -ltnp shows by whom)." + low;
    failure.advice += " The line for this agent: " + std::string(authorized_line);
    return failure;
}

}  // namespace sallyport
