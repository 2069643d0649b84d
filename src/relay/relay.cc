#include "relay/relay.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "base/version.h"
#include "net/socket.h"
#include "relay/backup_files.h"
#include "relay/part_settings.h"
#include "relay/reload_rules.h"
#include "relay/state_dir.h"
#include "relay/watched_limits.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

std::size_t loop_count(const RelayConfig& config) {
    return config.threads > 0 ? config.threads : std::max(1u, std::thread::hardware_concurrency());
}

// What visitors type behind the hostname: the public URL says it, where a port is mapped in front of us.
PublicPort public_port(const RelayConfig& config, const SocketAddress& https) {
    return {config.public_url ? config.public_url->port : https.port()};
}

// A listening socket's path has at most 107 octets; through the folder's descriptor it is short wherever the folder is.
Result<Descriptor> listen_in(const std::filesystem::path& folder, std::string_view name) {
    const Descriptor descriptor(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor) return fail_errno(errno, "state folder " + folder.string());
    auto listener = listen_unix("/proc/self/fd/" + std::to_string(descriptor.get()) + "/" + std::string(name));
    if (!listener) listener.error().detail += " (" + (folder / name).string() + ")";
    return listener;
}

std::vector<Loop*> loops_of(const Strands& strands) {
    std::vector<Loop*> loops;
    for (const auto& strand : strands) loops.push_back(&strand->loop);
    return loops;
}

}  // namespace

// ---- start

Relay::Relay(Setup setup, Log& log)
    : config_(std::move(setup.config)),
      load_config_(std::move(setup.load_config)),
      config_file_(std::move(setup.config_file)),
      program_(std::move(setup.program)),
      predecessor_(std::move(setup.predecessor)),
      is_successor_(predecessor_ != nullptr),
      notifier_(std::move(setup.notifier)),
      drain_timeout_(config_.drain_timeout),
      log_(log) {}

Relay::~Relay() {
    // The loops have ended. Order: what uses tunnels, the tunnels, what is left of loops.
    upgrade_.reset();
    successor_.reset();
    if (store_thread_) store_thread_->stop();
    signals_.reset();
    retirements_.reset();
    watchdog_.reset();
    ending_.reset();
    for (const auto& strand : strands_) strand->edge.reset();
    for (const auto& strand : strands_) strand->door.reset();
    for (const auto& strand : strands_) strand->ssh.reset();
    agents_.reset();
    passwords_.reset();
}

Result<std::unique_ptr<Relay>> Relay::start(Setup setup, Log& log) {
    auto signals = block_signals({SIGTERM, SIGINT, SIGHUP, SIGUSR2});
    if (!signals) return std::unexpected(signals.error());
    ssh::start_library();
    std::unique_ptr<Relay> relay(new Relay(std::move(setup), log));
    for (const std::string& warning : relay->config_.warnings) log.warn("config.warning", {{"detail", warning}});
    for (const auto step :
         {&Relay::open_listeners, &Relay::prepare_state, &Relay::await_store, &Relay::open_state, &Relay::make_parts}) {
        auto done = (relay.get()->*step)();
        if (done) continue;
        if (relay->predecessor_) relay->predecessor_->tell_failed(done.error().detail);
        return std::unexpected(done.error());
    }
    relay->signals_ = std::make_unique<SignalWatch>(relay->strands_.front()->loop, std::move(*signals),
                                                    [&relay = *relay](int signal) { relay.on_signal(signal); });
    relay->serve();
    relay->announce();
    return relay;
}

Result<> Relay::prepare_state() {
    if (auto prepared = prepare_state_dir(config_.state_dir); !prepared) return prepared;
    if (!predecessor_) return {};
    return open_certificates();
}

Result<> Relay::open_certificates() {
    auto certificates = Certificates::open(config_.state_dir);
    if (!certificates) return std::unexpected(certificates.error());
    certificates_ = std::move(*certificates);
    if (!predecessor_) return {};
    // So that a file that is missing is noticed while the old process can still go on.
    const auto tls = certificates_->configure(config_, {});
    return tls ? Result<>{} : std::unexpected(tls.error());
}

Result<> Relay::await_store() { return predecessor_ ? predecessor_->ask_for_store() : Result<>{}; }

