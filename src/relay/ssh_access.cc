#include "relay/ssh_access.h"

#include "relay/predecessor.h"

namespace sallyport::relay {
namespace {

// A silent client is found within three intervals.
ssh::ServerSettings server_settings(const RelayConfig& config) {
    ssh::ServerSettings settings;
    settings.keepalive_interval = config.heartbeat_interval / 2;
    settings.keepalive_count_max = 3;
    settings.most_channels = config.max_streams_per_agent;
    return settings;
}

}  // namespace

Result<> SshAccess::open_configured(const RelayConfig& config, Predecessor* predecessor, std::size_t loops) {
    configured_ = config.ssh_listen;
    given_ = config.ssh_listen_given;
    loops_ = loops;
    if (!configured_) return {};
    // What the process before us listens on goes on, so that nobody who waits there is lost.
    const bool adopted = predecessor && predecessor->has("ssh", configured_->text());
    if (!given_ && !adopted) return {};
    auto listeners = take_or_listen(predecessor, *configured_, loops_, "ssh");
    if (!listeners) return std::unexpected(listeners.error());
    waiting_ = std::move(*listeners);
    return {};
}

Result<> SshAccess::load_key(const std::filesystem::path& state_dir, const RelayConfig& config) {
    auto loaded = ssh::load_or_make_key(state_dir / kSshHostKeyFile);
    if (!loaded) return std::unexpected(loaded.error());
    key_ = std::move(loaded->key);
    settings_ = server_settings(config);
    return {};
}

void SshAccess::begin(Strands& strands, bool needed) {
    strands_ = &strands;
    if (waiting_) return give_to_doors(*std::exchange(waiting_, std::nullopt));
    if (needed) (void)need();
}

Result<> SshAccess::need() {
    if (address_) return {};
    if (!configured_) return fail(Errc::invalid_argument, "ssh_listen is off, so nobody could connect with an SSH key");
    auto listening = listen();
    if (listening) return listening;
    if (why_not_ != listening.error().detail) log_.error("relay.ssh_listen_failed", {{"address", configured_->text()}, {"detail", listening.error().detail}});
    why_not_ = listening.error().detail;
    return listening;
}

Result<> SshAccess::listen() {
    auto listeners = listen_on(*configured_, loops_, "ssh_listen");
    if (!listeners) return std::unexpected(listeners.error());
    give_to_doors(std::move(*listeners));
    return {};
}

void SshAccess::give_to_doors(Listeners listeners) {
    address_ = listeners.address;
    why_not_.clear();
    for (std::size_t i = 0; i < listeners.descriptors.size(); ++i) {
        open_.add("ssh", configured_->text(), listeners.descriptors[i].get());
        // A host belongs to one loop: made here, used there.
        auto host = ssh::ServerHost::make(*key_, settings_);
        if (!host) {
            log_.error("relay.ssh_listen_failed", {{"address", configured_->text()}, {"detail", host.error().detail}});
            continue;
        }
        Strand& strand = *(*strands_)[i % strands_->size()];
        strand.loop.post([&door = *strand.ssh, listener = std::move(listeners.descriptors[i]), host = std::make_shared<const ssh::ServerHost>(std::move(*host))]() mutable {
            door.listen(std::move(listener), std::move(host));
        });
    }
    log_.info("relay.listening", {{"listener", "ssh"}, {"address", address_->text()}});
}

SshFacts SshAccess::facts() const {
    SshFacts facts{.address = address_, .host_key = key_->public_key()};
    if (!address_) facts.why_not = !configured_ ? "ssh_listen is off" : why_not_.empty() ? "no agent has an SSH key" : why_not_;
    return facts;
}

std::string ssh_command(const std::string& forwards, const std::string& agent, const std::string& host, std::uint16_t port) {
    return "ssh -N " + forwards + " " + agent + "@" + host + (port == 22 ? "" : " -p " + std::to_string(port));
}

}  // namespace sallyport::relay
