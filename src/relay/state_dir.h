// state_dir.h: the folder in which a relay keeps what lasts: relay.db (the store's), identity.pem, self-signed.pem, admin.sock.
// The folder is 0700 and every file in it 0600. That one relay at a time uses it is seen to by the store's lock (Store::open).
// Touches the disk: called before the loops run, and on the store's thread. Errors are one line for the person who started
// the relay and name the path.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/tls_context.h"

namespace sallyport::relay {

inline constexpr std::string_view kIdentityFile = "identity.pem";       // key and certificate of the relay's identity
inline constexpr std::string_view kSelfSignedFile = "self-signed.pem";  // what visitors get while no certificate is configured
inline constexpr std::string_view kAdminSocket = "admin.sock";

// Makes the folder, and those above it, if it is not there; checks that files can be made in it, and by us alone.
Result<> prepare_state_dir(const std::filesystem::path& folder);

// The relay's identity, made at first start: Ed25519, known to agents by its pin, independent of visitors' certificates.
Result<Certificate> load_or_make_identity(const std::filesystem::path& folder);

// A P-256 certificate signed by itself, for `names`; signed anew, with the same key, when it lacks one of them.
Result<Certificate> load_or_make_self_signed(const std::filesystem::path& folder, const std::vector<std::string>& names);

// Writes the whole file or nothing: temporary file, fsync, rename, fsync of the folder.
Result<> write_whole(const std::filesystem::path& file, std::string_view content, unsigned mode);
Result<std::string> read_whole(const std::filesystem::path& file, std::size_t most);

}  // namespace sallyport::relay
