// yaml.h: YAML (or JSON, which is YAML too) to a Node. Pure. A configuration needs no anchors, tags or several
// documents: they are refused, so that a small file can't grow into a large tree.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/node.h"

namespace sallyport {

inline constexpr std::size_t kMaxConfigFile = 1 << 20;
inline constexpr int kMaxConfigDepth = 16;  // arbitrary; our own keys need 4

// Errc::invalid_config, detail "name:line: reason". Nothing at all gives a null node.
Result<Node> parse_yaml(std::string_view text, std::string_view name);

}  // namespace sallyport
