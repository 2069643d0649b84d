#include "ssh/algorithms.h"

#include <algorithm>
#include <string_view>

namespace sallyport::ssh {
namespace {

constexpr const char* kAesCiphers = "aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
constexpr const char* kChaChaFirst =
    "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";
// As a client we name our order, and a server may have nothing but ChaCha20.
constexpr const char* kAesFirst =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,chacha20-poly1305@openssh.com";
constexpr const char* kMacs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";
constexpr const char* kClientMacs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";
constexpr const char* kPublicKeys =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,sk-ssh-ed25519@openssh.com,"
    "sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";

bool has_aes_instructions() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRYPTO)
    return true;
#else
    return false;
#endif
}

}  // namespace

const Algorithms& server_algorithms() {
    static const Algorithms algorithms{
        "curve25519-sha256,curve25519-sha256@libssh.org",
        "ssh-ed25519",
        has_aes_instructions() ? kAesCiphers : kChaChaFirst,
        kMacs,
        kPublicKeys,
    };
    return algorithms;
}

const Algorithms& client_algorithms() {
    static const Algorithms algorithms{
        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
        "diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
        "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256",
        has_aes_instructions() ? kAesFirst : kChaChaFirst,
        kClientMacs,
        kPublicKeys,
    };
    return algorithms;
}

std::string host_key_order(const std::vector<std::string>& known_types) {
    std::string first, rest;
    for (std::string_view all = client_algorithms().host_keys; !all.empty();) {
        const std::string_view name = all.substr(0, all.find(','));
        all.remove_prefix(std::min(name.size() + 1, all.size()));
        const std::string_view type = name.starts_with("rsa-sha2-") ? "ssh-rsa" : name;
        std::string& list = std::ranges::find(known_types, type) == known_types.end() ? rest : first;
        list += (list.empty() ? "" : ",") + std::string(name);
    }
    if (first.empty() || rest.empty()) return first + rest;
    return first + "," + rest;
}

}  // namespace sallyport::ssh
