#include "agent/origin_trust.h"

#include <boost/json.hpp>
#include <mutex>

namespace sallyport {
namespace json = boost::json;

std::string format_noted_keys(const NotedKeys& keys) {
    json::object targets;
    for (const auto& [name, key] : keys)
        targets[name] = json::object{{"pin", key.pin}, {"address", key.address}, {"valid", key.valid}};
    return json::serialize(json::object{{"version", 1}, {"targets", std::move(targets)}}) + "\n";
}

Result<NotedKeys> parse_noted_keys(std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (error || !value.is_object()) return fail(Errc::protocol, "no JSON object");
    const json::value* targets = value.get_object().if_contains("targets");
    if (!targets || !targets->is_object()) return fail(Errc::protocol, "no targets");
    NotedKeys keys;
    for (const auto& [name, entry] : targets->get_object()) {
        const json::object* fields = entry.if_object();
        const json::value* pin = fields ? fields->if_contains("pin") : nullptr;
        const json::value* address = fields ? fields->if_contains("address") : nullptr;
        const json::value* valid = fields ? fields->if_contains("valid") : nullptr;
        if (!pin || !pin->is_string() || !address || !address->is_string() || !valid || !valid->is_bool())
            return fail(Errc::protocol, "target without pin, address or valid");
        keys.emplace(std::string(name),
                     NotedKey{std::string(pin->get_string()), std::string(address->get_string()), valid->get_bool()});
    }
    return keys;
}

Result<NotedKeys> load_noted_keys(const StateFolder& folder) {
    const auto text = folder.read(kNotedKeysFile);
    if (!text) return std::unexpected(text.error());
    if (!*text) return NotedKeys{};
    auto keys = parse_noted_keys(**text);
    if (!keys)
        keys.error().detail =
            (folder.path() / kNotedKeysFile).string() + ": " + keys.error().detail + "; remove it to note keys anew";
    return keys;
}

// Keeps the writes of the file in order: each write takes the newest content.
struct OriginTrust::Writer {
    std::mutex mutex;  // guards content; never held while writing, since the loop takes it
    std::string content;
    std::mutex writing;  // one worker at a time
};

OriginTrust::OriginTrust(Workers& workers, Log& log, std::optional<StateFolder> folder)
    : workers_(workers), log_(log), folder_(std::move(folder)), writer_(std::make_shared<Writer>()) {}

OriginTrust::~OriginTrust() = default;

Result<> OriginTrust::load() {
    if (!folder_) return {};
    auto keys = load_noted_keys(*folder_);
    if (!keys) return std::unexpected(keys.error());
    keys_ = std::move(*keys);
    return {};
}

const NotedKey* OriginTrust::noted(const Target& target) const {
    const auto found = keys_.find(target.name);
    return found != keys_.end() && found->second.address == target.url.text() ? &found->second : nullptr;
}

std::vector<Judge> OriginTrust::judges_of(const Target& target) const {
    if (target.trust == KeyTrust::authorities) return {Judge::authorities};
    if (target.trust == KeyTrust::pin) return {Judge::pin};
    if (target.trust == KeyTrust::unjudged) return {Judge::first_use};
    const NotedKey* key = noted(target);
    if (!key) return {Judge::authorities, Judge::first_use};
    if (key->valid) return {Judge::authorities, Judge::pin};
    return {Judge::pin, Judge::authorities};
}

Result<std::shared_ptr<const ClientTls>> OriginTrust::client(const Target& target, Judge judge) {
    TrustPolicy policy;
    policy.server_name = target.server_name();
    if (judge == Judge::first_use) policy.accept_new_pin = true;
    if (judge == Judge::pin) {
        const NotedKey* key = noted(target);
        policy.pin = target.trust == KeyTrust::pin ? target.pin : key ? key->pin : std::string();
        if (policy.pin.empty()) return fail(Errc::tls, "no key noted");
    }
    const std::string id = target.name + '\n' + target.url.text() + '\n' + policy.server_name + '\n' + policy.pin +
                           '\n' + (policy.accept_new_pin ? '1' : '0');
    if (const auto found = clients_.find(id); found != clients_.end()) return found->second;
    auto made = ClientTls::make(std::move(policy));
    if (!made) return std::unexpected(made.error());
    if (clients_.size() >= kMaxNotedKeys) clients_.clear();  // only with allow_any_target
    return clients_.emplace(id, std::move(*made)).first->second;
}

void OriginTrust::note(const Target& target, Judge judge, const std::string& shown_pin) {
    if (target.trust != KeyTrust::first_use || shown_pin.empty()) return;
    const NotedKey* before = noted(target);
    const NotedKey now{shown_pin, target.url.text(), judge == Judge::authorities || (before && before->valid)};
    if (before && *before == now) return;
    if (!before && keys_.size() >= kMaxNotedKeys) return;
    if (judge == Judge::first_use) {
        log_.warn("agent.target_key_noted", {{"target", target.name},
                                             {"url", now.address},
                                             {"pin", shown_pin},
                                             {"why", "no CA vouches for it: this key is trusted from now on"}});
    } else if (before && before->pin != shown_pin) {
        log_.info("agent.target_key_changed",
                  {{"target", target.name}, {"pin", shown_pin}, {"why", "new key, valid by CAs"}});
    }
    keys_.insert_or_assign(target.name, now);
    store();
}

bool OriginTrust::reread(const Target& target) {
    if (!folder_ || target.trust != KeyTrust::first_use) return false;
    auto keys = load_noted_keys(*folder_);
    if (!keys || keys->contains(target.name) || !keys_.contains(target.name)) return false;
    keys_.erase(target.name);
    log_.info("agent.target_key_forgotten", {{"target", target.name}});
    return true;
}

void OriginTrust::store() {
    if (!folder_) return;
    {
        const std::lock_guard lock(writer_->mutex);
        writer_->content = format_noted_keys(keys_);
    }
    const Result<> submitted = workers_.submit([writer = writer_, folder = *folder_, &log = log_] {
        const std::lock_guard writing(writer->writing);
        std::string content;
        {
            const std::lock_guard lock(writer->mutex);
            content = writer->content;
        }
        if (const Result<> written = folder.write(kNotedKeysFile, content); !written)
            log.error("agent.state_not_written", {{"reason", written.error().detail}});
    });
    if (!submitted) log_.error("agent.state_not_written", {{"reason", submitted.error().detail}});
}

}  // namespace sallyport
