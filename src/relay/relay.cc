#include "relay/relay.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "base/version.h"
#include "net/socket.h"
#include "relay/machine_memory.h"
#include "relay/state_dir.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookWhetherDrained = 50ms;
constexpr std::size_t kConnectionsALoop = 16'384;  // of visitors, by default
constexpr std::size_t kMostReserve = 256;          // connections beyond the bound, for agents that come back
constexpr std::size_t kDescriptorsKept = 64;  // for the database, logs, listeners and what libraries open

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

TunnelSettings tunnel_settings(const RelayConfig& config) {
    TunnelSettings settings;
    settings.heartbeat_interval = config.heartbeat_interval;
    settings.heartbeat_timeout = config.heartbeat_timeout;
    settings.resume_window = config.resume_window;
    settings.most_streams = config.max_streams_per_agent;
    settings.window_budget = config.max_buffered_per_agent;
    return settings;
}

ByteCount max_buffered(const RelayConfig& config) {
    return config.max_buffered > 0 ? config.max_buffered : default_max_buffered(usable_memory());
}

// What a reload can't change, by key.
std::vector<std::string> fixed_changes(const RelayConfig& before, const RelayConfig& after) {
    std::vector<std::string> changed;
    const auto note = [&](std::string_view key, bool same) {
        if (!same) changed.push_back(std::string(key) + " changes at the next start");
    };
    note("state_dir", before.state_dir == after.state_dir);
    note("https_listen", before.https_listen == after.https_listen);
    note("http_listen", before.http_listen == after.http_listen);
    note("metrics_listen", before.metrics_listen == after.metrics_listen);
    note("log_format", before.log_format == after.log_format);
    note("threads", before.threads == after.threads);
    return changed;
}

// What changes at the next start only must go on to be told at each reload, so those values stay.
void keep_fixed(const RelayConfig& before, RelayConfig& after) {
    after.state_dir = before.state_dir;
    after.https_listen = before.https_listen;
    after.http_listen = before.http_listen;
    after.metrics_listen = before.metrics_listen;
    after.log_format = before.log_format;
    after.threads = before.threads;
}

}  // namespace

// ---- start

Relay::Relay(Setup setup, Log& log)
    : config_(std::move(setup.config)),
      load_config_(std::move(setup.load_config)),
      config_file_(std::move(setup.config_file)),
      drain_timeout_(config_.drain_timeout),
      log_(log) {}

Relay::~Relay() {
    // The loops have ended. Order: what uses tunnels, the tunnels, what is left of loops.
    if (store_thread_) store_thread_->stop();
    signals_.reset();
    drain_timer_.reset();
    retirements_.reset();
    for (const auto& strand : strands_) strand->edge.reset();
    for (const auto& strand : strands_) strand->door.reset();
    agents_.reset();
    passwords_.reset();
}

Result<std::unique_ptr<Relay>> Relay::start(Setup setup, Log& log) {
    auto signals = block_signals({SIGTERM, SIGINT, SIGHUP});
    if (!signals) return std::unexpected(signals.error());
    std::unique_ptr<Relay> relay(new Relay(std::move(setup), log));
    for (const std::string& warning : relay->config_.warnings) log.warn("config.warning", {{"detail", warning}});
    for (const auto step : {&Relay::open_listeners, &Relay::open_state, &Relay::make_parts})
        if (auto done = (relay.get()->*step)(); !done) return std::unexpected(done.error());
    relay->signals_ = std::make_unique<SignalWatch>(relay->strands_.front()->loop, std::move(*signals),
                                                    [&relay = *relay](int signal) { relay.on_signal(signal); });
    relay->serve();
    relay->announce();
    return relay;
}

