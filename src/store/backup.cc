// Store::backup_to: a consistent copy of the running database, made by SQLite into a new file beside its final name.
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "store/backup_files.h"
#include "store/database.h"
#include "store/rows.h"
#include "store/store.h"

namespace sallyport::store {
namespace {

// A file that goes away unless it gets its final name.
class PartialFile {
public:
    static Result<PartialFile> make_beside(const std::filesystem::path& final_name) {
        std::string name = final_name.string() + ".partial-XXXXXX";
        const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);  // mode 0600
        if (descriptor < 0) return fail_errno(errno, "create " + name);
        ::close(descriptor);
        return PartialFile(std::move(name));
    }
    PartialFile(PartialFile&& other) noexcept : name_(std::exchange(other.name_, {})) {}
    PartialFile& operator=(PartialFile&&) = delete;
    ~PartialFile() {
        if (!name_.empty()) ::unlink(name_.c_str());
    }

    const std::string& name() const { return name_; }

    // Errc::conflict if something has that name: a backup never overwrites.
    Result<> publish(const std::filesystem::path& final_name) {
        if (::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, final_name.c_str(), RENAME_NOREPLACE) != 0)
            return fail_errno(errno, "backup " + final_name.string());
        name_.clear();
        return sync_folder(final_name.parent_path());
    }

private:
    explicit PartialFile(std::string name) : name_(std::move(name)) {}
    std::string name_;
};

}  // namespace

Result<> Store::backup_to(const std::filesystem::path& backup, std::span<const BackupFile> files, const Author& author) {
    if (files.size() > kMaxBackupFiles) return fail(Errc::too_large, "backup: more than 1000 files");
    for (const BackupFile& file : files)
        if (auto checked = check_backup_file(file); !checked) return checked;
    std::error_code ignored;
    if (std::filesystem::exists(backup, ignored)) return fail(Errc::conflict, "backup " + backup.string() + ": the file exists already");
    auto partial = PartialFile::make_beside(backup);
    if (!partial) return std::unexpected(partial.error());

    auto audited = database_->transact([&](soci::session& sql) -> Result<> {
        write_audit(sql, author, "store.backup", backup.string());
        return {};
    });
    if (!audited) return audited;
    auto copied = database_->guarded([&](soci::session& sql) -> Result<> {
        sql << "vacuum into :name", soci::use(partial->name());  // the file may exist if it is empty
        return {};
    });
    if (!copied) return copied;

    auto copy = Database::open(partial->name(), Journal::rollback);
    if (!copy) return std::unexpected(copy.error());
    auto filled = (*copy)->transact([&](soci::session& sql) -> Result<> {
        insert_backup_files(sql, files);
        return {};
    });
    if (!filled) return filled;
    copy->reset();
    return partial->publish(backup);
}

}  // namespace sallyport::store
