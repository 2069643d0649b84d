#include "wire/known_hosts.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "wire/ssh_pattern.h"

namespace sallyport {
namespace {

constexpr std::string_view kSpace = " \t";
constexpr std::string_view kHashed = "|1|";
constexpr std::size_t kMaxLine = 32 * 1024;
constexpr std::size_t kSha1Octets = 20;

std::string_view take_word(std::string_view& in) {
    in.remove_prefix(std::min(in.find_first_not_of(kSpace), in.size()));
    const std::string_view word = in.substr(0, in.find_first_of(kSpace));
    in.remove_prefix(word.size());
    return word;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

std::string hash_name(Octets salt, std::string_view name) {
    std::array<std::byte, kSha1Octets> digest{};
    unsigned size = digest.size();
    HMAC(EVP_sha1(), salt.data(), static_cast<int>(salt.size()), as_u8(as_octets(name)), name.size(), as_u8(MutableOctets(digest)), &size);
    return std::string(as_text(digest));
}

// |1|base64(salt)|base64(HMAC-SHA1(salt, name))
bool is_hash_of(std::string_view hashed, std::string_view name) {
    hashed.remove_prefix(kHashed.size());
    const std::size_t bar = hashed.find('|');
    if (bar == std::string_view::npos) return false;
    const auto salt = from_base64(hashed.substr(0, bar));
    const auto hash = from_base64(hashed.substr(bar + 1));
    return salt && hash && salt->size() == kSha1Octets && *hash == hash_name(as_octets(*salt), name);
}

bool contains(const std::vector<SshPublicKey>& keys, const SshPublicKey& key) { return std::ranges::find(keys, key) != keys.end(); }

}  // namespace

std::string known_host_name(std::string_view host, std::uint16_t port) {
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    return port == kSshPort ? lower(host) : "[" + lower(host) + "]:" + std::to_string(port);
}

std::string known_hosts_line(std::string_view host, std::uint16_t port, const SshPublicKey& key) {
    return known_host_name(host, port) + " " + key.type + " " + to_base64(as_octets(key.blob));
}

std::string hashed_known_hosts_line(std::string_view host, std::uint16_t port, const SshPublicKey& key, Octets salt) {
    return std::string(kHashed) + to_base64(salt) + "|" + to_base64(as_octets(hash_name(salt, known_host_name(host, port)))) + " " + key.type + " " + to_base64(as_octets(key.blob));
}

Result<KnownHosts> KnownHosts::parse(std::string_view file) {
    if (file.size() > kMaxKnownHostsFile) return fail(Errc::too_large, "known_hosts is larger than 4 MiB");
    KnownHosts out;
    while (!file.empty()) {
        const std::size_t end = std::min(file.find('\n'), file.size());
        std::string_view line = file.substr(0, end);
        file.remove_prefix(std::min(end + 1, file.size()));
        if (line.size() > kMaxLine) continue;
        Line entry;
        std::string_view hosts = take_word(line);
        if (hosts.empty() || hosts.front() == '#') continue;
        if (hosts.front() == '@') {
            if (hosts != "@revoked" && hosts != "@cert-authority") continue;
            entry.marker = hosts == "@revoked" ? Marker::revoked : Marker::cert_authority;
            hosts = take_word(line);
        }
        auto key = parse_ssh_public_key(line);
        if (!key) continue;
        entry.hosts = hosts;
        entry.key = std::move(*key);
        out.lines_.push_back(std::move(entry));
    }
    return out;
}

bool KnownHosts::names(const Line& line, std::string_view name) {
    if (line.hosts.starts_with(kHashed)) return is_hash_of(line.hosts, name);
    return match_ssh_patterns(name, line.hosts) == PatternMatch::matched;
}

std::vector<SshPublicKey> KnownHosts::keys_named(std::string_view name) const {
    std::vector<SshPublicKey> keys;
    for (const Line& line : lines_)
        if (line.marker == Marker::none && names(line, name) && !contains(keys, line.key)) keys.push_back(line.key);
    return keys;
}

std::vector<SshPublicKey> KnownHosts::keys_of(std::string_view host, std::uint16_t port) const {
    auto keys = keys_named(known_host_name(host, port));
    return keys.empty() && port != kSshPort ? keys_named(known_host_name(host, kSshPort)) : keys;
}

HostKeyVerdict KnownHosts::judge(std::string_view host, std::uint16_t port, const SshPublicKey& key) const {
    const std::string name = known_host_name(host, port), bare = known_host_name(host, kSshPort);
    const auto revokes = [&](const Line& line) { return line.marker == Marker::revoked && line.key == key && (names(line, name) || names(line, bare)); };
    if (std::ranges::any_of(lines_, revokes)) return HostKeyVerdict::revoked;
    if (const auto keys = keys_named(name); !keys.empty()) return contains(keys, key) ? HostKeyVerdict::known : HostKeyVerdict::changed;
    // The bare name may be of another sshd on that machine, so another key there says nothing.
    return port != kSshPort && contains(keys_named(bare), key) ? HostKeyVerdict::known : HostKeyVerdict::unknown;
}

}  // namespace sallyport
