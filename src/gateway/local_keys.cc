#include "gateway/local_keys.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "gateway/login_keys.h"
#include "net/descriptor.h"

namespace sallyport::gateway {
namespace {

Result<std::string> read_all(int file, const std::filesystem::path& path) {
    std::string text(kMaxAuthorizedKeysFile + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::read(file, text.data() + size, text.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(errno, path.string());
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

bool same(const struct stat& a, const struct stat& b) {
    return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
           a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

Result<LocalKeys> LocalKeys::load(const std::filesystem::path& file, std::string_view content, Log& log) {
    LocalKeys keys(log);
    auto lines = parse_authorized_keys(content);
    if (!lines) return fail(Errc::invalid_config, "authorized_keys_content: " + lines.error().detail);
    if (!lines->unusable.empty())
        return fail(Errc::invalid_config, "authorized_keys_content: line " + std::to_string(lines->unusable.front().line) + ": " + lines->unusable.front().why);
    keys.content_ = std::move(*lines);
    keys.file_ = file;
    if (const auto read = file.empty() ? Result<>() : keys.refresh(); !read) return fail(Errc::invalid_config, "authorized_keys_path: " + read.error().detail);
    return keys;
}

// Files are replaced while we run: by name and times each time, by content only when those differ.
Result<> LocalKeys::refresh() {
    const Descriptor file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat now {};
    if (!file || ::fstat(file.get(), &now) != 0) return fail_errno(errno, file_.string());
    if (same(now, read_)) return {};
    const auto text = read_all(file.get(), file_);
    if (!text) return std::unexpected(text.error());
    auto keys = parse_authorized_keys(*text);
    if (!keys) return fail(keys.error().code, file_.string() + ": " + keys.error().detail);
    for (const auto& unusable : keys->unusable)
        log_->warn("gateway.key_line_unusable", {{"file", file_.string()}, {"line", unusable.line}, {"reason", unusable.why}});
    of_file_ = std::move(*keys);
    read_ = now;
    return {};
}

Result<AuthorizedKeyOptions> LocalKeys::judge(const SshPublicKey& key, std::string_view ip, WallTime now) {
    if (auto options = judge_key(content_, key, ip, now)) return options;
    if (file_.empty()) return fail(Errc::unauthorized, "no line names it");
    if (const auto read = refresh(); !read) {
        log_->warn("gateway.keys_unreadable", {{"reason", read.error().detail}});
        read_ = {};
        return fail(Errc::unauthorized, read.error().detail);
    }
    return judge_key(of_file_, key, ip, now);
}

}  // namespace sallyport::gateway
