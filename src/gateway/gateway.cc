#include "gateway/gateway.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace sallyport::gateway {
namespace {

constexpr const char* kHostKeyFile = "gateway_host_key";

// SO_REUSEPORT lets a second process of the same user listen beside us and take half the connections: noticed before.
Result<> check_nobody_listens(const SocketAddress& address) {
    const Descriptor probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (probe) ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!probe || ::bind(probe.get(), address.data(), address.size()) != 0 || ::listen(probe.get(), 1) != 0) return fail_errno(errno, "listen on " + address.text());
    return {};
}

Result<Descriptor> listen_at(std::string_view ip, std::uint16_t port) {
    const auto address = SocketAddress::parse(ip, port);
    if (!address) return std::unexpected(address.error());
    if (const auto free = port == 0 ? Result<>() : check_nobody_listens(*address); !free) return std::unexpected(free.error());
    return listen_tcp(*address);
}

// Every address, where a host has no IPv6 every IPv4 one.
Result<Descriptor> listen_on(const ListenAddress& address) {
    if (!address.host.empty()) return listen_at(address.host, address.port);
    auto both = listen_at("::", address.port);
    if (both || both.error().code == Errc::address_in_use || both.error().code == Errc::permission_denied) return both;
    return listen_at("0.0.0.0", address.port);
}

Result<ssh::PrivateKey> load_host_key(const GatewayConfig& config, Log& log) {
    auto loaded = ssh::load_or_make_key(config.host_key_path);
    std::filesystem::path path = config.host_key_path;
    std::error_code ignored;
    if (!loaded && !config.host_key_path_is_set && !std::filesystem::exists(path, ignored)) {
        path = config.state_dir / kHostKeyFile;
        loaded = ssh::load_or_make_key(path);
    }
    if (!loaded) return fail(loaded.error().code, "host_key_path " + path.string() + ": " + loaded.error().detail);
    log.info(loaded->made ? "gateway.host_key_made" : "gateway.host_key", {{"file", path.string()}, {"fingerprint", loaded->key.public_key().fingerprint()}});
    return std::move(loaded->key);
}

Result<std::optional<ssh::PrivateKey>> load_own_key(const GatewayConfig& config) {
    const auto refuse = [](std::string_view key, const Error& error) { return fail(error.code, std::string(key) + ": " + error.detail); };
    if (!config.ssh_key_content.empty()) {
        auto key = ssh::PrivateKey::parse(config.ssh_key_content);
        if (!key) return refuse("ssh_key_content", key.error());
        return std::optional(std::move(*key));
    }
    if (config.ssh_key_path.empty()) return std::nullopt;
    auto key = ssh::load_key(config.ssh_key_path, ssh::FileMode::shared_ok);
    if (!key) return refuse("ssh_key_path", key.error());
    return std::optional(std::move(*key));
}

