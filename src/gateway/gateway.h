// gateway.h: the gateway as a whole: its keys and listeners, the parts that all connections share, and the connections. Everything
// runs on one loop; slow things (names, password hashes) on workers.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/metrics_server.h"
#include "gateway/parts.h"
#include "gateway/user_connection.h"
#include "net/socket.h"
#include "ssh/server_connection.h"

namespace sallyport::gateway {

class Gateway {
public:
    // Reads keys, listens. Errors have a text for people.
    static Result<std::unique_ptr<Gateway>> start(Loop& loop, Workers& workers, Log& log, GatewayConfig config);
    ~Gateway();

    // No more connections; what is open may go on for `patience`, then it is cut. `stopped` once nothing is left.
    void stop(std::chrono::milliseconds patience, std::function<void()> stopped);

    std::size_t connections() const { return connections_.size(); }
    const std::vector<SocketAddress>& addresses() const { return addresses_; }
    std::string host_key_fingerprint() const { return host_.public_key().fingerprint(); }
    const SshPublicKey* own_key() const { return own_key_ ? &own_key_->public_key() : nullptr; }
    std::string metrics() const;

private:
    Gateway(Loop& loop, Workers& workers, Log& log, GatewayConfig config, ssh::ServerHost host, std::optional<ssh::PrivateKey> own_key, LocalKeys local_keys);
    Result<> listen();
    void accept(Descriptor descriptor, const SocketAddress& peer);
    void over(UserConnection& connection);
    void look_whether_stopped();
    void cut();

    Loop& loop_;
    Log& log_;
    const GatewayConfig config_;
    ssh::ServerHost host_;
    std::optional<ssh::PrivateKey> own_key_;
    LocalKeys local_keys_;
    RemoteHostKeys host_keys_;
    RemoteSite site_;
    Counters counters_;
    Admission admission_;
    PasswordJudge passwords_;
    RemotePool pool_;
    std::unique_ptr<KeyFetcher> fetcher_;
    Terminals terminals_;
    Parts parts_;
    std::map<UserConnection*, std::unique_ptr<UserConnection>> connections_;
    std::vector<SocketAddress> addresses_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;
    std::unique_ptr<MetricsServer> metrics_;
    std::function<void()> stopped_;
    bool terminals_stopped_ = false;
    Timer patience_;
};

}  // namespace sallyport::gateway
