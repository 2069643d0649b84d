#include "relay/machine_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>

namespace sallyport::relay {
namespace {

constexpr ByteCount kLeast = 64_MiB;
constexpr ByteCount kUnknown = 256_MiB;  // where the machine doesn't say
constexpr std::string_view kV2Mark = "0::";

// "max" and what is no number are no limit.
std::optional<ByteCount> read_limit(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::string word;
    if (!(in >> word)) return std::nullopt;
    ByteCount value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value == 0) return std::nullopt;
    return value;
}

ByteCount machine_total(const std::filesystem::path& root) {
    std::ifstream in(root / "proc/meminfo");
    std::string name;
    ByteCount kib = 0;
    std::string unit;
    while (in >> name >> kib) {
        if (name == "MemTotal:") return kib * 1024;
        std::getline(in, unit);
    }
    return 0;
}

// The group's own limit and those of all above it hold (cgroup-v2.rst); the smallest counts.
std::optional<ByteCount> group_limit(const std::filesystem::path& base, std::string group, std::string_view file) {
    std::optional<ByteCount> least;
    for (;;) {
        const std::filesystem::path folder = group.size() > 1 ? base / group.substr(1) : base;
        if (const auto limit = read_limit(folder / file)) least = std::min(least.value_or(*limit), *limit);
        if (group.size() <= 1) return least;
        const std::size_t slash = group.rfind('/');
        group.resize(slash == 0 || slash == std::string::npos ? 1 : slash);
    }
}

}  // namespace

ByteCount usable_memory(const std::filesystem::path& root) {
    ByteCount memory = machine_total(root);
    const auto lower = [&](std::optional<ByteCount> limit) {
        if (limit) memory = memory == 0 ? *limit : std::min(memory, *limit);
    };
    std::ifstream groups(root / "proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (line.starts_with(kV2Mark)) {
            lower(group_limit(root / "sys/fs/cgroup", line.substr(kV2Mark.size()), "memory.max"));
            continue;
        }
        const std::size_t names = line.find(':');  // version 1: "4:memory:/group"
        const std::size_t path = line.find(':', names + 1);
        if (names == std::string::npos || path == std::string::npos) continue;
        if (("," + line.substr(names + 1, path - names - 1) + ",").contains(",memory,"))
            lower(group_limit(root / "sys/fs/cgroup/memory", line.substr(path + 1), "memory.limit_in_bytes"));
    }
    return memory;
}

ByteCount default_max_buffered(ByteCount memory) { return memory == 0 ? kUnknown : std::max(memory / 3, kLeast); }

}  // namespace sallyport::relay