Result<> Relay::open_state() {
    const std::filesystem::path& folder = config_.state_dir;
    if (auto prepared = prepare_state_dir(folder); !prepared) return prepared;
    auto store = store::Store::open(folder / store::kDatabaseName, {"relay", wall_now()});
    if (!store) return std::unexpected(store.error());
    opened_store_ = std::move(*store);
    auto certificates = Certificates::open(folder);
    if (!certificates) return std::unexpected(certificates.error());
    certificates_ = std::move(*certificates);
    auto admin = listen_in(folder, kAdminSocket);
    if (!admin) return std::unexpected(admin.error());
    admin_listener_ = std::move(*admin);
    return {};
}

Result<> Relay::open_listeners() {
    const std::size_t count = loop_count(config_);
    auto https = listen_on(config_.https_listen, count, "https_listen");
    if (!https) return std::unexpected(https.error());
    https_ = std::move(*https);
    if (config_.http_listen) {
        auto http = listen_on(*config_.http_listen, count, "http_listen");
        if (!http) return std::unexpected(http.error());
        http_ = std::move(*http);
    }
    if (config_.metrics_listen) {
        auto metrics = listen_on(*config_.metrics_listen, 1, "metrics_listen");
        if (!metrics) return std::unexpected(metrics.error());
        metrics_listener_ = std::move(*metrics);
    }
    return {};
}

Result<> Relay::make_parts() {
    facts_.public_url = config_.public_url ? config_.public_url->text() : "";
    facts_.base_domain = config_.base_domain;
    facts_.port = public_port(config_, https_.address);
    facts_.loopback_url = https_.address.is_loopback() ? "https://" + https_.address.text() : "";
    facts_.pin = certificates_->pin();
    facts_.state_dir = std::filesystem::absolute(config_.state_dir);
    facts_.loops = loop_count(config_);
    facts_.started_at = wall_now();

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
    const auto retiring = opened_store_->list_retiring();
    if (!retiring) return std::unexpected(retiring.error());
    retirements_ = std::make_unique<RetirementClock>(strands_.front()->loop, [this](std::vector<store::CredentialId> due) { retire(std::move(due)); });
    retirements_->follow(*retiring);
    agents_->set_health_interval(config_.health_interval);
    store_thread_ = std::make_unique<store::StoreThread>(std::move(opened_store_));
    const EdgeSettings settings = edge_settings(config_);
    budget_ = std::make_unique<BufferBudget>(max_buffered(config_), strands_.size());
    limits_ = VisitorLimits::make(visitor_bounds(config_));
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
        agents_->at(i).set_directory(directory_);
    }
    return {};
}

EdgeSettings Relay::edge_settings(const RelayConfig& config) const {
    EdgeSettings settings;
    settings.offline_grace = config.offline_grace;
    settings.access_log = config.access_log;
    settings.public_https_port = facts_.port.port;
    settings.cdn_loop_id = "sallyport-" + facts_.pin.substr(0, 12);
    return settings;
}

// Descriptors are shared out: some for ourselves, some for tunnels (up to a quarter), the rest for visitors.
VisitorBounds Relay::visitor_bounds(const RelayConfig& config) const {
    const std::size_t usable = descriptors_ - std::min(descriptors_, kDescriptorsKept);
    const std::size_t tunnels = std::min<std::size_t>(config.max_agents, usable / 4);
    const std::size_t most = std::max<std::size_t>(usable - tunnels, 16);
    const std::size_t wanted = config.max_connections > 0 ? config.max_connections : kConnectionsALoop * strands_.size();
    VisitorBounds bounds;
    bounds.connections = static_cast<std::uint32_t>(std::min(wanted, most));
    bounds.reserve = static_cast<std::uint32_t>(std::clamp<std::size_t>(tunnels / 2, 4, kMostReserve));
    bounds.connection_rate = config.max_connection_rate;
    bounds.handshakes = config.max_handshakes;
    bounds.address_connections = config.max_connections_per_address;
    bounds.address_connection_rate = config.max_connection_rate_per_address;
    bounds.address_handshakes = config.max_handshakes_per_address;
    bounds.address_reset_rate = config.max_reset_rate_per_address;
    bounds.exempt = config.unlimited_addresses;
    return bounds;
}

