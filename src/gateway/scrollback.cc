#include "gateway/scrollback.h"

#include <algorithm>

#include "gateway/character_width.h"
#include "gateway/screen_redraw.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kBlock = 16 * 1024;     // what is dropped at once
constexpr std::size_t kMostLine = 16 * 1024;  // octets; 1,000 columns of ordinary text are far below
constexpr std::size_t kMostStyles = 4'096;    // of one session; what comes after shows in the default style
// Text has no octets below 0x20, so these mark what isn't text.
constexpr char kStyleMark = 0x01;             // then the style's index + 1 in two octets of seven bits, 0 for the default one
constexpr char kGapMark = 0x02;               // alone in its line

void append_mark(std::string& out, std::size_t number) {
    out += kStyleMark;
    out += static_cast<char>(0x80 | (number & 0x7F));
    out += static_cast<char>(0x80 | (number >> 7 & 0x7F));
}

// The code point at the front; the text is ours, so it is right.
char32_t take_character(std::string_view& text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    char32_t c = size == 1 ? first : first & (0x3F >> (size - 1));
    for (std::size_t i = 1; i < size && i < text.size(); ++i) c = c << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
    text.remove_prefix(std::min(size, text.size()));
    return c;
}

}  // namespace

std::size_t Scrollback::index_of(const Style& style) {
    if (style == Style{}) return 0;
    if (last_style_ != 0 && styles_[last_style_ - 1] == style) return last_style_;
    const auto found = std::ranges::find(styles_, style);
    if (found == styles_.end()) {
        if (styles_.size() == kMostStyles) return 0;
        styles_.push_back(style);
        return last_style_ = styles_.size();
    }
    return last_style_ = static_cast<std::size_t>(found - styles_.begin()) + 1;
}

void Scrollback::push(const Screen& screen, const Row& row) {
    std::string out;
    std::size_t style = 0;
    std::size_t end = row.cells.size();
    while (end > 0 && row.cells[end - 1].is_blank()) --end;
    for (std::size_t i = 0; i < end && out.size() < kMostLine - 64; ++i) {
        const Cell& cell = row.cells[i];
        if (cell.width == 0) continue;
        if (const std::size_t index = index_of(cell.style()); index != style) append_mark(out, style = index);
        if (cell.glyph == 0) {
            out += ' ';
            continue;
        }
        for (const char32_t c : screen.text_of(cell))
            if (c) append_utf8(out, c);
    }
    add(out);
    ends_with_gap_ = false;
}

void Scrollback::push_gap() {
    if (ends_with_gap_) return;
    add(std::string_view(&kGapMark, 1));
    ends_with_gap_ = true;
}

void Scrollback::add(std::string_view line) {
    if (blocks_.empty() || blocks_.back().text.size() + line.size() > kBlock) {
        if (!blocks_.empty()) {
            blocks_.back().text.shrink_to_fit();
            blocks_.back().ends.shrink_to_fit();
        }
        blocks_.emplace_back();
    }
    Block& block = blocks_.back();
    block.text += line;
    block.ends.push_back(static_cast<std::uint32_t>(block.text.size()));
    octets_ += line.size() + sizeof(std::uint32_t);
    ++next_;
    drop_old();
}

void Scrollback::drop_old() {
    while (blocks_.size() > 1) {
        const Block& oldest = blocks_.front();
        const bool too_many_lines = next_ - first_ - oldest.ends.size() >= limits_.lines;
        if (!too_many_lines && octets_ <= limits_.octets) return;
        first_ += oldest.ends.size();
        octets_ -= oldest.text.size() + oldest.ends.size() * sizeof(std::uint32_t);
        blocks_.pop_front();
    }
}

void Scrollback::clear() {
    blocks_.clear();
    styles_.clear();
    last_style_ = 0;
    first_ = next_;
    octets_ = 0;
    ends_with_gap_ = false;
}

std::string_view Scrollback::line(std::uint64_t number) const {
    if (number < first_ || number >= next_) return {};
    std::uint64_t at = number - first_;
    for (const Block& block : blocks_) {
        if (at < block.ends.size()) {
            const std::size_t begin = at == 0 ? 0 : block.ends[at - 1];
            return std::string_view(block.text).substr(begin, block.ends[at] - begin);
        }
        at -= block.ends.size();
    }
    return {};
}

bool Scrollback::is_gap(std::uint64_t number) const { return line(number) == std::string_view(&kGapMark, 1); }

std::string Scrollback::show(std::uint64_t number, int columns) const {
    std::string out = "\x1b[m";
    std::string_view rest = line(number);
    int column = 0;
    while (!rest.empty()) {
        if (rest[0] == kStyleMark && rest.size() >= 3) {
            const std::size_t index = (static_cast<unsigned char>(rest[1]) & 0x7Fu) | (static_cast<unsigned char>(rest[2]) & 0x7Fu) << 7;
            append_style(out, index == 0 || index > styles_.size() ? Style{} : styles_[index - 1]);
            rest.remove_prefix(3);
            continue;
        }
        const char32_t c = take_character(rest);
        if (c < 0x20) continue;
        const int width = character_width(c);
        if (column + width > columns) break;
        column += width;
        append_utf8(out, c);
    }
    out += "\x1b[m";
    return out;
}

std::string Scrollback::text(std::uint64_t number) const {
    std::string out;
    std::string_view rest = line(number);
    while (!rest.empty()) {
        if (rest[0] == kStyleMark && rest.size() >= 3) {
            rest.remove_prefix(3);
            continue;
        }
        if (const char32_t c = take_character(rest); c >= 0x20) append_utf8(out, c);
    }
    return out;
}

std::size_t Scrollback::memory() const {
    std::size_t octets = sizeof *this + styles_.capacity() * sizeof(Style) + blocks_.size() * sizeof(Block);
    for (const Block& block : blocks_) octets += block.text.capacity() + block.ends.capacity() * sizeof(std::uint32_t);
    return octets;
}

std::string show_row(const Screen& screen, const Row& row, int columns) {
    Scrollback one({.lines = 1, .octets = kBlock});
    one.push(screen, row);
    return one.show(0, columns);
}

}  // namespace sallyport::gateway
