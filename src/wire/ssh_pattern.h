// ssh_pattern.h: host patterns of ssh_config(5): '*' any characters, '?' one; a list has commas between, and '!' before a
// pattern refuses what it matches, wherever it stands. Letters in any case. Pure; linear in pattern times text.
#pragma once
#include <string_view>

#include "wire/ip_network.h"

namespace sallyport {

bool matches_ssh_pattern(std::string_view text, std::string_view pattern);

enum class PatternMatch { none, matched, refused };
PatternMatch match_ssh_patterns(std::string_view text, std::string_view list);

// The same for an address, where a pattern may also be a network, 192.0.2.0/24 (as sshd does with from= and UseDNS no:
// names are not looked up, so they match nothing).
bool matches_ssh_from(const IpAddress& address, std::string_view list);

}  // namespace sallyport