// What /metrics shows and the log tells of when it is reached.
std::vector<OverloadWatch::Limit> Relay::watched_limits() {
    std::vector<OverloadWatch::Limit> watched;
    for (std::size_t i = 0; i < kVisitorLimits; ++i) {
        const auto limit = static_cast<VisitorLimit>(i);
        OverloadWatch::Limit entry{.name = std::string(name_of(limit))};
        entry.bound = [this, limit] { return std::uint64_t{bound_of(limits_->bounds(), limit)}; };
        entry.refused = [this, limit] { return limits_->refused(limit); };
        entry.last = [this, limit] { return limits_->last_refused(limit); };
        if (limit == VisitorLimit::connections) entry.used = [this] { return std::uint64_t{limits_->connections()}; };
        if (limit == VisitorLimit::handshakes) entry.used = [this] { return std::uint64_t{limits_->handshakes()}; };
        watched.push_back(std::move(entry));
    }
    watched.push_back({.name = "agents",
                       .bound = [this] { return std::uint64_t{agents_->most_links()}; },
                       .used = [this] { return std::uint64_t{agents_->links()}; },
                       .refused = [this] { return agents_->refused_links(); }});
    watched.push_back({.name = "buffered_octets",
                       .bound = [this] { return budget_->bound(); },
                       .used = [this] { return budget_->held(); },
                       .refused = [this] { return budget_->refused(); }});
    watched.push_back({.name = "descriptors",
                       .bound = [this] { return std::uint64_t{descriptors_}; },
                       .used = [] { return std::uint64_t{open_descriptors()}; },
                       .refused = [this] {
                           std::uint64_t total = 0;
                           for (const auto& strand : strands_) total += strand->edge->metrics().accept_failures.value();
                           return total;
                       }});
    return watched;
}

void Relay::serve() {
    const Edge::ChooseEdge choose = [this](std::string_view agent_id) { return strands_[agents_->owner_of(agent_id)]->edge.get(); };
    for (std::size_t i = 0; i < strands_.size(); ++i) {
        Edge& edge = *strands_[i]->edge;
        edge.listen_https(std::move(https_.descriptors[i]), choose);
        if (config_.http_listen) edge.listen_redirect(std::move(http_.descriptors[i]));
    }
    std::vector<MeasuredLoop> measured;
    for (const auto& strand : strands_) measured.push_back({&strand->loop, &strand->edge->metrics()});
    admin_api_ = std::make_unique<AdminApi>(*agents_, *store_thread_, static_cast<AdminHost&>(*this));
    overload_watch_ = std::make_unique<OverloadWatch>(strands_.front()->loop, log_, watched_limits());
    metrics_ = std::make_unique<Metrics>(*agents_, std::move(measured), *overload_watch_, *limits_);
    Edge& first = *strands_.front()->edge;
    first.listen_local(std::move(admin_listener_), *admin_api_);
    if (config_.metrics_listen) first.listen_local(std::move(metrics_listener_.descriptors.front()), *metrics_);

    facts_.listeners = {{"https", https_.address.text()}};
    if (config_.http_listen) facts_.listeners.push_back({"http", http_.address.text()});
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
    log_.info("relay.ready", {{"pin", facts_.pin}, {"version", kVersion}, {"loops", strands_.size()}});
    budget_->count_this_thread(0);
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
    begin_stop();
}

void Relay::reload_by_signal() {
    const auto submitted = store_thread_->submit([this](store::Store& store) { (void)reload(store); });
    if (!submitted) log_.warn("relay.reload_failed", {{"detail", submitted.error().detail}});
}

// ---- stop; all on the first loop

