// suggest.h: "did you mean": the known name that a mistyped one is nearest to. Pure.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace sallyport {

// "" if none is near: more than a third of the letters would have to change, or more than three.
std::string nearest_name(std::string_view typed, std::span<const std::string> known);

}  // namespace sallyport
