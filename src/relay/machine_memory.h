// machine_memory.h: how much memory this process may use: what the machine has, or less where a control group says so
// (containers, systemd's MemoryMax=). Reads /proc and /sys; nothing of it is an error.
#pragma once
#include <filesystem>
#include <string_view>

#include "base/octets.h"

namespace sallyport::relay {

// `root` stands in front of /proc and /sys, for tests. 0 if nothing can be found out.
ByteCount usable_memory(const std::filesystem::path& root = "/");

// What max_buffered is where it isn't set: a third of it, so that connections, caches and other programs have room too.
ByteCount default_max_buffered(ByteCount memory);

}  // namespace sallyport::relay
