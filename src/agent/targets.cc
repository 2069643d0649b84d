#include "agent/targets.h"

#include <algorithm>
#include <array>

#include "wire/host_name.h"

namespace sallyport {
namespace {

// What stands in front of the port decides only where to dial, so it is plain octets for "host:port".
Result<Url> parse_any_target(std::string_view authority) {
    if (authority.find("://") != std::string_view::npos) return parse_target_url(authority);
    return parse_target_url("tcp://" + std::string(authority));
}

}  // namespace

std::vector<Target> home_assistant_candidates() {
    constexpr std::array<std::string_view, 5> hosts{"homeassistant", "homeassistant.local", "localhost", "127.0.0.1",
                                                    "172.30.32.1"};
    constexpr std::array<std::string_view, 2> ports{"8123", "80"};
    constexpr std::array<std::string_view, 2> schemes{"http", "https"};
    std::vector<Target> candidates;
    for (const auto scheme : schemes) {
        for (const auto port : ports) {
            for (const auto host : hosts) {
                Target target;
                target.name = kHomeAssistant;
                target.trust = KeyTrust::unjudged;
                target.url =
                    *parse_target_url(std::string(scheme) + "://" + std::string(host) + ":" + std::string(port));
                candidates.push_back(std::move(target));
            }
        }
    }
    return candidates;
}

Target built_in_target() {
    Target target;
    target.name = kHomeAssistant;
    return target;
}

TargetTable::TargetTable(std::vector<Target> entries, AnyTarget any_target) : any_target_(any_target) {
    for (Target& entry : entries)
        if (!has(entry.name)) entries_.push_back(std::move(entry));
}

bool TargetTable::has(std::string_view name) const {
    return std::ranges::find(entries_, name, &Target::name) != entries_.end();
}

Result<Target> TargetTable::find(std::string_view authority) const {
    const auto entry = std::ranges::find(entries_, authority, &Target::name);
    if (entry != entries_.end()) return *entry;
    if (any_target_ == AnyTarget::allowed) {
        if (auto url = parse_any_target(authority)) {
            Target target;
            target.name = authority;
            target.url = std::move(*url);
            return target;
        }
    }
    const std::string name{authority.substr(0, 64)};
    return fail(Errc::refused, "target \"" + name +
                                   "\" is not in this agent's table; to allow it add under services: " + name +
                                   ": http://HOST:PORT");
}

}  // namespace sallyport
