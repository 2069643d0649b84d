// database.h: one connection to one SQLite file, and the border where exceptions of SOCI become Results.
// All that is particular to SQLite is in here and in backup.cc; everything else writes SQL that PostgreSQL reads too.
#pragma once
#include <soci/soci.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace sallyport::store {

// The file holds something that we never write: it was damaged or edited.
struct DamagedRow : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Held while a process uses a state folder's database; the kernel drops it with the process, however that ends.
class StateLock {
public:
    static Result<StateLock> take(const std::filesystem::path& database);  // Errc::conflict: someone has it
    StateLock(StateLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    StateLock& operator=(StateLock&&) = delete;
    ~StateLock();

private:
    explicit StateLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
};

enum class Journal {
    wal,       // the live database: readers don't wait for the writer
    rollback,  // a file that has to be whole by itself: backups
};

class Database {
public:
    // Opens, or makes the file with mode 0600; waits up to 5 s for other programs. Checks that it is whole.
    static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file, Journal journal);

    // For live databases: takes the lock first and keeps it.
    static Result<std::unique_ptr<Database>> open_locked(const std::filesystem::path& file);

    const std::filesystem::path& file() const { return file_; }

    // Runs body in one transaction and commits if it gives a value. An error or an exception rolls back.
    template <class Body>
    auto transact(Body&& body) -> std::invoke_result_t<Body, soci::session&> {
        return guarded([&](soci::session& sql) -> std::invoke_result_t<Body, soci::session&> {
            soci::transaction transaction(sql);  // rolls back when it goes without commit
            auto result = body(sql);
            if (result) transaction.commit();
            return result;
        });
    }

    // Runs body outside a transaction (VACUUM wants that).
    template <class Body>
    auto guarded(Body&& body) -> std::invoke_result_t<Body, soci::session&> {
        try {
            return body(session_);
        } catch (const soci::soci_error& error) {
            return std::unexpected(error_of(error));
        } catch (const DamagedRow& error) {
            return std::unexpected(damaged(error.what()));
        }
    }

private:
    explicit Database(std::filesystem::path file) : file_(std::move(file)) {}
    Result<> connect(Journal journal);
    Error error_of(const soci::soci_error& error) const;
    Error damaged(std::string_view what) const;

    std::filesystem::path file_;
    std::unique_ptr<StateLock> lock_;  // declared before session_: given back after SQLite has closed its files
    soci::session session_;
};

bool has_table(soci::session& sql, const std::string& name);
int count_tables(soci::session& sql);

Result<> sync_folder(const std::filesystem::path& folder);  // makes new and renamed entries last

}  // namespace sallyport::store
