// openssh_private_key.h: an Ed25519 key as ssh-keygen writes it (OpenSSH's PROTOCOL.key, without passphrase). OpenSSH before
// 9.6 reads Ed25519 keys in no other form, and libssh 0.10 none of PKCS#8 whole. Pure.
#pragma once
#include <string_view>

#include "base/secret.h"
#include "wire/ed25519.h"
#include "wire/ssh_public_key.h"

namespace sallyport {

SshPublicKey ssh_public_key_of(const Ed25519PrivateKey& key, std::string_view comment = {});
Secret format_openssh_private_key(const Ed25519PrivateKey& key, std::string_view comment = {});

}  // namespace sallyport
