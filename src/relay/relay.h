// relay.h: a whole relay: its loops with an edge and a door each, the store's thread, listeners, admin API and metrics; starts
// in order, runs until a signal, stops in order.
//
// Threads: one per loop (the first is the caller's of run()), and the store's. What all loops read (routes, credentials, TLS)
// is immutable and posted to them anew after each change, which the store's thread makes.
//
// SIGTERM and SIGINT stop it in order (ending.h), a second signal cuts at once. SIGHUP reads configuration and certificates anew.
// SIGUSR2 and the admin API replace it by the program that is installed now (upgrade.h), without a request lost.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "base/log.h"
#include "config/relay_config.h"
#include "edge/edge.h"
#include "net/buffer_budget.h"
#include "net/service_notifier.h"
#include "net/service_watchdog.h"
#include "relay/admin_api.h"
#include "relay/agents.h"
#include "relay/ban_watch.h"
#include "relay/certificates.h"
#include "relay/ending.h"
#include "relay/listeners.h"
#include "relay/metrics.h"
#include "relay/open_listeners.h"
#include "relay/overload_watch.h"
#include "relay/predecessor.h"
#include "relay/program.h"
#include "relay/retirement_clock.h"
#include "relay/signal_watch.h"
#include "relay/ssh_access.h"
#include "relay/strand.h"
#include "relay/successor_watch.h"
#include "relay/tcp_route_listeners.h"
#include "relay/tunnel_door.h"
#include "relay/upgrade.h"
#include "store/store_thread.h"

namespace sallyport::relay {

class Relay final : private AdminHost, private Upgrade::Host {
public:
    struct Setup {
        RelayConfig config;
        std::function<Result<RelayConfig>()> load_config;  // reads it all anew, for a reload; on the store's thread
        std::filesystem::path config_file{};               // goes into backups; empty: there is none
        Program program{};                                 // what an upgrade starts
        std::unique_ptr<Predecessor> predecessor{};        // set: this process replaces a running one
        ServiceNotifier notifier{};
    };

    // Everything that can fail at the start. Errors are one line for the person at the terminal.
    static Result<std::unique_ptr<Relay>> start(Setup setup, Log& log);
    ~Relay();

    std::string banner() const;  // for people, on standard output
    void run();                  // until it was stopped by a signal, or by stop()
    void stop();                 // any thread: as SIGTERM does

    std::uint16_t https_port() const { return https_.address.port(); }

private:
    Relay(Setup setup, Log& log);
    Result<> open_listeners();
    Result<> prepare_state();
    Result<> await_store();
    Result<> open_certificates();
    Result<> open_state();
    std::filesystem::path admin_socket() const;
    Result<> make_parts();
    void serve();
    void announce() const;
    void post_settings(const RelayConfig& config);

    // `changed`: all that differs from the directory before; null: anything may.
    void post_directory(const std::vector<store::AgentId>* changed);
    void follow(const std::vector<std::string>& hostnames);
    Result<> open_tcp_routes();
    void follow_tcp_routes(store::Store& store);
    std::vector<TcpPort> tcp_ports_of(std::size_t strand, const std::vector<store::TcpRoute>& routes) const;
    void watch_retiring(store::Store& store);
    void retire(std::vector<store::CredentialId> due);
    void post_tls(const std::shared_ptr<const ServerTls>& tls);

    void on_signal(int signal);
    void reload_by_signal();
    void begin_upgrade(Upgrade::Done done);
    void tell_predecessor(const Directory& before, const std::vector<store::AgentId>* changed);
    void on_revoked_elsewhere(const Revoked& revoked);
    void begin_stop();
    std::string status_text() const;

