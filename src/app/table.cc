#include "app/table.h"

#include <algorithm>

namespace sallyport::app {
namespace {

// Columns on a terminal, near enough: code points.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octet = static_cast<unsigned char>(text[i]);
        // C0, DEL, and C1 in UTF-8 (C2 80 to C2 9F).
        const bool c1 = octet == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        out += octet < 0x20 || octet == 0x7F || c1 ? '?' : text[i];
        if (c1) ++i;
    }
    return out;
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (widths.size() <= i) widths.push_back(0);
            widths[i] = std::max(widths[i], width(printable(row[i])));
        }
    std::string out;
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string cell = printable(row[i]);
            out += cell;
            if (i + 1 < row.size()) out += std::string(widths[i] - width(cell) + 2, ' ');
        }
        out += '\n';
    }
    return out;
}

}  // namespace sallyport::app
