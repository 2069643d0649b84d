// mosh_datagram.h: the outside of mosh's datagrams (SSP): 8 octets of nonce, whose top bit is the direction and the rest a sequence
// number, then AES-128-OCB3 of two 16-bit millisecond time stamps and a fragment, with a tag of 16 octets. Opened with the session's
// key this proves where a datagram comes from and gives the round trip, as mosh itself measures it. Pure.
#pragma once
#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/octets.h"
#include "base/result.h"
#include "base/secret.h"

namespace sallyport::gateway {

inline constexpr std::size_t kMostMoshDatagram = 2'048;  // mosh sends at most 1,280 with headers

struct MoshDatagram {
    enum class Direction { to_server, to_client };
    Direction direction = Direction::to_server;
    std::uint64_t sequence = 0;
    std::uint16_t timestamp = 0;                    // the sender's clock, milliseconds modulo 2^16
    std::optional<std::uint16_t> timestamp_reply;   // ours, which the sender gives back with the time it held it added
};

class MoshDatagramOpener {
public:
    // `key`: 22 characters of base64, as mosh-server prints it.
    static Result<MoshDatagramOpener> make(const Secret& key);

    // None: too short, too long, or not sealed with this key.
    std::optional<MoshDatagram> open(Octets datagram);
    // For tests and tools: seals `content` behind the two time stamps.
    std::vector<std::byte> seal(const MoshDatagram& datagram, Octets content);

private:
    struct Free {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };
    using Context = std::unique_ptr<EVP_CIPHER_CTX, Free>;
    Context context_;  // holds the key; OpenSSL wipes it
};

// How many of the last 64 datagrams got lost, by their sequence numbers; reordering is not loss.
class SequenceLoss {
public:
    void note(std::uint64_t sequence);
    std::optional<double> loss() const;  // none before 16 datagrams

private:
    std::uint64_t highest_ = 0;
    std::uint64_t first_ = 0;
    std::uint64_t seen_ = 0;  // bit i: highest_ - i came
    bool any_ = false;
};

}  // namespace sallyport::gateway
