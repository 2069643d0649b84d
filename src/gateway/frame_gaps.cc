#include "gateway/frame_gaps.h"

#include <utility>

namespace sallyport::gateway {
namespace {

std::size_t length(const Row& row) {
    std::size_t end = row.cells.size();
    while (end > 0 && row.cells[end - 1].is_blank()) --end;
    return end;
}

bool same(const Row& a, const Row& b) {
    const std::size_t size = length(a);
    if (size != length(b)) return false;
    for (std::size_t i = 0; i < size; ++i)
        if (a.cells[i].glyph != b.cells[i].glyph) return false;  // clusters may differ in number alone: then it's no gap, at worst
    return true;
}

}  // namespace

void FrameGaps::begin(const Screen& screen) {
    if (under_way_) return;
    under_way_ = true;
    scrolled_ = false;
    at_bottom_ = screen.cursor().row == screen.size().rows - 1 && !screen.on_alternate();
    if (at_bottom_) before_ = screen.snapshot();
}

void FrameGaps::settle(const Screen& screen, Scrollback& scrollback) {
    under_way_ = false;
    const std::optional<Screen> before = std::exchange(before_, std::nullopt);
    if (!before || scrolled_ || before->size() != screen.size() || screen.cursor().row != screen.size().rows - 1) return;
    std::size_t with_text = 0;
    // The last row is the one being written, a prompt most likely; it may well be the same again.
    for (std::size_t i = 0; i + 1 < before->rows().size(); ++i) {
        if (length(before->rows()[i]) == 0) continue;
        ++with_text;
        if (same(before->rows()[i], screen.rows()[i])) return;
    }
    if (with_text + 2 < before->rows().size()) return;  // not a full page: it was cleared, or drawn
    for (const Row& row : before->rows()) scrollback.push(*before, row);
    scrollback.push_gap();
}

}  // namespace sallyport::gateway