// The store first: its lock says that no other relay uses the folder.
Result<> Relay::open_state() {
    const std::filesystem::path& folder = config_.state_dir;
    auto store = store::Store::open(folder / store::kDatabaseName, {"relay", wall_now()});
    if (!store) return std::unexpected(store.error());
    opened_store_ = std::move(*store);
    if (!certificates_)
        if (auto opened = open_certificates(); !opened) return opened;
    if (!admin_listener_) {
        auto admin = listen_in(folder, kAdminSocket);
        if (!admin) return std::unexpected(admin.error());
        admin_listener_ = std::move(*admin);
    }
    return {};
}

Result<> Relay::open_listeners() {
    if (predecessor_)
        if (auto taken = predecessor_->take_listeners(); !taken) return taken;
    const std::size_t count = loop_count(config_);
    const auto open = [this](Listeners& into, const ListenAddress& address, std::size_t sockets, std::string_view name) -> Result<> {
        auto listeners = take_or_listen(predecessor_.get(), address, sockets, name);
        if (!listeners) return std::unexpected(listeners.error());
        into = std::move(*listeners);
        for (const Descriptor& descriptor : into.descriptors) open_listeners_.add(std::string(name), address.text(), descriptor.get());
        return {};
    };
    if (auto opened = open(https_, config_.https_listen, count, "https"); !opened) return opened;
    if (config_.http_listen)
        if (auto opened = open(http_, *config_.http_listen, count, "http"); !opened) return opened;
    for (const ListenAddress& address : config_.plain_listen)
        if (auto opened = open(plain_.emplace_back(), address, count, "plain"); !opened) return opened;
    if (config_.metrics_listen)
        if (auto opened = open(metrics_listener_, *config_.metrics_listen, 1, "metrics"); !opened) return opened;
    if (auto opened = ssh_.open_configured(config_, predecessor_.get(), count); !opened) return opened;
    if (predecessor_)
        if (auto taken = predecessor_->take("admin", admin_socket().string()); !taken.empty()) admin_listener_ = std::move(taken.front());
    if (predecessor_)  // which of them routes still need is known with the store
        for (OpenListener& listener : predecessor_->take("tcp")) tcp_listeners_.adopt(listener.configured, std::move(listener.descriptor));
    return {};
}

std::filesystem::path Relay::admin_socket() const { return std::filesystem::absolute(config_.state_dir) / kAdminSocket; }

Result<> Relay::make_parts() {
    facts_.public_url = config_.public_url ? config_.public_url->text() : "";
    facts_.base_domain = config_.base_domain;
    facts_.port = public_port(config_, https_.address);
    facts_.loopback_url = https_.address.is_loopback() ? "https://" + https_.address.text() : "";
    facts_.pin = certificates_->pin();
    facts_.state_dir = std::filesystem::absolute(config_.state_dir);
    facts_.loops = loop_count(config_);
    facts_.started_at = wall_now();

    if (auto loaded = ssh_.load_key(config_.state_dir, config_); !loaded) return loaded;
    const auto ssh_keys = opened_store_->has_ssh_keys();
    if (!ssh_keys) return std::unexpected(ssh_keys.error());
    ssh_needed_ = *ssh_keys;

    auto snapshot = opened_store_->load_snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    directory_ = std::make_shared<const Directory>(std::move(*snapshot), facts_.port);
    auto tls = certificates_->configure(config_, directory_->hostnames());
    if (!tls) return std::unexpected(tls.error());
    first_tls_ = std::move(*tls);

    std::vector<Loop*> loops;
    for (std::size_t i = 0; i < facts_.loops; ++i) loops.push_back(&strands_.emplace_back(std::make_unique<Strand>())->loop);
    descriptors_ = raise_descriptor_limit();
    passwords_ = std::make_unique<PasswordChecker>();
    agents_ = std::make_unique<Agents>(loops, log_, tunnel_settings(config_), config_.max_agents, [this](std::vector<store::AgentId> seen) {
        (void)store_thread_->submit([seen = std::move(seen)](store::Store& store) { (void)store.note_agents_seen(seen, wall_now()); });
    });
    if (auto opened = open_tcp_routes(); !opened) return opened;
    const auto retiring = opened_store_->list_retiring();
    if (!retiring) return std::unexpected(retiring.error());
    retirements_ = std::make_unique<RetirementClock>(strands_.front()->loop, [this](std::vector<store::CredentialId> due) { retire(std::move(due)); });
    retirements_->follow(*retiring);
    agents_->set_health_interval(config_.health_interval);
    store_thread_ = std::make_unique<store::StoreThread>(std::move(opened_store_));
    const EdgeSettings settings = edge_settings(config_, facts_.port.port, facts_.pin);
    budget_ = std::make_unique<BufferBudget>(max_buffered(config_), strands_.size());
    limits_ = VisitorLimits::make(visitor_bounds(config_, descriptors_, strands_.size()));
    shield_ = std::make_unique<BanShield>(ban_bounds(config_));
    if (config_.max_connections > limits_->bounds().connections)
        log_.warn("config.warning", {{"detail", "max_connections: the limit of open descriptors (ulimit -n) is " + std::to_string(descriptors_) +
                                                    ", which is enough for " + std::to_string(limits_->bounds().connections)}});
    for (std::size_t i = 0; i < strands_.size(); ++i) {
        Strand& strand = *strands_[i];
        strand.door = std::make_unique<Door>(i, *agents_, *store_thread_, [this](store::Store& store, const store::AgentId& agent) { refresh(store, {agent}); });
        strand.edge = std::make_unique<Edge>(strand.loop, agents_->at(i), *strand.door, log_, settings, limits_);
        strand.edge->set_routes(directory_->routes());
        strand.edge->set_server_tls(first_tls_);
        strand.edge->set_password_checker(*passwords_);
        strand.edge->set_ban_shield(*shield_);
        strand.edge->set_doctor_tickets(agents_->tickets());
        strand.edge->set_tcp_ports(tcp_ports_of(i, first_tcp_routes_));
        strand.ssh = std::make_unique<SshDoor>(i, *agents_, log_, *limits_, *shield_, [this](std::size_t loop) -> SshDoor& { return *strands_[loop]->ssh; });
        agents_->at(i).set_directory(directory_);
    }
    return {};
}

