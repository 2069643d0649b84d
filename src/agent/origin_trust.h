// origin_trust.h: how the keys of https targets are judged, and what was learnt about them: a key noted at first use
// stays the target's key (pins.json in the state folder). A new key counts only when CAs vouch for it; else the owner
// says `trust`. Lives on one loop; the file is written on a worker, and read again on the loop only when a key is about
// to be refused.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/state_folder.h"
#include "agent/targets.h"
#include "base/log.h"
#include "net/tls_context.h"
#include "net/worker.h"

namespace sallyport {

// The key that a target showed when it was first used, or last shown validly.
struct NotedKey {
    std::string pin;      // as pin_of() gives it
    std::string address;  // the target's URL then; a target that moved is a new one
    bool valid = false;   // CAs vouched for it
    bool operator==(const NotedKey&) const = default;
};
using NotedKeys = std::map<std::string, NotedKey, std::less<>>;  // by target name

inline constexpr std::string_view kNotedKeysFile = "pins.json";
inline constexpr std::size_t kMaxNotedKeys = 1000;
std::string format_noted_keys(const NotedKeys& keys);
Result<NotedKeys> parse_noted_keys(std::string_view json);
Result<NotedKeys> load_noted_keys(const StateFolder& folder);

enum class Judge : std::uint8_t { authorities, pin, first_use };

class OriginTrust {
public:
    // Without folder the keys are kept in memory only. `log` and `workers` outlive it.
    OriginTrust(Workers& workers, Log& log, std::optional<StateFolder> folder);
    ~OriginTrust();

    Result<> load();  // before the loop runs

    // Who is asked, in order; the connection is made anew for each. Never empty.
    std::vector<Judge> judges_of(const Target& target) const;
    // Contexts are made once per target and judge.
    Result<std::shared_ptr<const ClientTls>> client(const Target& target, Judge judge);
    // A handshake that `judge` let pass showed this key.
    void note(const Target& target, Judge judge, const std::string& shown_pin);
    // Reads the file again after a refusal: true if the owner said `trust` meanwhile, so that it is worth trying again.
    bool reread(const Target& target);

private:
    struct Writer;
    const NotedKey* noted(const Target& target) const;
    void store();

    Workers& workers_;
    Log& log_;
    std::optional<StateFolder> folder_;
    NotedKeys keys_;
    std::map<std::string, std::shared_ptr<const ClientTls>, std::less<>> clients_;
    std::shared_ptr<Writer> writer_;
};

}  // namespace sallyport
