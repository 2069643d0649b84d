// restore_backup: a backup is copied into a staging folder inside the state folder, checked and taken apart there,
// and only then put in place by renames, the database last.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "store/backup_files.h"
#include "store/database.h"
#include "store/migrations.h"
#include "store/rows.h"
#include "store/store.h"

namespace sallyport::store {
namespace {

namespace fs = std::filesystem;

Result<> fail_if(const std::error_code& error, std::string_view what) {
    if (error) return fail_errno(error.value(), what);
    return {};
}

Result<> make_private_folder(const fs::path& folder) {
    std::error_code error;
    if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
    if (!error && ::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) error.assign(errno, std::generic_category());
    return fail_if(error, "make folder " + folder.string());
}

Result<> write_file(const fs::path& name, std::string_view content, unsigned mode) {
    const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0) return fail_errno(errno, "create " + name.string());
    int reason = 0;
    while (reason == 0 && !content.empty()) {
        const ssize_t written = ::write(descriptor, content.data(), content.size());
        if (written >= 0) content.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR) reason = errno;
    }
    if (reason == 0 && (::fchmod(descriptor, mode) != 0 || ::fsync(descriptor) != 0)) reason = errno;
    ::close(descriptor);
    if (reason != 0) return fail_errno(reason, "write " + name.string());
    return {};
}

// A folder inside the state folder that is gone afterwards, with all that is left in it.
class Staging {
public:
    static Result<Staging> make_in(const fs::path& state_dir) {
        std::string name = (state_dir / ".restore-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) return fail_errno(errno, "make folder in " + state_dir.string());
        return Staging(std::move(name));
    }
    Staging(Staging&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
    Staging& operator=(Staging&&) = delete;
    ~Staging() {
        std::error_code ignored;
        if (!folder_.empty()) fs::remove_all(folder_, ignored);
    }
    const fs::path& folder() const { return folder_; }

private:
    explicit Staging(fs::path folder) : folder_(std::move(folder)) {}
    fs::path folder_;
};

// Opens the staged copy, checks it, takes the files out of it and leaves a plain database.
Result<std::vector<BackupFile>> take_apart(const fs::path& staged, const Author& author) {
    auto database = Database::open(staged, Journal::rollback);
    if (!database) return std::unexpected(database.error());
    if (const auto version = check_version(**database); !version) return std::unexpected(version.error());
    auto files = (*database)->transact([&](soci::session& sql) -> Result<std::vector<BackupFile>> {
        if (!has_table(sql, "backup_files")) return fail(Errc::invalid_argument, "not a backup made by sallyport");
        auto found = select_backup_files(sql);
        if (!found) return found;
        sql << "drop table backup_files";
        write_audit(sql, author, "store.restore", "");
        return found;
    });
    if (!files) return files;
    auto vacuumed = (*database)->guarded([](soci::session& sql) -> Result<> {
        sql << "vacuum";  // private keys must not stay behind in free pages
        return {};
    });
    if (!vacuumed) return std::unexpected(vacuumed.error());
    return files;
}

Result<> stage_files(const fs::path& folder, const std::vector<BackupFile>& files) {
    for (const BackupFile& file : files) {
        const fs::path name = folder / file.path;
        std::error_code error;
        fs::create_directories(name.parent_path(), error);
        if (auto made = fail_if(error, "make folder " + name.parent_path().string()); !made) return made;
        if (auto written = write_file(name, file.content, file.mode); !written) return written;
    }
    return {};
}

// Gives what will be replaced a second name in `kept`, so that nothing is lost whenever this stops.
Result<> keep(const fs::path& state_dir, const fs::path& kept, const fs::path& name) {
    std::error_code error;
    if (!fs::exists(state_dir / name, error)) return {};
    fs::create_directories((kept / name).parent_path(), error);
    if (!error) fs::create_hard_link(state_dir / name, kept / name, error);
    return fail_if(error, "keep " + (state_dir / name).string());
}

Result<> keep_all(const fs::path& state_dir, const fs::path& kept, const std::vector<BackupFile>& files) {
    if (auto made = make_private_folder(kept); !made) return made;
    for (const BackupFile& file : files)
        if (auto held = keep(state_dir, kept, file.path); !held) return held;
    // Closing the last connection folds the journal into the database. If it is too damaged for that, both are kept.
    (void)Database::open(state_dir / kDatabaseName, Journal::wal);
    for (const char* const suffix : {"", "-wal", "-shm"})
        if (auto held = keep(state_dir, kept, std::string(kDatabaseName) + suffix); !held) return held;
    return {};
}

Result<> put_in_place(const fs::path& staging, const fs::path& state_dir, const std::vector<BackupFile>& files) {
    std::error_code error;
    for (const BackupFile& file : files) {
        const fs::path name = state_dir / file.path;
        fs::create_directories(name.parent_path(), error);
        if (!error) fs::rename(staging / "files" / file.path, name, error);
        if (auto moved = fail_if(error, "put " + name.string() + " in place"); !moved) return moved;
    }
    for (const char* const suffix : {"-wal", "-shm"}) fs::remove(state_dir / (std::string(kDatabaseName) + suffix), error);
    fs::rename(staging / kDatabaseName, state_dir / kDatabaseName, error);
    if (auto moved = fail_if(error, "put the database in place"); !moved) return moved;
    return sync_folder(state_dir);
}

}  // namespace

Result<Restored> restore_backup(const fs::path& backup, const fs::path& state_dir, Replace replace, const Author& author) {
    if (auto made = make_private_folder(state_dir); !made) return std::unexpected(made.error());
    const fs::path database = state_dir / kDatabaseName;
    const auto lock = StateLock::take(database);
    if (!lock) return std::unexpected(lock.error());
    std::error_code error;
    const bool replaces = fs::exists(database, error);
    if (replaces && replace == Replace::no) return fail(Errc::conflict, database.string() + ": there is a database already");

    const auto staging = Staging::make_in(state_dir);
    if (!staging) return std::unexpected(staging.error());
    const fs::path staged = staging->folder() / kDatabaseName;
    fs::copy_file(backup, staged, error);
    if (auto copied = fail_if(error, "read " + backup.string()); !copied) return std::unexpected(copied.error());
    const auto files = take_apart(staged, author);
    if (!files) return std::unexpected(files.error());
    if (auto made = make_private_folder(staging->folder() / "files"); !made) return std::unexpected(made.error());
    if (auto laid = stage_files(staging->folder() / "files", *files); !laid) return std::unexpected(laid.error());

    Restored restored;
    if (replaces) {
        const fs::path kept = state_dir / fmt::format("before-restore-{:%Y%m%dT%H%M%SZ}", fmt::gmtime(author.at));
        if (auto held = keep_all(state_dir, kept, *files); !held) return std::unexpected(held.error());
        restored.replaced_kept = kept;
    }
    if (auto placed = put_in_place(staging->folder(), state_dir, *files); !placed) return std::unexpected(placed.error());
    for (const BackupFile& file : *files) restored.files.push_back(file.path);
    return restored;
}

}  // namespace sallyport::store
