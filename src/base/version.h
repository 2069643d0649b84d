// version.h: which release this is. Shown to people, said in hello; nothing is decided by it.
#pragma once
#include <string_view>

namespace sallyport {

inline constexpr std::string_view kVersion = "0.1.0";  // as in CMakeLists.txt

}  // namespace sallyport
