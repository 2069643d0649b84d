#include "store/check.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace sallyport::store {
namespace {

using Connection = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

// A path as part of an SQLite URI: what would end it, or begin an escape, is escaped.
std::string uri_of(const std::filesystem::path& file, InUse in_use) {
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(file).string()) {
        if (c == '%') uri += "%25";
        else if (c == '?') uri += "%3f";
        else if (c == '#') uri += "%23";
        else uri += c;
    }
    // Without a relay nobody writes, and a reader of a WAL database would make files beside it.
    return uri + (in_use == InUse::no ? "?immutable=1" : "");
}

}  // namespace

Result<DatabaseCheck> check_database(const std::filesystem::path& file, InUse in_use) {
    struct stat found{};
    if (::stat(file.c_str(), &found) != 0) return fail(errno == ENOENT ? Errc::not_found : Errc::permission_denied, system_error(errno, file.string()).detail);
    if (::access(file.c_str(), R_OK) != 0) return fail(Errc::permission_denied, system_error(errno, "read " + file.string()).detail);
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(uri_of(file, in_use).c_str(), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nullptr);
    const Connection connection(opened, &sqlite3_close);
    if (code != SQLITE_OK) return fail(Errc::io, file.string() + ": " + sqlite3_errstr(code));
    sqlite3_busy_timeout(connection.get(), 5000);
    sqlite3_stmt* prepared = nullptr;
    const int made = sqlite3_prepare_v2(connection.get(), "pragma quick_check(1)", -1, &prepared, nullptr);
    const Statement statement(prepared, &sqlite3_finalize);
    const int stepped = made == SQLITE_OK ? sqlite3_step(statement.get()) : made;
    if (stepped != SQLITE_ROW) return fail(Errc::io, file.string() + ": " + sqlite3_errmsg(connection.get()));
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0));
    const std::string verdict = text ? text : "";
    if (verdict != "ok") return fail(Errc::io, file.string() + ": " + verdict);
    return DatabaseCheck{static_cast<ByteCount>(found.st_size)};
}

}  // namespace sallyport::store
