// cell.h: one character cell of a terminal, 16 octets, and the styles it can have.
#pragma once
#include <cstdint>

namespace sallyport::gateway {

// 0: the default; kIndexed | 0..255: of the palette; kRgb | 0xRRGGBB.
using Colour = std::uint32_t;
inline constexpr Colour kIndexed = 0x0100'0000;
inline constexpr Colour kRgb = 0x0200'0000;

enum Attribute : std::uint16_t {
    kBold = 1 << 0,
    kFaint = 1 << 1,
    kItalic = 1 << 2,
    kBlink = 1 << 3,
    kReverse = 1 << 4,
    kConceal = 1 << 5,
    kStrike = 1 << 6,
    kOverline = 1 << 7,
    kUnderlineShift = 8,  // three bits: 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed
    kUnderlineMask = 7 << kUnderlineShift,
};

struct Style {
    Colour foreground = 0;
    Colour background = 0;
    std::uint16_t attributes = 0;
    bool operator==(const Style&) const = default;
};

struct Cell {
    static constexpr std::uint32_t kCluster = 0x8000'0000;  // the rest of `glyph` is an index of the Screen's clusters

    std::uint32_t glyph = 0;  // a code point, a cluster, or 0: blank
    Colour foreground = 0;
    Colour background = 0;
    std::uint16_t attributes = 0;
    std::uint8_t width = 1;   // 2: this and the next cell; 0: the right half of the one before
    std::uint8_t spare = 0;

    Style style() const { return {foreground, background, attributes}; }
    void set_style(const Style& style) {
        foreground = style.foreground;
        background = style.background;
        attributes = style.attributes;
    }
    bool is_blank() const { return glyph == 0 && background == 0 && (attributes & (kReverse | kUnderlineMask | kStrike | kOverline)) == 0; }
    bool operator==(const Cell&) const = default;
};
static_assert(sizeof(Cell) == 16);

}  // namespace sallyport::gateway
