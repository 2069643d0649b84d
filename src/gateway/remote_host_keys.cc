#include "gateway/remote_host_keys.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/descriptor.h"

namespace sallyport::gateway {
namespace {

constexpr const char* kNotedFile = "gateway_known_hosts";

Result<std::string> read_bounded(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) return fail_errno(errno, path.string());
    std::string text(kMaxKnownHostsFile + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(errno, path.string());
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;  // one octet too many is refused by the parser
}

}  // namespace

RemoteHostKeys::RemoteHostKeys(std::filesystem::path known_hosts, std::filesystem::path state_dir, std::string host, std::uint16_t port, Check check, Log& log)
    : configured_(!known_hosts.empty()),
      file_(configured_ ? std::move(known_hosts) : std::move(state_dir) / kNotedFile),
      host_(std::move(host)),
      port_(port),
      check_(check),
      log_(log) {}

Result<KnownHosts> RemoteHostKeys::load() const {
    std::error_code ignored;
    if (!configured_ && !std::filesystem::exists(file_, ignored)) return KnownHosts();
    const auto text = read_bounded(file_);
    if (!text) return std::unexpected(text.error());
    return KnownHosts::parse(*text);
}

std::vector<std::string> RemoteHostKeys::known_types() const {
    std::vector<std::string> types;
    const auto known = load();
    if (!known || check_ == Check::ignored) return types;
    for (const SshPublicKey& key : known->keys_of(host_, port_))
        if (std::ranges::find(types, key.type) == types.end()) types.push_back(key.type);
    return types;
}

Result<> RemoteHostKeys::judge(const SshPublicKey& key) {
    if (check_ == Check::ignored) return {};
    const std::scoped_lock lock(mutex_);
    const auto known = load();
    if (!known) return fail(Errc::unauthorized, known.error().detail);
    const std::string what = known_host_name(host_, port_) + " shows " + key.type + " " + key.fingerprint();
    switch (known->judge(host_, port_, key)) {
        case HostKeyVerdict::known: return {};
        case HostKeyVerdict::unknown:
            if (configured_) return fail(Errc::unauthorized, what + ", and " + file_.string() + " knows no key of it");
            return note(key);
        case HostKeyVerdict::changed:
            return fail(Errc::unauthorized, what + ", but " + file_.string() + " has another key: if it was changed on purpose, remove its line there");
        case HostKeyVerdict::revoked: return fail(Errc::unauthorized, what + ", which is revoked in " + file_.string());
    }
    return fail(Errc::internal, "no verdict");
}

Result<> RemoteHostKeys::note(const SshPublicKey& key) {
    const Descriptor file(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::string line = known_hosts_line(host_, port_, key) + "\n";
    if (!file || ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fsync(file.get()) != 0)
        return fail(Errc::unauthorized, system_error(errno, "note the remote's key in " + file_.string()).detail);
    log_.warn("gateway.remote_key_noted", {{"host", known_host_name(host_, port_)}, {"type", key.type}, {"fingerprint", key.fingerprint()}, {"file", file_.string()}});
    return {};
}

}  // namespace sallyport::gateway