RemoteSite site_of(Loop& loop, Workers& workers, Log& log, RemoteHostKeys& host_keys, const GatewayConfig& config) {
    return {.loop = loop,
            .workers = workers,
            .log = log,
            .host_keys = host_keys,
            .host = config.remote_host,
            .port = config.remote_port,
            .connect_timeout = config.connect_timeout,
            .keepalive_interval = config.keepalive_interval};
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::start(Loop& loop, Workers& workers, Log& log, GatewayConfig config) {
    auto host_key = load_host_key(config, log);
    if (!host_key) return std::unexpected(host_key.error());
    auto own_key = load_own_key(config);
    if (!own_key) return std::unexpected(own_key.error());
    auto local_keys = LocalKeys::load(config.authorized_keys_path, config.authorized_keys_content, log);
    if (!local_keys) return std::unexpected(local_keys.error());
    ssh::ServerSettings settings;
    settings.login_grace = config.login_grace_time;
    settings.keepalive_interval = config.keepalive_interval;
    settings.most_channels = config.max_channels + 8;
    settings.agent_forwarding = true;
    auto host = ssh::ServerHost::make(*host_key, settings);
    if (!host) return std::unexpected(host.error());
    std::unique_ptr<Gateway> gateway(new Gateway(loop, workers, log, std::move(config), std::move(*host), std::move(*own_key), std::move(*local_keys)));
    if (const auto listening = gateway->listen(); !listening) return std::unexpected(listening.error());
    return gateway;
}

Gateway::Gateway(Loop& loop, Workers& workers, Log& log, GatewayConfig config, ssh::ServerHost host, std::optional<ssh::PrivateKey> own_key, LocalKeys local_keys)
    : loop_(loop),
      log_(log),
      config_(std::move(config)),
      host_(std::move(host)),
      own_key_(std::move(own_key)),
      local_keys_(std::move(local_keys)),
      host_keys_(config_.remote_known_hosts, config_.state_dir, config_.remote_host, config_.remote_port,
                 config_.remote_ignore_host_key ? RemoteHostKeys::Check::ignored : RemoteHostKeys::Check::strict, log),
      site_(site_of(loop, workers, log, host_keys_, config_)),
      admission_({.connections = config_.max_connections,
                  .of_user = config_.max_connections_per_user,
                  .of_address = config_.max_connections_per_address,
                  .unauthenticated = config_.max_unauthenticated,
                  .failures = config_.max_login_failures}),
      passwords_(loop, workers, config_.passwords),
      pool_(loop, {.keep = config_.warm_timeout, .of_holder = config_.warm_connections}),
      fetcher_(own_key_ ? std::make_unique<KeyFetcher>(loop, site_, *own_key_, config_.key_cache, counters_, log) : nullptr),
      terminals_(loop, log, config_, counters_),
      parts_{.loop = loop,
             .log = log,
             .config = config_,
             .counters = counters_,
             .admission = admission_,
             .site = site_,
             .local_keys = local_keys_,
             .passwords = passwords_,
             .pool = pool_,
             .own_key = own_key_ ? &*own_key_ : nullptr,
             .fetcher = fetcher_.get(),
             .terminals = terminals_},
      patience_(loop, [this] { cut(); }) {}

Gateway::~Gateway() = default;

Result<> Gateway::listen() {
    for (const ListenAddress& address : config_.listen) {
        auto listener = listen_on(address);
        if (!listener) return fail(listener.error().code, "host " + address.host + ", port " + std::to_string(address.port) + ": " + listener.error().detail);
        addresses_.push_back(SocketAddress::local_of(listener->get()));
        acceptors_.push_back(std::make_unique<Acceptor>(
            loop_, std::move(*listener), [this](Descriptor descriptor, const SocketAddress& peer) { accept(std::move(descriptor), peer); },
            [this](const Error& error) { log_.error("gateway.cannot_accept", {{"reason", error.detail}}); }));
    }
    if (!config_.metrics_listen) return {};
    auto listener = listen_on(*config_.metrics_listen);
    if (!listener) return fail(listener.error().code, "metrics_listen: " + listener.error().detail);
    log_.info("gateway.metrics", {{"listen", SocketAddress::local_of(listener->get()).text()}});
    metrics_ = std::make_unique<MetricsServer>(loop_, std::move(*listener), [this] { return metrics(); });
    return {};
}

void Gateway::accept(Descriptor descriptor, const SocketAddress& peer) {
    ++counters_.accepted;
    const std::string ip = peer.ip();
    auto entry = admission_.enter(ip, loop_.now());
    if (!entry.place) {
        ++counters_.refusals[entry.reason];
        log_.debug("gateway.turned_away", {{"from", ip}, {"reason", name_of(entry.reason)}});
        return;
    }
    tune_connection(descriptor.get());
    auto connection = UserConnection::make(parts_, host_, std::move(descriptor), ip, std::move(entry.place), [this](UserConnection& ended) { over(ended); });
    if (!connection) return log_.warn("gateway.cannot_accept", {{"reason", connection.error().detail}});
    connections_.emplace(connection->get(), std::move(*connection));
}

void Gateway::over(UserConnection& connection) {
    const auto place = connections_.find(&connection);
    if (place == connections_.end()) return;
    loop_.dispose(std::move(place->second));
    connections_.erase(place);
    for (const auto& acceptor : acceptors_) acceptor->try_again();
    look_whether_stopped();
}

void Gateway::stop(std::chrono::milliseconds patience, std::function<void()> stopped) {
    acceptors_.clear();
    pool_.clear();
    stopped_ = std::move(stopped);
    // A copy: what is closed may be gone within the call.
    std::vector<UserConnection*> all;
    for (const auto& [key, connection] : connections_) all.push_back(key);
    for (UserConnection* const connection : all) connection->stop();
    patience_.start(patience);
    terminals_.stop([this] {
        terminals_stopped_ = true;
        look_whether_stopped();
    });
}

void Gateway::look_whether_stopped() {
    if (connections_.empty() && terminals_stopped_ && stopped_) std::exchange(stopped_, nullptr)();
}

void Gateway::cut() {
    terminals_stopped_ = true;  // mosh-servers whose remote isn't reached end by themselves
    std::vector<UserConnection*> all;
    for (const auto& [key, connection] : connections_) all.push_back(key);
    for (UserConnection* const connection : all) connection->cut();
    look_whether_stopped();
}

std::string Gateway::metrics() const {
    return metrics_text(counters_, {.connections = admission_.connections(), .unauthenticated = admission_.unauthenticated(), .warm = pool_.size(), .detached = terminals_.detached(), .mosh = terminals_.lines()});
}

}  // namespace sallyport::gateway