void Relay::begin_stop() {
    if (phase_ != Phase::running) return cut();
    phase_ = Phase::draining;
    log_.info("relay.stopping", {{"drain_ms", drain_timeout_.count()}});
    for (std::size_t i = 0; i < strands_.size(); ++i)
        strands_[i]->loop.post([this, i, timeout = drain_timeout_] {
            agents_->at(i).tell_drain(timeout);
            strands_[i]->edge->drain(Edge::Drain::now);
        });
    Loop& loop = strands_.front()->loop;
    drain_ends_ = Clock::now() + drain_timeout_;
    drain_timer_ = std::make_unique<Timer>(loop, [this] { look_whether_drained(); });
    drain_timer_->start(kLookWhetherDrained);
}

// Upgraded connections end when their people like; nobody waits for that.
void Relay::look_whether_drained() {
    std::uint64_t busy = 0;
    for (const auto& strand : strands_) {
        const EdgeMetrics& metrics = strand->edge->metrics();
        busy += metrics.open_connections.value() - std::min(metrics.open_connections.value(), metrics.upgraded_streams.value());
    }
    if (busy == 0 || Clock::now() >= drain_ends_) return cut();
    drain_timer_->start(kLookWhetherDrained);
}

void Relay::cut() {
    if (phase_ == Phase::cutting) return;
    phase_ = Phase::cutting;
    loops_to_end_ = strands_.size();
    for (std::size_t i = 0; i < strands_.size(); ++i)
        strands_[i]->loop.post([this, i] {
            agents_->at(i).close_all([this] {
                if (--loops_to_end_ == 0) end_loops();
            });
        });
}

void Relay::end_loops() {
    for (const auto& strand : strands_) strand->loop.stop();
}

// ---- what the admin API and the door ask for; on the store's thread

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
    directory_ = std::move(directory);
    follow(hostnames);
    post_directory(&changed);
    watch_retiring(store);
}

void Relay::refresh_all(store::Store& store) {
    auto snapshot = store.load_snapshot();
    directory_stale_ = !snapshot;
    if (!snapshot) {
        log_.error("relay.refresh_failed", {{"detail", snapshot.error().detail}});
        return;
    }
    directory_ = std::make_shared<const Directory>(std::move(*snapshot), facts_.port);
    follow(directory_->hostnames());
    post_directory(nullptr);
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
        strand->loop.post([&edge = *strand->edge, settings = edge_settings(config)] { edge.set_settings(settings); });
    limits_->set_bounds(visitor_bounds(config));
    budget_->set_bound(max_buffered(config));
    agents_->set_limits(tunnel_settings(config), config.max_agents);
    agents_->set_health_interval(config.health_interval);
    strands_.front()->loop.post([this, timeout = config.drain_timeout] { drain_timeout_ = timeout; });
}

Result<std::vector<std::string>> Relay::reload(store::Store& store) {
    const auto failed = [this](const Error& error) {
        log_.error("relay.reload_failed", {{"detail", error.detail}, {"kept", "everything as it was"}});
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
    return notes;
}

// What stands outside the state folder is carried along for whoever sets the new server up; nothing reads it there.
Result<std::vector<store::BackupFile>> Relay::backup_files() {
    std::vector<std::pair<std::filesystem::path, std::string>> wanted;
    for (const std::string_view name : {kIdentityFile, kSelfSignedFile}) wanted.emplace_back(config_.state_dir / name, name);
    if (!config_file_.empty()) wanted.emplace_back(config_file_, "from-backup/relay.yaml");
    for (std::size_t i = 0; i < config_.certificates.size(); ++i) {
        const std::string stem = "from-backup/certificate-" + std::to_string(i + 1);
        wanted.emplace_back(config_.certificates[i].certificate, stem + ".pem");
        wanted.emplace_back(config_.certificates[i].key, stem + ".key");
    }
    std::vector<store::BackupFile> files;
    for (auto& [file, name] : wanted) {
        std::error_code ignored;
        if (!std::filesystem::exists(file, ignored)) continue;
        auto content = read_whole(file, store::kMaxBackupFile);
        if (!content) return std::unexpected(content.error());
        files.push_back({std::move(name), 0600, std::move(*content)});
    }
    return files;
}

}  // namespace sallyport::relay
