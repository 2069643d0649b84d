#include "relay/backup_files.h"

#include "relay/ssh_access.h"
#include "relay/state_dir.h"

namespace sallyport::relay {

// What stands outside the state folder is carried along for whoever sets the new server up; nothing reads it there.
Result<std::vector<store::BackupFile>> collect_backup_files(const RelayConfig& config, const std::filesystem::path& config_file) {
    std::vector<std::pair<std::filesystem::path, std::string>> wanted;
    for (const std::string_view name : {kIdentityFile, kSelfSignedFile, kSshHostKeyFile}) wanted.emplace_back(config.state_dir / name, name);
    if (!config_file.empty()) wanted.emplace_back(config_file, "from-backup/relay.yaml");
    for (std::size_t i = 0; i < config.certificates.size(); ++i) {
        const std::string stem = "from-backup/certificate-" + std::to_string(i + 1);
        wanted.emplace_back(config.certificates[i].certificate, stem + ".pem");
        wanted.emplace_back(config.certificates[i].key, stem + ".key");
    }
    std::vector<store::BackupFile> files;
    for (auto& [file, name] : wanted) {
        std::error_code ignored;
        if (!std::filesystem::exists(file, ignored)) continue;
        auto content = read_whole(file, store::kMaxBackupFile);
        if (!content) return std::unexpected(content.error());
        files.push_back({std::move(name), 0600, std::move(*content)});
    }
    return files;
}

}  // namespace sallyport::relay
