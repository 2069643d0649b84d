// terminal_size.h: how big a user's terminal is, in character cells, made safe to hand on.
//
// Clients may say anything (RFC 4254 6.2 allows 0, which means "unknown", and four billion). Programs at the far end allocate by
// it and mosh-client aborts on 0, so every size from outside passes through here first.
#pragma once
#include <cstdint>

namespace sallyport::gateway {

struct TerminalSize {
    int columns = 80;
    int rows = 24;
    bool operator==(const TerminalSize&) const = default;
};

inline constexpr int kMostColumns = 1'000;
inline constexpr int kMostRows = 500;
inline constexpr int kMostCells = 200'000;  // 16 octets each in our Screen, about 40 in mosh-client's frames

// 0x0 or a missing half becomes 80x24's; what is left is kept within 4x2 and the bounds above (rows give way first).
constexpr TerminalSize clamp_terminal_size(std::uint32_t columns, std::uint32_t rows) {
    if (columns == 0) columns = 80;
    if (rows == 0) rows = 24;
    TerminalSize size;
    size.columns = static_cast<int>(columns < 4 ? 4 : columns > kMostColumns ? kMostColumns : columns);
    size.rows = static_cast<int>(rows < 2 ? 2 : rows > kMostRows ? kMostRows : rows);
    if (size.columns * size.rows > kMostCells) size.rows = kMostCells / size.columns;
    return size;
}

}  // namespace sallyport::gateway
