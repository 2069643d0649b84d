// state_folder.h: the agent's state folder (0700) and the small files in it (0600): read whole, replaced whole. A file
// is written beside, synced and renamed into place, then the folder is synced: after kill -9 there is the old one or
// the new one. Waits for the disk: not for a loop. Any thread, one writer of a file at a time.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"
#include "net/descriptor.h"

namespace sallyport {

class StateFolder {
public:
    // Makes the folder with what is missing above it, and takes away what group and others may do with it. Errors say
    // what to do.
    static Result<StateFolder> open(const std::filesystem::path& path);

    // One that is there, as it is, to look at: nothing is made or changed, and what is written to it is dropped.
    static Result<StateFolder> open_existing(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }

    // Without value: there is no such file. Errc::too_large above kMaxFile. A file others may read is an error
    // (permission_denied): it holds keys.
    Result<std::optional<std::string>> read(std::string_view name) const;
    Result<> write(std::string_view name, std::string_view content) const;
    Result<> rename(std::string_view from, std::string_view to) const;
    void remove(std::string_view name) const;  // absent is fine
    bool has(std::string_view name) const;

    // Held as long as the descriptor lives. Errc::conflict: another process holds it.
    Result<Descriptor> lock() const;

    // Whether a process holds lock(); makes nothing.
    bool is_locked() const;

    static constexpr std::size_t kMaxFile = 1_MiB;

private:
    enum class Writes : std::uint8_t { kept, dropped };
    explicit StateFolder(std::filesystem::path path, Writes writes = Writes::kept) : path_(std::move(path)), writes_(writes) {}
    Result<> sync() const;
    std::filesystem::path path_;
    Writes writes_;
};

}  // namespace sallyport
