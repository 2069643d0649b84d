#include "wire/openssh_private_key.h"

#include <algorithm>
#include <string>

#include "base/encoding.h"

namespace sallyport {
namespace {

void put_number(std::string& out, std::uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

void put_string(std::string& out, std::string_view text) {
    put_number(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

}  // namespace

SshPublicKey ssh_public_key_of(const Ed25519PrivateKey& key, std::string_view comment) {
    const std::string octets = key.public_key();
    std::array<std::byte, kEd25519KeyOctets> fixed{};
    std::ranges::copy(as_octets(octets), fixed.begin());
    return ssh_key_of_ed25519(fixed, comment);
}

Secret format_openssh_private_key(const Ed25519PrivateKey& key, std::string_view comment) {
    const std::string public_octets = key.public_key();
    const std::string blob = ssh_public_key_of(key).blob;
    const Secret seed = key.seed();

    std::string section;  // would be encrypted if there were a passphrase
    const std::uint32_t check = 0x53414c4c;  // twice the same, whatever it is: shows that decrypting went right
    put_number(section, check);
    put_number(section, check);
    put_string(section, "ssh-ed25519");
    put_string(section, public_octets);
    put_string(section, std::string(seed.reveal()) + public_octets);
    put_string(section, comment);
    for (char pad = 1; section.size() % 8 != 0; ++pad) section += pad;

    std::string octets("openssh-key-v1\0", 15);
    put_string(octets, "none");
    put_string(octets, "none");
    put_string(octets, "");
    put_number(octets, 1);
    put_string(octets, blob);
    put_string(octets, section);
    const Secret wiped_section{std::move(section)}, wiped{std::move(octets)};

    const std::string text = to_base64(as_octets(wiped.reveal()));
    std::string pem = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
    for (std::size_t at = 0; at < text.size(); at += 70) pem += text.substr(at, 70) + "\n";
    return Secret{pem + "-----END OPENSSH PRIVATE KEY-----\n"};
}

}  // namespace sallyport