Result<> Relay::open_tcp_routes() {
    auto routes = opened_store_->list_tcp_routes();
    if (!routes) return std::unexpected(routes.error());
    first_tcp_routes_ = std::move(*routes);
    tcp_listeners_.keep(first_tcp_routes_);
    return {};
}

void Relay::serve() {
    const Edge::ChooseEdge choose = [this](std::string_view agent_id) { return strands_[agents_->owner_of(agent_id)]->edge.get(); };
    // More sockets than loops may have come from a predecessor.
    for (std::size_t i = 0; i < https_.descriptors.size(); ++i)
        strands_[i % strands_.size()]->edge->listen_https(std::move(https_.descriptors[i]), choose);
    for (std::size_t i = 0; i < http_.descriptors.size(); ++i)
        strands_[i % strands_.size()]->edge->listen_redirect(std::move(http_.descriptors[i]));
    for (Listeners& plain : plain_)
        for (std::size_t i = 0; i < plain.descriptors.size(); ++i)
            strands_[i % strands_.size()]->edge->listen_plain(std::move(plain.descriptors[i]));
    ssh_.begin(strands_, ssh_needed_);
    std::vector<MeasuredLoop> measured;
    for (const auto& strand : strands_) measured.push_back({&strand->loop, &strand->edge->metrics(), &strand->ssh->counters()});
    admin_api_ = std::make_unique<AdminApi>(*agents_, *store_thread_, static_cast<AdminHost&>(*this));
    overload_watch_ = std::make_unique<OverloadWatch>(strands_.front()->loop, log_, watched_limits({.visitors = *limits_, .agents = *agents_, .budget = *budget_, .strands = strands_, .descriptors = descriptors_}));
    ban_watch_ = std::make_unique<BanWatch>(strands_.front()->loop, log_, *shield_);
    metrics_ = std::make_unique<Metrics>(*agents_, std::move(measured), *overload_watch_, *limits_, *shield_);
    Edge& first = *strands_.front()->edge;
    open_listeners_.add("admin", admin_socket().string(), admin_listener_.get());
    first.listen_local(std::move(admin_listener_), *admin_api_);
    for (Descriptor& descriptor : metrics_listener_.descriptors) first.listen_local(std::move(descriptor), *metrics_);
    ending_ = std::make_unique<Ending>(strands_, *agents_, log_);
    upgrade_ = std::make_unique<Upgrade>(static_cast<Upgrade::Host&>(*this), program_, notifier_, log_);
    watchdog_ = std::make_unique<ServiceWatchdog>(notifier_, strands_.front()->loop, loops_of(strands_));

    facts_.listeners = {{"https", https_.address.text()}};
    if (config_.http_listen) facts_.listeners.push_back({"http", http_.address.text()});
    for (const Listeners& plain : plain_) facts_.listeners.push_back({"plain", plain.address.text()});
    if (config_.metrics_listen) facts_.listeners.push_back({"metrics", metrics_listener_.address.text()});
}

