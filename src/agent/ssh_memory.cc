#include "agent/ssh_memory.h"

#include <boost/json.hpp>

namespace sallyport {
namespace json = boost::json;
namespace {

constexpr std::string_view kFile = "ssh.json";
constexpr std::size_t kMaxText = 1024;

}  // namespace

std::string format_ssh_memory(const SshMemoryContent& content) {
    json::array worked;
    for (const std::string& what : content.worked) worked.emplace_back(what);
    return json::serialize(json::object{{"force_keygen", content.force_keygen}, {"worked", std::move(worked)}}) + "\n";
}

Result<SshMemoryContent> parse_ssh_memory(std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    const json::object* const object = error ? nullptr : value.if_object();
    if (object == nullptr) return fail(Errc::protocol, "no JSON object");
    SshMemoryContent content;
    if (const auto* const flag = object->if_contains("force_keygen"); flag != nullptr && flag->is_bool()) content.force_keygen = flag->get_bool();
    const auto* const worked = object->if_contains("worked");
    const json::array* const list = worked == nullptr ? nullptr : worked->if_array();
    if (list == nullptr) return content;
    for (const json::value& what : *list)
        if (what.is_string() && what.get_string().size() <= kMaxText && content.worked.size() < SshMemory::kMaxWorked) content.worked.emplace(what.get_string());
    return content;
}

Result<SshMemory> SshMemory::load(StateFolder folder) {
    auto text = folder.read(kFile);
    if (!text) return std::unexpected(text.error());
    SshMemory memory(std::move(folder));
    if (!*text) return memory;
    auto content = parse_ssh_memory(**text);
    if (!content) return fail(Errc::protocol, (memory.folder_.path() / kFile).string() + ": " + content.error().detail + "; remove it to begin anew");
    memory.content_ = std::move(*content);
    return memory;
}

Result<> SshMemory::set_force_keygen_seen(bool on) {
    if (content_.force_keygen == on) return {};
    content_.force_keygen = on;
    return store();
}

Result<> SshMemory::note_worked(const std::string& what) {
    if (what.size() > kMaxText || content_.worked.contains(what)) return {};
    if (content_.worked.size() >= kMaxWorked) content_.worked.clear();
    content_.worked.insert(what);
    return store();
}

Result<> SshMemory::store() const { return folder_.write(kFile, format_ssh_memory(content_)); }

}  // namespace sallyport
