#include "relay/state_dir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/random.h"
#include "net/descriptor.h"

namespace sallyport::relay {
namespace {

namespace fs = std::filesystem;

Result<> write_all(int descriptor, std::string_view content, const fs::path& file) {
    while (!content.empty()) {
        const ssize_t n = ::write(descriptor, content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "write " + file.string());
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(descriptor) != 0) return fail_errno(errno, "write " + file.string());
    return {};
}

Result<> sync_folder(const fs::path& folder) {
    const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!descriptor || ::fsync(descriptor.get()) != 0) return fail_errno(errno, "sync " + folder.string());
    return {};
}

// Only what is missing is made, each folder 0700: create_directories() would leave the umask's mode.
Result<> make_folders(const fs::path& folder) {
    if (folder.empty()) return {};
    struct stat info{};
    if (::stat(folder.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) return {};
        return fail(Errc::invalid_argument, "state folder " + folder.string() + " is not a folder");
    }
    if (errno != ENOENT) return fail_errno(errno, "state folder " + folder.string());
    if (folder.has_parent_path() && folder.parent_path() != folder)
        if (auto made = make_folders(folder.parent_path()); !made) return made;
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return fail_errno(errno, "make the state folder " + folder.string());
    return {};
}

// Key and chain in one file, so that no crash leaves one without the other. The loader finds each block by its label.
Result<> save_certificate(const fs::path& file, const Certificate& certificate) {
    return write_whole(file, certificate.key_pem + certificate.chain_pem, 0600);
}

bool covers(const Certificate& certificate, const std::vector<std::string>& names) {
    return std::ranges::all_of(names, [&](const std::string& name) {
        return std::ranges::find(certificate.names, name) != certificate.names.end();
    });
}

Result<Certificate> save(const fs::path& file, Result<Certificate> made) {
    if (!made) return made;
    if (auto saved = save_certificate(file, *made); !saved) return std::unexpected(saved.error());
    return made;
}

}  // namespace

Result<> prepare_state_dir(const fs::path& folder) {
    if (auto made = make_folders(folder); !made) return made;
    struct stat info{};
    if (::stat(folder.c_str(), &info) != 0) return fail_errno(errno, "state folder " + folder.string());
    // Who may write here could put a key of his own in place. Reading is no harm: every file is 0600.
    if ((info.st_mode & 022) != 0)
        return fail(Errc::permission_denied, "state folder " + folder.string() + ": other users may write in it; chmod go-w it, or choose another");
    if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0)
        return fail_errno(errno, "state folder " + folder.string() + " is not writable");
    return {};
}

Result<Certificate> load_or_make_identity(const fs::path& folder) {
    const fs::path file = folder / kIdentityFile;
    if (fs::exists(file)) return load_certificate(file, file);
    return save(file, make_self_signed(KeyType::ed25519, {"sallyport-relay"}));
}

Result<Certificate> load_or_make_self_signed(const fs::path& folder, const std::vector<std::string>& names) {
    const fs::path file = folder / kSelfSignedFile;
    if (fs::exists(file)) {
        auto loaded = load_certificate(file, file);
        if (!loaded || covers(*loaded, names)) return loaded;
        return save(file, sign_anew(*loaded, names));
    }
    return save(file, make_self_signed(KeyType::p256, names));
}

Result<> write_whole(const fs::path& file, std::string_view content, unsigned mode) {
    fs::path temporary = file;
    temporary += "." + random_token(6) + ".tmp";
    {
        const Descriptor descriptor(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
        if (!descriptor) return fail_errno(errno, "write " + file.string());
        if (auto written = write_all(descriptor.get(), content, file); !written) {
            ::unlink(temporary.c_str());
            return written;
        }
    }
    if (::rename(temporary.c_str(), file.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        return fail_errno(error, "write " + file.string());
    }
    return sync_folder(file.has_parent_path() ? file.parent_path() : fs::path("."));
}

Result<std::string> read_whole(const fs::path& file, std::size_t most) {
    const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor) return fail_errno(errno, "read " + file.string());
    std::string content;
    char buffer[64 * 1024];
    for (;;) {
        const ssize_t n = ::read(descriptor.get(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "read " + file.string());
        if (n == 0) return content;
        if (content.size() + static_cast<std::size_t>(n) > most)
            return fail(Errc::too_large, "read " + file.string() + ": more than " + std::to_string(most) + " octets");
        content.append(buffer, static_cast<std::size_t>(n));
    }
}

}  // namespace sallyport::relay
