// key_file.h: private keys: made, kept in a file (0600, OpenSSH's format), or given as text. Waits for the disk and for
// the processor: not for a loop, but at start. A PrivateKey is immutable and may be copied and used by any thread.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "ssh/handles.h"
#include "wire/ssh_public_key.h"

namespace sallyport::ssh {

class PrivateKey {
public:
    static Result<PrivateKey> generate();  // Ed25519
    // OpenSSH's format, PKCS#8 or the older PEM of RSA and ECDSA, also with CRLF, with blanks around, with literal "\n" for
    // line ends, and (as environment variables have it) as base64 of such a text. With a passphrase where it has one.
    // Errc::invalid_argument with a text for people; never with anything out of the key.
    static Result<PrivateKey> parse(const Secret& text, const Secret& passphrase = {});

    const SshPublicKey& public_key() const { return public_key_; }  // without comment
    Secret text() const;                                            // OpenSSH's format

    ssh_key handle() const { return key_.get(); }  // for libssh calls that only read it

private:
    PrivateKey(std::shared_ptr<ssh_key_struct> key, SshPublicKey public_key)
        : key_(std::move(key)), public_key_(std::move(public_key)) {}
    static Result<PrivateKey> take(Key key);
    std::shared_ptr<ssh_key_struct> key_;
    SshPublicKey public_key_;
};

// Reads a key; a file that others may read is refused (permission_denied) unless `shared_ok`, for mounted secrets.
enum class FileMode { private_only, shared_ok };
Result<PrivateKey> load_key(const std::filesystem::path& path, FileMode mode = FileMode::private_only);
// Writes 0600, synced, renamed into place.
Result<> save_key(const PrivateKey& key, const std::filesystem::path& path);
struct LoadedKey {
    PrivateKey key;
    bool made = false;  // just now: there was no such file
};
// An Ed25519 key, made if the file is missing (its folder must exist).
Result<LoadedKey> load_or_make_key(const std::filesystem::path& path);

// From libssh's object; also a certificate or a type that we don't take (see check_strong).
Result<SshPublicKey> public_key_of(ssh_key key);

}  // namespace sallyport::ssh