    // AdminHost; on the store's thread
    Facts facts() override;
    Result<> need_ssh() override { return ssh_.need(); }
    std::size_t open_connections() override;
    void refresh(store::Store& store, const std::vector<store::AgentId>& changed) override;
    void refresh_all(store::Store& store);
    Result<> bind_tcp(const std::string& listen) override { return tcp_listeners_.bind(listen); }
    TcpRouteListeners::Shown tcp_listener(const std::string& listen) override { return tcp_listeners_.shown(listen); }
    Result<std::vector<std::string>> reload(store::Store& store) override;
    Result<std::vector<store::BackupFile>> backup_files() override;
    std::optional<RouteHealth> route_health(const store::RouteId& route, const store::AgentId& agent) override { return agents_->health().find(route.text, agent.text); }
    void prefer_newcomer(const store::AgentId& agent, const std::string& peer) override { agents_->prefer_newcomer(agent.text, peer); }
    std::vector<BanShield::Ban> bans() override { return shield_->list(Clock::now()); }
    std::size_t lift_ban(const IpAddress& address) override;
    void upgrade(Upgrade::Done done) override { begin_upgrade(std::move(done)); }  // on the first loop

    // Upgrade::Host; on the attempt's thread
    Result<std::vector<OpenListener>> copy_listeners() override { return open_listeners_.copies(); }
    Result<> give_store_away(std::chrono::milliseconds longest) override { return store_thread_->give_away(longest); }
    Result<> take_store_back() override;
    void on_replaced(ChildProcess successor, MessageChannel channel) override;

    RelayConfig config_;  // after the start: the store's thread only, but what never changes
    const std::function<Result<RelayConfig>()> load_config_;
    const std::filesystem::path config_file_;
    const Program program_;
    std::unique_ptr<Predecessor> predecessor_;  // once the loops run, on the first one
    const bool is_successor_;
    const ServiceNotifier notifier_;
    std::chrono::milliseconds drain_timeout_;  // on the first loop
    Log& log_;
    std::size_t descriptors_ = 0;  // most that the process may have open
    Facts facts_;  // after the start: the store's thread only
    std::optional<Certificates> certificates_;
    std::unique_ptr<store::Store> opened_store_;  // until the store's thread takes it
    DirectoryPtr directory_;         // after the start: the store's thread only
    bool directory_stale_ = false;   // a change could not be read: the next one reads everything; the store's thread only
    std::shared_ptr<const ServerTls> first_tls_;
    Listeners https_;
    Listeners http_;
    std::vector<Listeners> plain_;
    Listeners metrics_listener_;
    Descriptor admin_listener_;
    std::shared_ptr<VisitorLimits> limits_;
    std::unique_ptr<BanShield> shield_;  // outlives strands_
    std::unique_ptr<BufferBudget> budget_;
    OpenListeners open_listeners_;
    SshAccess ssh_{log_, open_listeners_};  // after the start: the store's thread only
    TcpRouteListeners tcp_listeners_{log_, open_listeners_};  // after the start: the store's thread only
    std::vector<store::TcpRoute> first_tcp_routes_;
    bool ssh_needed_ = false;  // at the start
    Strands strands_;
    std::unique_ptr<PasswordChecker> passwords_;
    std::unique_ptr<Agents> agents_;
    std::unique_ptr<store::StoreThread> store_thread_;
    std::unique_ptr<AdminApi> admin_api_;
    std::unique_ptr<Metrics> metrics_;
    std::unique_ptr<OverloadWatch> overload_watch_;  // on the first loop
    std::unique_ptr<BanWatch> ban_watch_;            // on the first loop
    std::unique_ptr<RetirementClock> retirements_;  // on the first loop
    std::unique_ptr<SignalWatch> signals_;

    // On the first loop.
    std::unique_ptr<Ending> ending_;
    std::unique_ptr<SuccessorWatch> successor_;
    std::unique_ptr<ServiceWatchdog> watchdog_;
    bool stop_wanted_ = false;  // once the upgrade that is under way has been given up
    bool upgrading_ = false;
    std::unique_ptr<Upgrade> upgrade_;
};

}  // namespace sallyport::relay
