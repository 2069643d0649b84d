#include "gateway/terminfo_entry.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "net/descriptor.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kMostFile = 32 * 1024;  // the largest that ncurses reads
constexpr std::size_t kHeader = 12;
constexpr std::size_t kMagic = 0432;
constexpr std::size_t kMagicWide = 01036;  // 32-bit numbers
constexpr std::size_t kBackColorErase = 28;  // index among the booleans, <term.h>
constexpr std::size_t kEraseChars = 37;      // index among the strings

std::size_t u16(Octets file, std::size_t at) {
    return static_cast<std::size_t>(file[at]) | static_cast<std::size_t>(file[at + 1]) << 8;
}

}  // namespace

std::optional<TerminfoEntry> parse_terminfo(Octets file) {
    if (file.size() < kHeader) return std::nullopt;
    const std::size_t magic = u16(file, 0);
    if (magic != kMagic && magic != kMagicWide) return std::nullopt;
    const std::size_t names = u16(file, 2), booleans = u16(file, 4), numbers = u16(file, 6), strings = u16(file, 8);
    const std::size_t booleans_at = kHeader + names;
    std::size_t strings_at = booleans_at + booleans;
    strings_at += strings_at % 2;
    strings_at += numbers * (magic == kMagicWide ? 4 : 2);
    if (strings_at + strings * 2 > file.size()) return std::nullopt;
    TerminfoEntry entry;
    entry.erases_in_colour = kBackColorErase < booleans && file[booleans_at + kBackColorErase] == std::byte{1};
    entry.erases_characters = kEraseChars < strings && u16(file, strings_at + 2 * kEraseChars) < 0xFFFE;
    return entry;
}

std::optional<TerminfoEntry> find_terminfo(std::string_view name) {
    const bool is_name = !name.empty() && name.size() <= 64 && name.front() != '.' && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '+' || c == '.';
    });
    if (!is_name) return std::nullopt;
    for (const std::string_view folder : {"/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/local/share/terminfo"}) {
        const Descriptor file(::open(fmt::format("{}/{}/{}", folder, name.front(), name).c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) continue;
        std::array<std::byte, kMostFile> room;
        const ssize_t size = ::read(file.get(), room.data(), room.size());
        if (size > 0) return parse_terminfo(Octets(room.data(), static_cast<std::size_t>(size)));
    }
    return std::nullopt;
}

std::string mosh_client_term(std::string_view name) {
    const auto entry = find_terminfo(name);
    const bool plain = entry ? !(entry->erases_in_colour && entry->erases_characters) : name.starts_with("screen") || name.starts_with("tmux");
    return plain ? "screen-256color" : "xterm-256color";
}

}  // namespace sallyport::gateway
