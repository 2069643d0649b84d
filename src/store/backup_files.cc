#include "store/backup_files.h"

#include <algorithm>

#include "base/encoding.h"
#include "store/database.h"

namespace sallyport::store {
namespace {

constexpr std::size_t kMaxPath = 255;

bool is_plain_component(std::string_view component) {
    return !component.empty() && component != "." && component != ".." &&
           std::ranges::all_of(component, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '\\'; });
}

bool is_inside(std::string_view path) {
    if (path.empty() || path.size() > kMaxPath) return false;
    while (true) {
        const auto slash = path.find('/');
        if (!is_plain_component(path.substr(0, slash))) return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

Result<> check_backup_file(const BackupFile& file) {
    if (!is_inside(file.path) || file.path.starts_with(kDatabaseName))
        return fail(Errc::invalid_argument, "backup: a file's path leads out of the state folder or to the database");
    if (file.content.size() > kMaxBackupFile) return fail(Errc::too_large, "backup: " + file.path + " is larger than 1 MiB");
    return {};
}

void insert_backup_files(soci::session& sql, std::span<const BackupFile> files) {
    sql << "create table backup_files (path varchar(255) primary key, mode integer not null, content text not null)";
    for (const BackupFile& file : files) {
        const int mode = static_cast<int>(file.mode & 0777);
        const std::string content = to_base64(as_octets(file.content));
        sql << "insert into backup_files (path, mode, content) values (:path, :mode, :content)", soci::use(file.path),
            soci::use(mode), soci::use(content);
    }
}

Result<std::vector<BackupFile>> select_backup_files(soci::session& sql) {
    long long count = 0, largest = 0;
    sql << "select count(*), coalesce(max(length(content)), 0) from backup_files", soci::into(count), soci::into(largest);
    if (count > static_cast<long long>(kMaxBackupFiles) || largest > static_cast<long long>(kMaxBackupFile * 4 / 3 + 4))
        return fail(Errc::too_large, "backup: too many or too large files");
    std::vector<BackupFile> files;
    BackupFile file;
    int mode = 0;
    std::string content;
    soci::statement statement = (sql.prepare << "select path, mode, content from backup_files order by path",
                                 soci::into(file.path), soci::into(mode), soci::into(content));
    statement.execute();
    while (statement.fetch()) {
        auto octets = from_base64(content);
        if (!octets) throw DamagedRow("backup_files: unreadable content");
        file.mode = static_cast<unsigned>(mode) & 0777;
        file.content = std::move(*octets);
        if (auto checked = check_backup_file(file); !checked) return std::unexpected(checked.error());
        files.push_back(file);
    }
    return files;
}

}  // namespace sallyport::store
