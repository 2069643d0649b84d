// SSH public keys as lines and as octets: what is read is read again the same from what it writes.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/ssh_public_key.h"

namespace {

void check(const sallyport::SshPublicKey& key) {
    const auto again = sallyport::parse_ssh_public_key(key.text());
    if (!again || *again != key || again->type != key.type || again->comment != key.comment) std::abort();
    if (key.fingerprint().size() != 50 || (key.bits() != 0) != sallyport::is_known_ssh_key_type(key.type)) std::abort();
    (void)sallyport::check_strong(key);
    if (const auto octets = ed25519_of(key); octets && sallyport::ssh_key_of_ed25519(*octets) != key) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    if (const auto key = sallyport::parse_ssh_public_key(in)) check(*key);
    if (const auto key = sallyport::read_ssh_public_key(sallyport::as_octets(in), "comment")) check(*key);
    return 0;
}
