#include "net/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <algorithm>

#include "base/random.h"

namespace sallyport {
namespace {

// The index under which an SSL_CTX knows its TicketKeys; SSL_CTX_set_app_data would be anybody's.
int keys_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

template <std::size_t N>
void fill(std::array<unsigned char, N>& out) {
    fill_random(MutableOctets(reinterpret_cast<std::byte*>(out.data()), N));
}

bool authenticate_with(EVP_MAC_CTX* mac, const std::array<unsigned char, 32>& key) {
    std::array<char, 7> digest{"SHA256"};
    const std::array parameters = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.data()), key.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

}  // namespace

TicketKeys::Key::~Key() {
    OPENSSL_cleanse(encryption.data(), encryption.size());
    OPENSSL_cleanse(authentication.data(), authentication.size());
}

TicketKeys::TicketKeys(std::function<TimePoint()> now) : now_(std::move(now)), newest_(make_key()) {}
TicketKeys::~TicketKeys() = default;

void TicketKeys::serve(SSL_CTX& context) {
    SSL_CTX_set_ex_data(&context, keys_index(), this);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, on_ticket);
}

TicketKeys::SharedKey TicketKeys::make_key() const {
    auto key = std::make_shared<Key>();
    fill(key->name);
    fill(key->encryption);
    fill(key->authentication);
    key->made = now_();
    return key;
}

void TicketKeys::turn() {
    const TimePoint now = now_();
    if (now - newest_->made >= kTicketKeyTurn) {
        before_ = std::move(newest_);
        newest_ = make_key();
    }
    if (before_ && now - before_->made >= 2 * kTicketKeyTurn) before_.reset();
}

TicketKeys::SharedKey TicketKeys::newest() {
    const std::lock_guard lock(mutex_);
    turn();
    return newest_;
}

TicketKeys::SharedKey TicketKeys::named(const unsigned char* name) {
    const std::lock_guard lock(mutex_);
    turn();
    for (const SharedKey& key : {newest_, before_})
        if (key && std::equal(key->name.begin(), key->name.end(), name)) return key;
    return nullptr;
}

// SSL_CTX_set_tlsext_ticket_key_cb(3): 0 is no ticket, 1 goes on, 2 goes on and gives a new ticket, -1 fails the handshake.
int TicketKeys::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) noexcept {
    auto& self = *static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index()));
    if (seal) {
        const SharedKey key = self.newest();
        std::ranges::copy(key->name, name);
        std::array<unsigned char, 16> fresh;  // AES's block
        fill(fresh);
        std::ranges::copy(fresh, iv);
        const bool ready = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->encryption.data(), iv) == 1 &&
                           authenticate_with(mac, key->authentication);
        return ready ? 1 : -1;
    }
    const SharedKey key = self.named(name);
    if (!key) return 0;
    if (!authenticate_with(mac, key->authentication) ||
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->encryption.data(), iv) != 1)
        return -1;
    return key == self.newest() ? 1 : 2;
}

}  // namespace sallyport
