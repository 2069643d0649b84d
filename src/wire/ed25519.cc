#include "wire/ed25519.h"

#include <openssl/evp.h>

#include <cstdlib>

#include "base/random.h"

namespace sallyport {
namespace {

template <auto Free>
struct Deleter {
    void operator()(auto* p) const noexcept { Free(p); }
};
using Context = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using PublicKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

// These calls fail for want of memory only.
void expect(bool worked) {
    if (!worked) std::abort();
}

}  // namespace

Ed25519PrivateKey::Ed25519PrivateKey(EVP_PKEY* key) : key_(key, EVP_PKEY_free) {}

Ed25519PrivateKey Ed25519PrivateKey::generate() { return *from_seed(Secret(random_octets(kEd25519KeyOctets))); }

Result<Ed25519PrivateKey> Ed25519PrivateKey::from_seed(const Secret& seed) {
    if (seed.reveal().size() != kEd25519KeyOctets) return fail(Errc::invalid_argument, "an Ed25519 seed is 32 octets");
    EVP_PKEY* key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, as_u8(as_octets(seed.reveal())), kEd25519KeyOctets);
    expect(key != nullptr);
    return Ed25519PrivateKey(key);
}

Secret Ed25519PrivateKey::seed() const {
    std::string out(kEd25519KeyOctets, '\0');
    std::size_t size = out.size();
    expect(EVP_PKEY_get_raw_private_key(key_.get(), reinterpret_cast<unsigned char*>(out.data()), &size) == 1);
    return Secret(std::move(out));
}

std::string Ed25519PrivateKey::public_key() const {
    std::string out(kEd25519KeyOctets, '\0');
    std::size_t size = out.size();
    expect(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(out.data()), &size) == 1);
    return out;
}

std::string Ed25519PrivateKey::sign(Octets message) const {
    std::string out(kEd25519SignatureOctets, '\0');
    std::size_t size = out.size();
    const Context context(EVP_MD_CTX_new());
    expect(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1);
    expect(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, as_u8(message),
                          message.size()) == 1);
    return out;
}

bool verify_ed25519(Octets public_key, Octets message, Octets signature) {
    if (public_key.size() != kEd25519KeyOctets || signature.size() != kEd25519SignatureOctets) return false;
    const PublicKey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, as_u8(public_key), public_key.size()));
    const Context context(EVP_MD_CTX_new());
    if (!key || !context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1)
        return false;
    return EVP_DigestVerify(context.get(), as_u8(signature), signature.size(), as_u8(message), message.size()) == 1;
}

}  // namespace sallyport
