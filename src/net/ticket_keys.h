// ticket_keys.h: what session tickets (RFC 5077, RFC 8446 4.6.1) are sealed with. Who steals such a key can read recorded TLS 1.2
// sessions whose tickets it sealed, so it is random, never leaves memory and is replaced: new tickets get the newest key, tickets
// of the one before are taken and renewed, older ones lead to a full handshake.
// One set serves all certificates and all loops and outlives a reload, so that visitors resume wherever they arrive. A new process,
// also one of an upgrade, begins with new keys: each visitor then shakes hands in full once.
#pragma once
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "base/clock.h"

namespace sallyport {

// Longer than a ticket lives (two hours), so that every ticket is good for its whole life: it ends within its key's second turn.
inline constexpr std::chrono::hours kTicketKeyTurn{6};

class TicketKeys {
public:
    explicit TicketKeys(std::function<TimePoint()> now = Clock::now);
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    // From now on `context` seals and opens its tickets with these. They must outlive it and the connections made from it.
    void serve(SSL_CTX& context);

private:
    struct Key {
        std::array<unsigned char, 16> name;  // stands in the ticket, in the clear
        std::array<unsigned char, 32> encryption, authentication;
        TimePoint made;
        ~Key();
    };
    using SharedKey = std::shared_ptr<const Key>;

    SharedKey newest();
    SharedKey named(const unsigned char* name);  // null: none, or one too old
    void turn();                                 // with mutex_ held
    SharedKey make_key() const;
    static int on_ticket(SSL*, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX*, EVP_MAC_CTX*, int seal) noexcept;

    std::function<TimePoint()> now_;
    std::mutex mutex_;  // held for the choice of a key only
    SharedKey newest_, before_;
};

}  // namespace sallyport
