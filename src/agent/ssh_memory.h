// ssh_memory.h: what the agent remembers of its SSH servers over restarts (ssh.json in the state folder): whether
// force_keygen was obeyed already, and which forwards stood once, so that a refusal is understood. Written rarely, and whole;
// waits for the disk.
#pragma once
#include <set>
#include <string>
#include <string_view>

#include "agent/state_folder.h"
#include "base/result.h"

namespace sallyport {

struct SshMemoryContent {
    bool force_keygen = false;      // its value when the key was last looked at
    std::set<std::string> worked{};  // "ssh://home@relay.example.org 127.0.0.1:8123"
    bool operator==(const SshMemoryContent&) const = default;
};
std::string format_ssh_memory(const SshMemoryContent& content);
Result<SshMemoryContent> parse_ssh_memory(std::string_view json);

class SshMemory {
public:
    static constexpr std::size_t kMaxWorked = 1000;

    // A file that can't be read is an error; it is left alone.
    static Result<SshMemory> load(StateFolder folder);

    bool force_keygen_seen() const { return content_.force_keygen; }
    Result<> set_force_keygen_seen(bool on);
    bool has_worked(const std::string& what) const { return content_.worked.contains(what); }
    Result<> note_worked(const std::string& what);  // writes if that is new

private:
    explicit SshMemory(StateFolder folder) : folder_(std::move(folder)) {}
    Result<> store() const;
    StateFolder folder_;
    SshMemoryContent content_;
};

}  // namespace sallyport
