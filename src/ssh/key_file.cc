#include "ssh/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/encoding.h"
#include "net/descriptor.h"
#include "wire/openssh_private_key.h"

namespace sallyport::ssh {
namespace {

constexpr std::size_t kMaxKeyFile = 64 * 1024;

// What people paste: CRLF, "\n" as two characters, blanks around, no newline at the end; or the whole as base64.
std::string normal(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r') continue;
        if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == 'n') {
            out += '\n';
            ++i;
            continue;
        }
        out += text[i];
    }
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
    while (!out.empty() && is_blank(out.back())) out.pop_back();
    out.erase(out.begin(), std::ranges::find_if_not(out, is_blank));
    out += '\n';
    return out;
}

// Blanks at the beginnings and ends of lines, as YAML's blocks and copying leave them.
std::string without_indents(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
        while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
        out.append(line) += '\n';
    }
    return out;
}

// libssh 0.10 takes an Ed25519 key of PKCS#8 and then can't tell its public half: such a one becomes OpenSSH's format. Others stay.
Secret without_pkcs8(const Secret& pem, const std::string& passphrase) {
    if (!pem.reveal().starts_with("-----BEGIN PRIVATE KEY") && !pem.reveal().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY")) return pem;
    const auto ask = [](char* room, int size, int, void* user) {
        const auto& phrase = *static_cast<const std::string*>(user);
        const int n = std::min(size, static_cast<int>(phrase.size()));
        std::copy_n(phrase.data(), n, room);
        return n;
    };
    const std::unique_ptr<BIO, Deleter<BIO_free>> bio(BIO_new_mem_buf(pem.reveal().data(), static_cast<int>(pem.reveal().size())));
    const std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>> key(
        PEM_read_bio_PrivateKey(bio.get(), nullptr, ask, const_cast<std::string*>(&passphrase)));
    std::string seed(kEd25519KeyOctets, '\0');
    std::size_t size = seed.size();
    if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_private_key(key.get(), reinterpret_cast<unsigned char*>(seed.data()), &size) != 1)
        return pem;
    const Result<Ed25519PrivateKey> made = Ed25519PrivateKey::from_seed(Secret(std::move(seed)));
    return made ? format_openssh_private_key(*made) : pem;
}

Result<std::string> read_file(const std::filesystem::path& path, FileMode mode) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) {
        if (errno == ENOENT) return fail(Errc::not_found, path.string() + ": no such file");
        return fail_errno(errno, "open " + path.string());
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return fail_errno(errno, "stat " + path.string());
    if (!S_ISREG(status.st_mode)) return fail(Errc::invalid_argument, path.string() + " is not a regular file");
    if (mode == FileMode::private_only && (status.st_mode & 077) != 0)
        return fail(Errc::permission_denied, path.string() + " may be read by others: chmod 600 " + path.string());
    std::string text;
    std::array<char, 4096> part;
    for (;;) {
        const ssize_t n = ::read(file.get(), part.data(), part.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "read " + path.string());
        if (n == 0) return text;
        text.append(part.data(), static_cast<std::size_t>(n));
        if (text.size() > kMaxKeyFile) return fail(Errc::too_large, path.string() + " is too large for a key");
    }
}

}  // namespace

Result<SshPublicKey> public_key_of(ssh_key key) {
    char* text = nullptr;
    if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) return fail(Errc::internal, "cannot export a public key");
    const CString owned(text);
    const Result<std::string> blob = from_base64(text);
    if (!blob) return std::unexpected(blob.error());
    return read_ssh_public_key(as_octets(*blob));
}

Result<PrivateKey> PrivateKey::take(Key key) {
    if (!ssh_key_is_private(key.get())) return fail(Errc::invalid_argument, "that is a public key; the private one is needed");
    Result<SshPublicKey> public_key = public_key_of(key.get());
    if (!public_key) return std::unexpected(public_key.error());
    return PrivateKey(std::shared_ptr<ssh_key_struct>(key.release(), Deleter<ssh_key_free>{}), *std::move(public_key));
}

