// ssh_door.h: where stock SSH clients come in, one instance a loop: counts and bounds connections, judges logins, and carries whoever proved an
// agent's key to the loop that owns the agent, where an SshClient lives on with it.
//
// Public keys are the only method. The user name means nothing. Which keys are known a stranger can find out, as at every sshd, but only by
// having them; each connection that shows unknown ones is a failed login in the ban shield (apart from those of web logins: home
// "SSH"). Close all (close_all) before destroying it; its loop must have ended.
#pragma once
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "edge/ban_shield.h"
#include "edge/bounded_lines.h"
#include "edge/visitor_limits.h"
#include "net/socket.h"
#include "relay/agents.h"
#include "relay/ssh_client.h"
#include "relay/ssh_counters.h"
#include "ssh/server_connection.h"

namespace sallyport::relay {

inline constexpr std::size_t kMostSshClients = 16;  // of one agent at the same time: one serves, others look at the status

class SshDoor final : private SshClient::Owner {
public:
    using DoorOf = std::function<SshDoor&(std::size_t loop_index)>;

    SshDoor(std::size_t loop_index, Agents& agents, Log& log, VisitorLimits& limits, BanShield& shield, DoorOf door_of);
    ~SshDoor();
    SshDoor(const SshDoor&) = delete;
    SshDoor& operator=(const SshDoor&) = delete;

    const SshCounters& counters() const { return counters_; }

    // On its loop. From now on connections are taken from here, too.
    void listen(Descriptor listener, std::shared_ptr<const ssh::ServerHost> host);
    // Whoever is not logged in yet is sent away.
    void stop_listening();
    void close_all();
    void try_again();  // descriptors have become free

private:
    class Guest;

    void take(Descriptor connection, const SocketAddress& peer);
    void hand_over(Guest& guest);
    void take_client(SshLogin login, std::unique_ptr<ssh::ServerConnection> connection, VisitorLimits::Visit visit);
    void on_guest_over(Guest& guest);
    void on_ssh_client_over(SshClient& client) override;
    void note_refused(SshRefusal reason, const std::string& peer, std::string_view user, std::string_view key, std::string_view agent = {});

    Agents& agents_;
    LoopAgents& here_;
    Log& log_;
    VisitorLimits& limits_;
    BanShield& shield_;
    const DoorOf door_of_;
    SshCounters counters_;
    BoundedLines refused_lines_;
    std::shared_ptr<const ssh::ServerHost> host_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    std::unordered_map<Guest*, std::unique_ptr<Guest>> guests_;
    std::unordered_map<SshClient*, std::unique_ptr<SshClient>> clients_;
    bool closing_ = false;
};

}  // namespace sallyport::relay
