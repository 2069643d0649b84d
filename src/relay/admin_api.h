// admin_api.h: the REST API for the relay's owner: agents, routes, status, reload, backup. JSON; /api/v1/openapi.json describes it
// (openapi.h). Served on the Unix socket in the state folder only, so who can open that (0600) is the owner.
//
// Requests come on the loop of the local listener; the work is done on the store's thread, with what is live gathered from
// all loops first, and answered from there. A change is on disk, and on its way to every loop, before its answer.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "edge/ban_shield.h"
#include "edge/local_handler.h"
#include "relay/agents.h"
#include "relay/api_json.h"
#include "relay/ssh_access.h"
#include "relay/tcp_route_listeners.h"
#include "relay/upgrade.h"
#include "store/store_thread.h"

namespace sallyport::relay {

// What the API asks of the running relay. Every function is called on the store's thread.
class AdminHost {
public:
    struct Listener {
        std::string name;     // https, http, metrics, admin
        std::string address;  // 127.0.0.1:43211
    };
    struct Facts {
        std::string public_url;   // as configured, "" if it isn't
        std::string base_domain;  // "" if not configured
        PublicPort port;
        std::string loopback_url;  // https://127.0.0.1:PORT where https listens on loopback only, else ""
        std::string pin;
        std::filesystem::path state_dir;
        std::vector<Listener> listeners;
        std::size_t loops = 1;
        SshFacts ssh{};
        WallTime started_at{};
    };
    virtual Facts facts() = 0;
    virtual std::size_t open_connections() = 0;
    // After a change to an agent, its credentials or its routes: every loop gets a directory with it.
    virtual void refresh(store::Store& store, const std::vector<store::AgentId>& changed) = 0;
    // Takes a TCP route's port, unless it is held already; refresh() lets go of those that no route needs.
    virtual Result<> bind_tcp(const std::string& listen) = 0;
    // An agent is about to have an SSH key: listens, unless it does already. Errors: why nobody could come by it.
    virtual Result<> need_ssh() = 0;
    virtual TcpRouteListeners::Shown tcp_listener(const std::string& listen) = 0;
    // Reads the configuration and certificates anew. What can't change while running is named; on an error nothing changed.
    virtual Result<std::vector<std::string>> reload(store::Store& store) = 0;
    virtual Result<std::vector<store::BackupFile>> backup_files() = 0;
    virtual std::optional<RouteHealth> route_health(const store::RouteId& route, const store::AgentId& agent) = 0;  // HealthBoard::find
    virtual void prefer_newcomer(const store::AgentId& agent, const std::string& peer) = 0;  // relay/loop_agents.h
    virtual std::vector<BanShield::Ban> bans() = 0;
    virtual std::size_t lift_ban(const IpAddress& address) = 0;  // how many there were
    // Replaces this process by the program that is installed now. On the loop of the local listener; `done` comes on any thread.
    virtual void upgrade(Upgrade::Done done) = 0;

protected:
    ~AdminHost() = default;
};

class AdminApi final : public LocalHandler {
public:
    AdminApi(Agents& agents, store::StoreThread& store, AdminHost& host) : agents_(agents), store_(store), host_(host) {}
    void handle(LocalRequest request, Reply reply) override;

private:
    Agents& agents_;
    store::StoreThread& store_;
    AdminHost& host_;
};

// Answers one request; on the store's thread. Apart so that it is tested without loops.
LocalResponse answer_admin(const LocalRequest& request, store::Store& store, const std::vector<LiveAgent>& live, AdminHost& host);

// The address an enrolment code names: public_url, else the loopback listener, else the first hostname, else base_domain.
Result<std::string> enrolment_url(const AdminHost::Facts& facts, const std::vector<store::Route>& routes);

}  // namespace sallyport::relay
