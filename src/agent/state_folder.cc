#include "agent/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace sallyport {
namespace fs = std::filesystem;
namespace {

Result<> write_all(int descriptor, std::string_view content, const std::string& what) {
    while (!content.empty()) {
        const ssize_t written = ::write(descriptor, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail_errno(errno, what);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Result<StateFolder> StateFolder::open(const fs::path& path) {
    constexpr std::string_view kCure = " (give the agent a folder of its own with --state-dir)";
    std::error_code error;
    if (!path.parent_path().empty()) fs::create_directories(path.parent_path(), error);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        Error why = system_error(errno, "make the state folder " + path.string());
        why.detail += kCure;
        return std::unexpected(why);
    }
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "state folder " + path.string());
    if (!S_ISDIR(status.st_mode)) return fail(Errc::invalid_argument, "state folder " + path.string() + " is a file");
    if ((status.st_mode & 077) != 0 && ::chmod(path.c_str(), 0700) != 0) {
        Error why =
            system_error(errno, "others may look into the state folder " + path.string() + " and it can't be changed");
        why.detail += kCure;
        return std::unexpected(why);
    }
    if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
        Error why = system_error(errno, "write to the state folder " + path.string());
        why.detail += kCure;
        return std::unexpected(why);
    }
    return StateFolder(path);
}

Result<StateFolder> StateFolder::open_existing(const fs::path& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, "state folder " + path.string());
    if (!S_ISDIR(status.st_mode)) return fail(Errc::invalid_argument, "state folder " + path.string() + " is a file");
    if (::access(path.c_str(), R_OK | X_OK) != 0) return fail_errno(errno, "read state folder " + path.string());
    return StateFolder(path, Writes::dropped);
}

Result<std::optional<std::string>> StateFolder::read(std::string_view name) const {
    const fs::path file = path_ / name;
    const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!descriptor) {
        if (errno == ENOENT) return std::nullopt;
        return fail_errno(errno, "read " + file.string());
    }
    struct stat status{};
    if (::fstat(descriptor.get(), &status) != 0) return fail_errno(errno, "read " + file.string());
    if (!S_ISREG(status.st_mode)) return fail(Errc::invalid_argument, file.string() + " is no ordinary file");
    if ((status.st_mode & 077) != 0)
        return fail(Errc::permission_denied,
                    file.string() + " may be read or written by others: chmod 600 " + file.string());
    std::string content;
    char piece[8192];
    for (;;) {
        const ssize_t got = ::read(descriptor.get(), piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(errno, "read " + file.string());
        if (got == 0) return content;
        content.append(piece, static_cast<std::size_t>(got));
        if (content.size() > kMaxFile) return fail(Errc::too_large, file.string() + " is too large");
    }
}

Result<> StateFolder::write(std::string_view name, std::string_view content) const {
    if (writes_ == Writes::dropped) return {};
    const fs::path file = path_ / name;
    const fs::path beside = path_ / ("." + std::string(name) + ".new");
    ::unlink(beside.c_str());  // left by a process that was killed
    {
        const Descriptor descriptor(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!descriptor) return fail_errno(errno, "write " + beside.string());
        Result<> written = write_all(descriptor.get(), content, "write " + beside.string());
        if (written && ::fsync(descriptor.get()) != 0) written = fail_errno(errno, "sync " + beside.string());
        if (!written) {
            ::unlink(beside.c_str());
            return written;
        }
    }
    if (::rename(beside.c_str(), file.c_str()) != 0) return fail_errno(errno, "replace " + file.string());
    return sync();
}

Result<> StateFolder::rename(std::string_view from, std::string_view to) const {
    if (writes_ == Writes::dropped) return {};
    if (::rename((path_ / from).c_str(), (path_ / to).c_str()) != 0)
        return fail_errno(errno, "replace " + (path_ / to).string());
    return sync();
}

void StateFolder::remove(std::string_view name) const {
    if (writes_ == Writes::kept) ::unlink((path_ / name).c_str());
}

bool StateFolder::has(std::string_view name) const { return ::access((path_ / name).c_str(), F_OK) == 0; }

Result<Descriptor> StateFolder::lock() const {
    const fs::path file = path_ / "agent.lock";
    Descriptor descriptor(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!descriptor) return fail_errno(errno, "lock " + file.string());
    if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0) return descriptor;
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + file.string());
    return fail(Errc::conflict, "another agent runs with the state folder " + path_.string() +
                                    ": stop it first, or give this one its own with --state-dir");
}

bool StateFolder::is_locked() const {
    const Descriptor descriptor(::open((path_ / "agent.lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    return descriptor && ::flock(descriptor.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Result<> StateFolder::sync() const {
    const Descriptor folder(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return fail_errno(errno, "open " + path_.string());
    if (::fsync(folder.get()) != 0) return fail_errno(errno, "sync " + path_.string());
    return {};
}

}  // namespace sallyport
