// targets.h: the table of what the relay may ask this agent for. The agent alone decides: a name from the relay is
// compared octet for octet with the table, and what is dialled is the table's own entry. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/url.h"

namespace sallyport {

// How the key of an https target is judged.
enum class KeyTrust : std::uint8_t {
    first_use,    // valid by CAs for its name, else the key noted at first use
    authorities,  // valid by CAs for its name, nothing else
    pin,          // this key, nothing else
    unjudged,     // while looking for Home Assistant: nothing is sent but a GET without credentials, and nothing noted
};

struct Target {
    std::string name;
    Url url;                      // http, https or tcp; without host: Home Assistant, to be found among the candidates
    std::string tls_server_name;  // SNI and the name the certificate must be valid for; empty: the URL's host
    KeyTrust trust = KeyTrust::first_use;
    std::string pin;  // for KeyTrust::pin

    bool is_located() const { return !url.host.empty(); }
    bool is_tls() const { return url.scheme == "https"; }
    bool is_http() const { return url.scheme != "tcp"; }
    const std::string& server_name() const { return tls_server_name.empty() ? url.host : tls_server_name; }
    bool operator==(const Target&) const = default;
};

inline constexpr std::string_view kHomeAssistant = "homeassistant";

// Where the built-in `homeassistant` may be, best guess first: the usual names, port 8123 before 80, http before https.
std::vector<Target> home_assistant_candidates();

class TargetTable {
public:
    enum class AnyTarget : std::uint8_t { refused, allowed };

    // Entries of one name: the first wins.
    TargetTable(std::vector<Target> entries, AnyTarget any_target);

    // Errc::refused; the detail names the line to add.
    Result<Target> find(std::string_view authority) const;

    const std::vector<Target>& entries() const { return entries_; }
    bool has(std::string_view name) const;
    bool allows_any() const { return any_target_ == AnyTarget::allowed; }

private:
    std::vector<Target> entries_;
    AnyTarget any_target_;
};

// The entry that is there unless the configuration lists services.
Target built_in_target();

}  // namespace sallyport