void Relay::announce() const {
    for (const Listener& listener : facts_.listeners)
        log_.info("relay.listening", {{"listener", listener.name}, {"address", listener.address}});
}

std::string Relay::banner() const {
    std::string text = "Sallyport relay " + std::string(kVersion) + "\n";
    for (const Listener& listener : facts_.listeners)
        text += "  " + listener.name + std::string(9 - std::min<std::size_t>(listener.name.size(), 8), ' ') + listener.address + "\n";
    text += "  pin      " + facts_.pin + "\n  state    " + facts_.state_dir.string() + "\n";
    const bool named = !facts_.base_domain.empty();
    text += "Next: sallyport admin --state-dir " + facts_.state_dir.string() + " agent add home" +
            (named ? "   (gives it home." + facts_.base_domain + ")" : " --hostname home.example.org") + "\n";
    return text;
}

// ---- running

void Relay::run() {
    for (std::size_t i = 1; i < strands_.size(); ++i) {
        Strand& strand = *strands_[i];
        strand.thread = std::thread([this, &strand, i] {
            budget_->count_this_thread(i);
            strand.loop.run();
        });
        ::pthread_setname_np(strand.thread.native_handle(), ("loop-" + std::to_string(i)).c_str());
    }
    log_.info("relay.ready", {{"pin", facts_.pin}, {"version", kVersion}, {"loops", strands_.size()}, {"pid", ::getpid()}});
    budget_->count_this_thread(0);
    if (predecessor_) predecessor_->tell_accepting();
    notifier_.ready(status_text());
    watchdog_->start();
    strands_.front()->loop.run();
    for (const auto& strand : strands_)
        if (strand->thread.joinable()) strand->thread.join();
    store_thread_->stop();
    // What was posted while the loops ended is still done, here where nothing else runs: answers find their way to the edges
    // that are still there.
    for (int round = 0; round < 3; ++round)
        for (const auto& strand : strands_) strand->loop.turn(0ms);
    log_.info("relay.stopped");
}

void Relay::stop() {
    strands_.front()->loop.post([this] { begin_stop(); });
}

void Relay::on_signal(int signal) {
    if (signal == SIGHUP) return reload_by_signal();
    if (signal == SIGUSR2) return begin_upgrade([](const Result<UpgradeOutcome>&) {});
    begin_stop();
}

void Relay::reload_by_signal() {
    const auto submitted = store_thread_->submit([this](store::Store& store) { (void)reload(store); });
    if (!submitted) log_.warn("relay.reload_failed", {{"detail", submitted.error().detail}});
}

// ---- upgrade and stop; on the first loop, unless said

void Relay::begin_upgrade(Upgrade::Done done) {
    if (ending_->begun() || stop_wanted_) return done(fail(Errc::conflict, "this relay is stopping"));
    if (upgrading_ || upgrade_->under_way()) return done(fail(Errc::conflict, "an upgrade is under way already"));
    upgrading_ = true;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(drain_timeout_).count();
    upgrade_->begin([this, seconds, done = std::move(done)](Result<UpgradeOutcome> outcome) mutable {
        strands_.front()->loop.post([this] {
            upgrading_ = false;
            if (stop_wanted_ && !ending_->begun()) begin_stop();
        });
        if (outcome)
            outcome->steps.push_back({outcome->steps.back().at, "old process (pid " + std::to_string(::getpid()) +
                                                                    ") drains, for " + std::to_string(seconds) + " s at most"});
        done(std::move(outcome));
    });
}

// On the attempt's thread.
Result<> Relay::take_store_back() {
    auto store = store::Store::open(config_.state_dir / store::kDatabaseName, {"relay", wall_now()});
    if (!store) return std::unexpected(store.error());
    store_thread_->take_back(std::move(*store));
    (void)store_thread_->submit([this](store::Store& opened) { refresh_all(opened); });
    return {};
}

