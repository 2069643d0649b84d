// algorithms.h: what both sides of ours offer (RFC 4253 7.1), modern only; strict key exchange comes from libssh itself.
// In a negotiation the client's order wins, and stock clients put ChaCha20 first: so where the processor has AES
// instructions a server offers only GCM and CTR, elsewhere ChaCha20 first.
// A server's key exchange is X25519 alone: every client since 2014 has it, and a finite-field group of 4,096 or 8,192 bits
// lets a stranger make us compute for tens of milliseconds by one message. A client of ours also takes what older servers have.
#pragma once
#include <string>
#include <vector>

namespace sallyport::ssh {

struct Algorithms {
    const char* key_exchange;
    const char* host_keys;
    const char* ciphers;
    const char* macs;
    const char* public_keys;  // signature algorithms of user keys that a server takes
};

const Algorithms& server_algorithms();
const Algorithms& client_algorithms();

// The client's host key algorithms, those of the given key types ("ssh-ed25519", "ssh-rsa") first: a server that has several keys
// shows one that is known.
std::string host_key_order(const std::vector<std::string>& known_types);

}  // namespace sallyport::ssh
