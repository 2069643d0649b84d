// ssh_advice.h: what is told to people about an SSH server: the line that lets the agent in, and what to do about each kind of
// refusal, with sshd's own words for its settings. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "agent/ssh_failure.h"
#include "config/ssh_config.h"
#include "wire/ssh_public_key.h"

namespace sallyport {

// The line for ~/.ssh/authorized_keys: this key, these forwards and nothing else.
std::string authorized_keys_line(const std::vector<SshForward>& forwards, const SshPublicKey& key);

SshFailure host_key_changed(const SshServerConfig& server, std::string_view shown, const std::vector<std::string>& known);
SshFailure host_key_not_given(const SshServerConfig& server, std::string_view shown);
SshFailure host_key_revoked(const SshServerConfig& server, std::string_view shown);
// "SSH-2.0-Sallyport", with or without what stands before the name: a relay of ours. It knows agents and routes, not authorized_keys.
bool is_sallyport(std::string_view version);
SshFailure key_refused_by_relay(const SshServerConfig& server, std::string_view public_key);
SshFailure forward_refused_by_relay(const RemoteForward& forward);
// It has ended the connection before all forwards stood, and said why in SSH_MSG_DISCONNECT; `said` may have ssh's or libssh's words
// in front.
SshFailure refused_by_relay(std::string_view said);

SshFailure key_refused(const SshServerConfig& server, std::string_view authorized_line);
// `listen`: "127.0.0.1:8123". Somebody listens there.
SshFailure forward_taken(const SshServerConfig& server, const RemoteForward& forward);
enum class ForwardDoubt {
    not_permitted,  // nobody listens there, so the server doesn't want it
    unclear,        // that, or the port is taken
};
SshFailure forward_refused(const SshServerConfig& server, const RemoteForward& forward, ForwardDoubt doubt, std::string_view authorized_line);

}  // namespace sallyport