Result<PrivateKey> PrivateKey::generate() {
    ssh_key key = nullptr;
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK) return fail(Errc::internal, "cannot make an Ed25519 key");
    return take(Key(key));
}

Result<PrivateKey> PrivateKey::parse(const Secret& text, const Secret& passphrase) {
    if (text.reveal().size() > kMaxKeyFile) return fail(Errc::too_large, "too long for a private key");
    Secret pem(without_indents(normal(text.reveal())));
    if (!pem.reveal().starts_with("-----BEGIN")) {
        std::string compact;
        for (const char c : pem.reveal())
            if (c != '\n') compact += c;
        Result<std::string> inner = from_base64(compact);
        if (inner) pem = Secret(without_indents(normal(*inner)));
        if (!pem.reveal().starts_with("-----BEGIN"))
            return fail(Errc::invalid_argument, "not a private key: it begins with -----BEGIN OPENSSH PRIVATE KEY----- or the like");
    }
    const std::string phrase(passphrase.reveal());
    ssh_key key = nullptr;
    // A callback that knows no passphrase, or libssh might ask on the terminal.
    const auto refuse = [](const char*, char*, std::size_t, int, int, void*) { return -1; };
    const Secret usable = without_pkcs8(pem, phrase);
    // A Secret's text is that of a std::string, so it ends in a zero.
    const int rc = ssh_pki_import_privkey_base64(usable.reveal().data(), phrase.empty() ? nullptr : phrase.c_str(), refuse, nullptr, &key);
    if (rc != SSH_OK) {
        if (phrase.empty()) return fail(Errc::invalid_argument, "not a private key that can be read, or it has a passphrase");
        return fail(Errc::invalid_argument, "not a private key that can be read, or the passphrase is wrong");
    }
    return take(Key(key));
}

Secret PrivateKey::text() const {
    char* text = nullptr;
    if (ssh_pki_export_privkey_base64(key_.get(), nullptr, nullptr, nullptr, &text) != SSH_OK) return {};
    Secret secret{std::string(text)};
    ::explicit_bzero(text, std::strlen(text));
    ssh_string_free_char(text);
    return secret;
}

Result<PrivateKey> load_key(const std::filesystem::path& path, FileMode mode) {
    Result<std::string> text = read_file(path, mode);
    if (!text) return std::unexpected(text.error());
    Result<PrivateKey> key = PrivateKey::parse(Secret(*std::move(text)));
    if (!key) return fail(key.error().code, path.string() + ": " + key.error().detail);
    return key;
}

Result<> save_key(const PrivateKey& key, const std::filesystem::path& path) {
    const std::filesystem::path beside = path.string() + ".new";
    ::unlink(beside.c_str());
    {
        const Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!file) return fail_errno(errno, "create " + beside.string());
        const Secret text = key.text();
        std::string_view rest = text.reveal();
        if (rest.empty()) return fail(Errc::internal, "cannot export a private key");
        while (!rest.empty()) {
            const ssize_t n = ::write(file.get(), rest.data(), rest.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return fail_errno(errno, "write " + beside.string());
            rest.remove_prefix(static_cast<std::size_t>(n));
        }
        if (::fsync(file.get()) != 0) return fail_errno(errno, "sync " + beside.string());
    }
    if (::rename(beside.c_str(), path.c_str()) != 0) return fail_errno(errno, "rename to " + path.string());
    const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
    const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory) ::fsync(directory.get());
    return {};
}

Result<LoadedKey> load_or_make_key(const std::filesystem::path& path) {
    Result<PrivateKey> key = load_key(path);
    if (key) return LoadedKey{*std::move(key), false};
    if (key.error().code != Errc::not_found) return std::unexpected(key.error());
    Result<PrivateKey> made = PrivateKey::generate();
    if (!made) return std::unexpected(made.error());
    if (Result<> saved = save_key(*made, path); !saved) return std::unexpected(saved.error());
    return LoadedKey{*std::move(made), true};
}

}  // namespace sallyport::ssh