// On the attempt's thread.
void Relay::on_replaced(ChildProcess successor, MessageChannel channel) {
    strands_.front()->loop.post([this, successor = std::move(successor), channel = std::move(channel)]() mutable {
        successor_ = std::make_unique<SuccessorWatch>(strands_.front()->loop, std::move(channel),
                                                      [this](const Revoked& revoked) { on_revoked_elsewhere(revoked); });
        watchdog_->stop();
        open_listeners_.close();
        std::function<bool()> needed;
        if (predecessor_) needed = [this] { return predecessor_->drains(); };
        ending_->replaced(drain_timeout_, std::move(successor), std::move(needed));
    });
}

// The one that replaced us has revoked it; the one that we replaced may still drain, too.
void Relay::on_revoked_elsewhere(const Revoked& revoked) {
    for (std::size_t i = 0; i < strands_.size(); ++i) strands_[i]->loop.post([this, i, revoked] { agents_->at(i).cut(revoked); });
    if (predecessor_) predecessor_->tell_revoked(revoked);
}

// On the store's thread.
void Relay::tell_predecessor(const Directory& before, const std::vector<store::AgentId>* changed) {
    if (!is_successor_) return;
    auto revoked = directory_->revoked_since(before, changed);
    if (!revoked.empty()) strands_.front()->loop.post([this, revoked = std::move(revoked)] { predecessor_->tell_revoked(revoked); });
}

void Relay::begin_stop() {
    if (ending_->begun()) {
        // One that was replaced is stopping in order already: its first signal changes nothing.
        if (ending_->is_replaced() && !std::exchange(stop_wanted_, true)) return;
        return ending_->hurry();
    }
    if (upgrading_) {
        stop_wanted_ = true;
        return upgrade_->give_up();
    }
    notifier_.stopping("stopping: running answers may end");
    open_listeners_.close();
    ending_->stop(drain_timeout_);
}

std::string Relay::status_text() const { return "serving on " + https_.address.text(); }

// ---- what the admin API and the door ask for; on the store's thread

AdminHost::Facts Relay::facts() {
    Facts facts = facts_;
    facts.ssh = ssh_.facts();
    if (facts.ssh.address) facts.listeners.push_back({"ssh", facts.ssh.address->text()});
    return facts;
}

std::size_t Relay::open_connections() {
    std::size_t total = 0;
    for (const auto& strand : strands_) total += strand->edge->metrics().open_connections.value();
    return total;
}

void Relay::refresh(store::Store& store, const std::vector<store::AgentId>& changed) {
    if (directory_stale_) return refresh_all(store);
    auto directory = std::make_shared<Directory>(*directory_);
    std::vector<std::string> hostnames;
    for (const store::AgentId& agent : changed) {
        auto part = store.load_snapshot(agent);
        if (!part) {
            directory_stale_ = true;
            log_.error("relay.refresh_failed", {{"detail", part.error().detail}});
            return;
        }
        directory->replace(agent, std::move(*part));
        for (std::string& hostname : directory->hostnames(agent.text)) hostnames.push_back(std::move(hostname));
    }
    const DirectoryPtr before = std::exchange(directory_, std::move(directory));
    tell_predecessor(*before, &changed);
    follow(hostnames);
    post_directory(&changed);
    follow_tcp_routes(store);
    watch_retiring(store);
}

void Relay::refresh_all(store::Store& store) {
    auto snapshot = store.load_snapshot();
    directory_stale_ = !snapshot;
    if (!snapshot) {
        log_.error("relay.refresh_failed", {{"detail", snapshot.error().detail}});
        return;
    }
    const DirectoryPtr before = std::exchange(directory_, std::make_shared<const Directory>(std::move(*snapshot), facts_.port));
    tell_predecessor(*before, nullptr);
    follow(directory_->hostnames());
    post_directory(nullptr);
    follow_tcp_routes(store);
    watch_retiring(store);
}

// Credentials that are to go at a stated time.
void Relay::watch_retiring(store::Store& store) {
    if (auto retiring = store.list_retiring())
        strands_.front()->loop.post([this, retiring = std::move(*retiring)] { retirements_->follow(retiring); });
}

// A job that can't be queued is asked for again.
void Relay::retire(std::vector<store::CredentialId> due) {
    (void)store_thread_->submit([this, due = std::move(due)](store::Store& store) {
        std::vector<store::AgentId> changed;
        for (const store::CredentialId& id : due) {
            if (const store::Credential* known = directory_->credential(id.text)) changed.push_back(known->agent);
            if (const auto revoked = store.revoke_credential(id, {"rotation", wall_now()}); revoked)
                log_.info("credential.retired", {{"credential", id.text}});
        }
        refresh(store, changed);
    });
}

