#include "agent/ssh_host_keys.h"

#include <algorithm>
#include <fstream>

namespace sallyport {
namespace {

std::string file_name_of(const SshServerConfig& server) {
    std::string name = "known_hosts-" + server.hostname + "-" + std::to_string(server.port);
    std::ranges::replace(name, ':', '_');
    return name;
}

Result<std::string> read_given_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(Errc::invalid_config, "known_hosts: can't read " + path.string());
    std::string text;
    char piece[8192];
    while (in.read(piece, sizeof piece) || in.gcount() > 0) {
        text.append(piece, static_cast<std::size_t>(in.gcount()));
        if (text.size() > kMaxKnownHostsFile) return fail(Errc::invalid_config, "known_hosts: " + path.string() + " is too large");
    }
    return text;
}

bool is_fingerprint(std::string_view text) { return text.starts_with("SHA256:"); }

}  // namespace

SshHostKeys::SshHostKeys(StateFolder folder, const SshServerConfig& server) : folder_(std::move(folder)), server_(server), file_(file_name_of(server)) {
    server_.private_key = Secret();
}

Result<> SshHostKeys::check() const {
    for (const std::string& text : server_.host_keys) {
        if (is_fingerprint(text)) continue;
        if (const auto key = parse_ssh_public_key(text); !key) return fail(Errc::invalid_config, "host_key: " + key.error().detail);
    }
    if (!server_.known_hosts_file.empty())
        if (const auto text = read_given_file(server_.known_hosts_file); !text) return std::unexpected(text.error());
    if (server_.has_given_keys() && server_.host_keys.empty()) {
        const auto known = KnownHosts::parse(given_lines());
        if (!known) return fail(Errc::invalid_config, "known_hosts: " + known.error().detail);
        if (known->keys_of(server_.hostname, server_.port).empty())
            return fail(Errc::invalid_config, "known_hosts: has no line for " + known_host_name(server_.hostname, server_.port));
    }
    return {};
}

// All given keys as known_hosts lines, but fingerprints.
std::string SshHostKeys::given_lines() const {
    std::string lines = server_.known_hosts;
    if (!lines.empty() && !lines.ends_with('\n')) lines += '\n';
    if (!server_.known_hosts_file.empty()) {
        lines += read_given_file(server_.known_hosts_file).value_or("");
        if (!lines.empty() && !lines.ends_with('\n')) lines += '\n';
    }
    for (const std::string& text : server_.host_keys)
        if (const auto key = is_fingerprint(text) ? Result<SshPublicKey>(fail(Errc::invalid_argument)) : parse_ssh_public_key(text)) lines += known_hosts_line(server_.hostname, server_.port, *key) + "\n";
    return lines;
}

KnownHosts SshHostKeys::noted() const {
    const auto text = folder_.read(file_);
    return KnownHosts::parse(text && *text ? **text : "").value_or(KnownHosts());
}

SshKeyVerdict SshHostKeys::judge(const SshPublicKey& key) const {
    const bool given = only_given();
    const KnownHosts known = given ? KnownHosts::parse(given_lines()).value_or(KnownHosts()) : noted();
    switch (known.judge(server_.hostname, server_.port, key)) {
        case HostKeyVerdict::known: return SshKeyVerdict::known;
        case HostKeyVerdict::revoked: return SshKeyVerdict::revoked;
        default: break;
    }
    if (std::ranges::find(server_.host_keys, key.fingerprint()) != server_.host_keys.end()) return SshKeyVerdict::known;
    if (!fingerprints().empty()) return SshKeyVerdict::changed;
    return given ? SshKeyVerdict::not_given : SshKeyVerdict::first;
}

std::vector<std::string> SshHostKeys::fingerprints() const {
    std::vector<std::string> all;
    const KnownHosts known = only_given() ? KnownHosts::parse(given_lines()).value_or(KnownHosts()) : noted();
    for (const SshPublicKey& key : known.keys_of(server_.hostname, server_.port)) all.push_back(key.fingerprint());
    for (const std::string& text : server_.host_keys)
        if (is_fingerprint(text)) all.push_back(text);
    return all;
}

std::vector<std::string> SshHostKeys::types() const {
    std::vector<std::string> types;
    const KnownHosts known = only_given() ? KnownHosts::parse(given_lines()).value_or(KnownHosts()) : noted();
    for (const SshPublicKey& key : known.keys_of(server_.hostname, server_.port))
        if (std::ranges::find(types, key.type) == types.end()) types.push_back(key.type);
    return types;
}

Result<> SshHostKeys::note(const SshPublicKey& key) const {
    return folder_.write(file_, known_hosts_line(server_.hostname, server_.port, key) + "\n");
}

Result<std::vector<std::string>> SshHostKeys::forget() const {
    std::vector<std::string> gone;
    for (const SshPublicKey& key : noted().keys_of(server_.hostname, server_.port)) gone.push_back(key.fingerprint());
    folder_.remove(file_);
    return gone;
}

Result<std::filesystem::path> SshHostKeys::file_for_ssh() const {
    if (!only_given()) return folder_.path() / file_;
    const std::string name = file_ + ".given";
    if (const auto written = folder_.write(name, given_lines()); !written) return std::unexpected(written.error());
    return folder_.path() / name;
}

}  // namespace sallyport
