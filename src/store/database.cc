#include "store/database.h"

#include <fcntl.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sallyport::store {
namespace {

// SQLite would make the file readable for all (umask); its -wal and -shm files copy the mode of the main file.
Result<> prepare_file(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return fail_errno(errno, "open " + file.string());
    struct stat found{};
    int failure = ::fstat(descriptor, &found);
    if (failure == 0 && (found.st_mode & 077) != 0) failure = ::fchmod(descriptor, 0600);
    const int reason = errno;
    ::close(descriptor);
    if (failure != 0) return fail_errno(reason, "protect " + file.string());
    return found.st_size == 0 ? sync_folder(file.parent_path()) : Result<>{};
}

// SQLite calls a full disk an I/O error or "unable to open" where it meets it outside its main file.
bool is_disk_full(const std::filesystem::path& file) {
    struct statvfs found{};
    return ::statvfs(file.c_str(), &found) == 0 && found.f_bavail == 0;
}

}  // namespace

bool has_table(soci::session& sql, const std::string& name) {
    int count = 0;
    sql << "select count(*) from sqlite_master where type = 'table' and name = :name", soci::into(count), soci::use(name);
    return count > 0;
}

int count_tables(soci::session& sql) {
    int count = 0;
    sql << "select count(*) from sqlite_master where type = 'table'", soci::into(count);
    return count;
}

Result<> sync_folder(const std::filesystem::path& folder) {
    const std::filesystem::path name = folder.empty() ? "." : folder;
    const int descriptor = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return fail_errno(errno, "open " + name.string());
    const int failure = ::fsync(descriptor);
    const int reason = errno;
    ::close(descriptor);
    if (failure != 0) return fail_errno(reason, "sync " + name.string());
    return {};
}

Result<StateLock> StateLock::take(const std::filesystem::path& database) {
    std::filesystem::path name = database;
    name += ".lock";  // a file of its own: closing any descriptor of the database would drop SQLite's locks
    const int descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return fail_errno(errno, "open " + name.string());
    StateLock lock(descriptor);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + name.string());
    return fail(Errc::conflict, database.string() + ": another relay is using this state folder");
}

StateLock::~StateLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::unique_ptr<Database>> Database::open_locked(const std::filesystem::path& file) {
    auto lock = StateLock::take(file);
    if (!lock) return std::unexpected(lock.error());
    auto database = open(file, Journal::wal);
    if (database) (*database)->lock_ = std::make_unique<StateLock>(std::move(*lock));
    return database;
}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file, Journal journal) {
    const std::string name = file.string();
    if (std::ranges::any_of(name, [](char c) { return c == '"' || static_cast<unsigned char>(c) < 0x20; }))
        return fail(Errc::invalid_argument, "state folder: its name must not hold quotes or control characters");
    if (auto prepared = prepare_file(file); !prepared) return std::unexpected(prepared.error());
    std::unique_ptr<Database> database(new Database(file));
    if (auto connected = database->connect(journal); !connected) return std::unexpected(connected.error());
    return database;
}

Result<> Database::connect(Journal journal) {
    return guarded([&](soci::session& sql) -> Result<> {
        sql.open(soci::sqlite3, "dbname=\"" + file_.string() + "\" timeout=5");
        std::string verdict;
        sql << "pragma quick_check(1)", soci::into(verdict);
        if (verdict != "ok") return std::unexpected(damaged(verdict));
        std::string mode;
        sql << (journal == Journal::wal ? "pragma journal_mode = wal" : "pragma journal_mode = delete"), soci::into(mode);
        sql << "pragma synchronous = full";  // in WAL mode: fsync at every commit
        sql << "pragma foreign_keys = on";
        return {};
    });
}

Error Database::damaged(std::string_view what) const {
    return {Errc::io, file_.string() + ": the database is damaged (" + std::string(what) + "); restore a backup"};
}

Error Database::error_of(const soci::soci_error& error) const {
    const auto* cause = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
    const auto say = [&](std::string_view what) { return file_.string() + ": " + std::string(what); };
    int code = cause == nullptr ? SQLITE_ERROR : cause->result() & 0xff;
    if ((code == SQLITE_IOERR || code == SQLITE_CANTOPEN) && is_disk_full(file_)) code = SQLITE_FULL;
    switch (code) {
        case SQLITE_FULL: return {Errc::no_space, say("no space left on the disk")};
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_CANTOPEN: return {Errc::permission_denied, say("the database or its folder is not writable")};
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return {Errc::timeout, say("another program keeps the database locked")};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return damaged(error.what());
        case SQLITE_CONSTRAINT: return {Errc::conflict, say(error.what())};
        case SQLITE_IOERR: return {Errc::io, say("reading or writing the disk failed: ") + error.what()};
        default: return {Errc::internal, say(error.what())};
    }
}

}  // namespace sallyport::store
