// backup_files.h: the table that a backup carries beside the store's own: small files of the state folder.
// A backup comes back as a file from anywhere, so what is read from it is checked like any outside input.
#pragma once
#include <soci/soci.h>

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/store.h"

namespace sallyport::store {

// A relative path that stays inside the state folder and is not the database itself, and at most kMaxBackupFile octets.
Result<> check_backup_file(const BackupFile& file);

// Both throw as rows.h says.
void insert_backup_files(soci::session& sql, std::span<const BackupFile> files);
Result<std::vector<BackupFile>> select_backup_files(soci::session& sql);  // checked

}  // namespace sallyport::store