// The certificate signed by itself has to name what visitors may ask for.
void Relay::follow(const std::vector<std::string>& hostnames) {
    const auto tls = certificates_->follow(hostnames);
    if (!tls) log_.error("relay.certificate_failed", {{"detail", tls.error().detail}});
    if (tls && *tls) post_tls(*tls);
}

// Each port is served by the loop that owns its agent, so that no octet crosses loops.
void Relay::follow_tcp_routes(store::Store& store) {
    const auto routes = store.list_tcp_routes();
    if (!routes) return log_.error("relay.refresh_failed", {{"detail", routes.error().detail}});
    tcp_listeners_.keep(*routes);
    for (std::size_t i = 0; i < strands_.size(); ++i)
        strands_[i]->loop.post([&edge = *strands_[i]->edge, ports = tcp_ports_of(i, *routes)] { edge.set_tcp_ports(ports); });
}

std::vector<TcpPort> Relay::tcp_ports_of(std::size_t strand, const std::vector<store::TcpRoute>& routes) const {
    std::vector<TcpPort> ports;
    for (const store::TcpRoute& route : routes) {
        auto listener = tcp_listeners_.listener(route.listen);
        const store::Agent* agent = directory_->agent(route.agent.text);
        if (!listener || !agent || agents_->owner_of(route.agent.text) != strand) continue;
        ports.push_back({std::make_shared<const TcpRoute>(served_form(route, *agent)), std::move(listener)});
    }
    return ports;
}

void Relay::post_directory(const std::vector<store::AgentId>* changed) {
    for (const auto& strand : strands_)
        strand->loop.post([&edge = *strand->edge, routes = directory_->routes()] { edge.set_routes(routes); });
    agents_->set_directory(directory_, changed);
}

void Relay::post_tls(const std::shared_ptr<const ServerTls>& tls) {
    for (const auto& strand : strands_)
        strand->loop.post([&edge = *strand->edge, tls] { edge.set_server_tls(tls); });
}

void Relay::post_settings(const RelayConfig& config) {
    for (const auto& strand : strands_)
        strand->loop.post([&edge = *strand->edge, settings = edge_settings(config, facts_.port.port, facts_.pin)] { edge.set_settings(settings); });
    limits_->set_bounds(visitor_bounds(config, descriptors_, strands_.size()));
    shield_->set_bounds(ban_bounds(config));
    budget_->set_bound(max_buffered(config));
    agents_->set_limits(tunnel_settings(config), config.max_agents);
    agents_->set_health_interval(config.health_interval);
    strands_.front()->loop.post([this, timeout = config.drain_timeout] { drain_timeout_ = timeout; });
}

Result<std::vector<std::string>> Relay::reload(store::Store& store) {
    notifier_.reloading();
    const auto failed = [this](const Error& error) {
        log_.error("relay.reload_failed", {{"detail", error.detail}, {"kept", "everything as it was"}});
        notifier_.ready(status_text() + "; the last reload failed: " + error.detail);
        return std::unexpected(error);
    };
    auto config = load_config_();
    if (!config) return failed(config.error());
    const auto routes = store.list_routes();
    if (!routes) return failed(routes.error());
    std::vector<std::string> hostnames;
    for (const store::Route& route : *routes) hostnames.push_back(route.hostname);
    const auto tls = certificates_->configure(*config, hostnames);
    if (!tls) return failed(tls.error());

    std::vector<std::string> notes = fixed_changes(config_, *config);
    log_.set_level(config->log_level);
    facts_.public_url = config->public_url ? config->public_url->text() : "";
    facts_.base_domain = config->base_domain;
    facts_.port = public_port(*config, https_.address);
    post_settings(*config);
    post_tls(*tls);
    keep_fixed(config_, *config);
    config_ = std::move(*config);
    refresh_all(store);
    log_.info("relay.reloaded", {{"notes", notes.size()}});
    for (const std::string& note : notes) log_.warn("relay.reload_note", {{"detail", note}});
    notifier_.ready(status_text());
    return notes;
}

std::size_t Relay::lift_ban(const IpAddress& address) {
    const std::size_t lifted = shield_->lift(address, Clock::now());
    if (lifted > 0) log_.info("visitor.unbanned", {{"address", address.text()}, {"by", "admin-socket"}});
    return lifted;
}

Result<std::vector<store::BackupFile>> Relay::backup_files() { return collect_backup_files(config_, config_file_); }

}  // namespace sallyport::relay
