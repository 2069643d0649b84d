// keys.h: what a configuration key is called and what it is for: the command line makes its flags and help from it.
#pragma once
#include <span>
#include <string_view>

namespace sallyport {

struct KeyInfo {
    std::string_view name;        // some_key: in files; SALLYPORT_SOME_KEY; --some-key
    std::string_view value_name;  // "ADDR:PORT"
    std::string_view help;        // with the default
    bool has_flag = true;         // false: a secret, that must not stand in a process list
};

std::span<const KeyInfo> relay_keys();
std::span<const KeyInfo> agent_keys();
std::span<const KeyInfo> gateway_keys();

}  // namespace sallyport
