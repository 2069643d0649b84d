// local_keys.h: the gateway's own authorized_keys: lines of the configuration, and a file that is read anew when it has changed. Lives on
// the gateway's loop.
#pragma once
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/log.h"
#include "wire/authorized_keys.h"

namespace sallyport::gateway {

class LocalKeys {
public:
    // Errc::invalid_config: the content has a line that can't be used, or the file can't be read.
    static Result<LocalKeys> load(const std::filesystem::path& file, std::string_view content, Log& log);

    bool any() const { return !file_.empty() || !content_.keys.empty(); }
    // A file that can't be read now lets nobody in.
    Result<AuthorizedKeyOptions> judge(const SshPublicKey& key, std::string_view ip, WallTime now);

private:
    explicit LocalKeys(Log& log) : log_(&log) {}
    Result<> refresh();
    Log* log_;
    std::filesystem::path file_;
    AuthorizedKeys content_;
    AuthorizedKeys of_file_;
    struct stat read_{};  // the file as it was when it was read
};

}  // namespace sallyport::gateway
