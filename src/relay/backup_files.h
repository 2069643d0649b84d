// backup_files.h: what a backup carries along beside the database: identity, certificates and configuration. Reads the disk: on the
// store's thread.
#pragma once
#include <filesystem>
#include <vector>

#include "config/relay_config.h"
#include "store/store.h"

namespace sallyport::relay {

// `config_file` may be empty: there is none.
Result<std::vector<store::BackupFile>> collect_backup_files(const RelayConfig& config, const std::filesystem::path& config_file);

}  // namespace sallyport::relay
