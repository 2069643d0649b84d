// The cells and the cursor. What sequences mean stands in screen_sequences.cc.
#include "gateway/screen.h"

#include <algorithm>
#include <utility>

#include "gateway/character_width.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kClustersBeforeCollecting = 1'024;

std::vector<Row> make_grid(TerminalSize size) { return std::vector<Row>(static_cast<std::size_t>(size.rows)); }

}  // namespace

Screen::Screen(TerminalSize size, Owner* owner) : size_(size), owner_(owner), primary_(make_grid(size)), margins_(all()) {
    tab_stops_.resize(static_cast<std::size_t>(size.columns));
    for (std::size_t i = 0; i < tab_stops_.size(); i += 8) tab_stops_[i] = true;
}

void Screen::feed(Octets octets) { parser_.feed(octets, *this); }

bool Screen::has_default_tab_stops() const {
    for (std::size_t i = 0; i < tab_stops_.size(); ++i)
        if (tab_stops_[i] != (i % 8 == 0)) return false;
    return true;
}

Cell Screen::cell(int at_row, int column) const {
    const Row& r = rows()[static_cast<std::size_t>(at_row)];
    return static_cast<std::size_t>(column) < r.cells.size() ? r.cells[static_cast<std::size_t>(column)] : Cell{};
}

Cluster Screen::text_of(const Cell& c) const {
    if (c.glyph & Cell::kCluster) return clusters_[c.glyph & ~Cell::kCluster];
    return {static_cast<char32_t>(c.glyph)};
}

std::size_t Screen::memory() const {
    std::size_t octets = sizeof *this + clusters_.capacity() * sizeof(Cluster) + title_.capacity() + icon_name_.capacity();
    const auto add = [&](const std::vector<Row>& grid) {
        octets += grid.capacity() * sizeof(Row);
        for (const Row& r : grid) octets += r.cells.capacity() * sizeof(Cell);
    };
    add(primary_);
    if (alternate_) add(*alternate_);
    return octets;
}

Screen Screen::snapshot() const {
    Screen copy(size_);
    copy.primary_ = rows();
    copy.clusters_ = clusters_;
    copy.cursor_ = cursor_;
    copy.modes_ = modes_;
    return copy;
}

// ---- characters

void Screen::on_character(char32_t character) {
    if (cursor_.charsets[cursor_.shift] == Charset::graphics && character >= 0x5F && character <= 0x7E) {
        static constexpr char32_t kGraphics[] = U"\u00A0\u25C6\u2592\u2409\u240C\u240D\u240A\u00B0\u00B1\u2424\u240B\u2518\u2510\u250C\u2514\u253C"
                                                U"\u23BA\u23BB\u2500\u23BC\u23BD\u251C\u2524\u2534\u252C\u2502\u2264\u2265\u03C0\u2260\u00A3\u00B7";
        character = kGraphics[character - 0x5F];
    }
    const int width = character_width(character);
    if (width == 0) return combine(character);
    put(character, width);
    last_character_ = character;
    last_width_ = width;
}

int Screen::right_edge() const {
    return cursor_.column <= margins_.right && cursor_.column >= margins_.left ? margins_.right : size_.columns - 1;
}

void Screen::put(char32_t character, int width) {
    const auto wrap = [&] {
        row(cursor_.row).wrapped = true;
        cursor_.column = cursor_.column >= margins_.left ? margins_.left : 0;
        cursor_.wrap_pending = false;
        line_feed();
    };
    if (cursor_.wrap_pending && modes_.autowrap) wrap();
    cursor_.wrap_pending = false;
    if (cursor_.column + width - 1 > right_edge()) {
        if (modes_.autowrap) wrap();
        else cursor_.column = std::max(0, right_edge() - width + 1);
    }
    const int edge = right_edge();
    if (cursor_.column + width - 1 > edge) return;  // margins too narrow for it
    if (modes_.insert) shift_cells(cursor_.row, cursor_.column, edge + 1, width);
    Row& r = row(cursor_.row);
    const auto at = static_cast<std::size_t>(cursor_.column);
    const auto end = at + static_cast<std::size_t>(width);
    split_wide(r, cursor_.column);
    split_wide(r, cursor_.column + width);
    if (r.cells.size() < end) {
        // Rows grow with their text; a vector's own doubling would waste as much again.
        if (r.cells.capacity() < end) r.cells.reserve(std::min<std::size_t>(static_cast<std::size_t>(size_.columns), end + end / 2 + 8));
        r.cells.resize(end);
    }
    Cell& c = r.cells[at];
    c.set_style(cursor_.pen);
    c.glyph = character;
    c.width = static_cast<std::uint8_t>(width);
    if (width == 2) {
        r.cells[at + 1] = c;
        r.cells[at + 1].glyph = 0;
        r.cells[at + 1].width = 0;
    }
    last_ = {cursor_.row, cursor_.column};
    if (cursor_.column + width > edge) {
        cursor_.column = edge;
        cursor_.wrap_pending = modes_.autowrap;
    } else {
        cursor_.column += width;
    }
}

void Screen::combine(char32_t character) {
    if (last_.row < 0) return;
    Row& r = row(last_.row);
    if (static_cast<std::size_t>(last_.column) >= r.cells.size()) return;
    Cell& c = r.cells[static_cast<std::size_t>(last_.column)];
    if (c.glyph == 0) return;
    if (c.glyph & Cell::kCluster) {
        Cluster& cluster = clusters_[c.glyph & ~Cell::kCluster];
        const auto free = std::ranges::find(cluster, U'\0');
        if (free != cluster.end()) *free = character;
        return;
    }
    if (clusters_.size() >= kClustersBeforeCollecting && clusters_.size() == clusters_.capacity()) collect_clusters();
    clusters_.push_back({static_cast<char32_t>(c.glyph), character});
    c.glyph = Cell::kCluster | static_cast<std::uint32_t>(clusters_.size() - 1);
}

// Keeps only those that some cell shows still.
void Screen::collect_clusters() {
    std::vector<Cluster> kept;
    const auto keep = [&](std::vector<Row>& grid) {
        for (Row& r : grid)
            for (Cell& c : r.cells) {
                if (!(c.glyph & Cell::kCluster)) continue;
                kept.push_back(clusters_[c.glyph & ~Cell::kCluster]);
                c.glyph = Cell::kCluster | static_cast<std::uint32_t>(kept.size() - 1);
            }
    };
    keep(primary_);
    if (alternate_) keep(*alternate_);
    kept.reserve(std::max(kClustersBeforeCollecting, 2 * kept.size()));
    clusters_ = std::move(kept);
}

// ---- erasing and moving cells

Cell Screen::blank() const {
    Cell c;
    c.background = cursor_.pen.background;
    return c;
}

// The left edge of `column` must not lie inside a wide character.
void Screen::split_wide(Row& r, int column) {
    const auto at = static_cast<std::size_t>(column);
    if (column <= 0 || at >= r.cells.size() || r.cells[at].width != 0) return;
    for (const std::size_t half : {at - 1, at}) {
        const Colour background = r.cells[half].background;
        r.cells[half] = {};
        r.cells[half].background = background;
    }
}

void Screen::erase(int at_row, int from, int to) {
    if (from >= to) return;
    Row& r = row(at_row);
    split_wide(r, from);
    split_wide(r, to);
    const Cell with = blank();
    const auto first = static_cast<std::size_t>(from), last = static_cast<std::size_t>(to);
    if (to == size_.columns) r.wrapped = false;
    if (with == Cell{} && last >= r.cells.size()) {
        if (first < r.cells.size()) r.cells.resize(first);
        return;
    }
    if (with == Cell{} && first >= r.cells.size()) return;
    if (r.cells.size() < last) r.cells.resize(last);
    std::fill(r.cells.begin() + from, r.cells.begin() + to, with);
}

void Screen::shift_cells(int at_row, int from, int to, int by) {
    Row& r = row(at_row);
    const int room = to - from;
    const int step = std::min(std::abs(by), room);
    if (room <= 0 || step == 0) return;
    if (r.cells.size() < static_cast<std::size_t>(to)) r.cells.resize(static_cast<std::size_t>(to));
    split_wide(r, from);
    split_wide(r, to);
    split_wide(r, by > 0 ? to - step : from + step);
    const auto begin = r.cells.begin() + from, end = r.cells.begin() + to;
    if (by > 0) {
        std::move_backward(begin, end - step, end);
        std::fill(begin, begin + step, blank());
    } else {
        std::move(begin + step, end, begin);
        std::fill(end - step, end, blank());
    }
}

void Screen::scroll(Margins area, int by) {
    const int height = area.bottom - area.top + 1;
    const int step = std::min(std::abs(by), height);
    if (step <= 0) return;
    auto& g = grid();
    const auto begin = g.begin() + area.top, end = g.begin() + area.bottom + 1;
    const bool whole_rows = area.left == 0 && area.right == size_.columns - 1;
    if (whole_rows) {
        if (by > 0) {
            if (area.top == 0 && !alternate_ && owner_)
                for (auto r = begin; r != begin + step; ++r) owner_->on_row_scrolled_off(*this, *r);
            std::rotate(begin, begin + step, end);
        } else {
            std::rotate(begin, end - step, end);
        }
        const int first = by > 0 ? area.bottom + 1 - step : area.top;
        for (int i = first; i < first + step; ++i) {
            row(i).cells.clear();
            row(i).wrapped = false;
            erase(i, 0, size_.columns);
        }
        return;
    }
    const auto width = static_cast<std::size_t>(area.right + 1);
    for (auto r = begin; r != end; ++r) {
        if (r->cells.size() < width) r->cells.resize(width);
        split_wide(*r, area.left);
        split_wide(*r, area.right + 1);
    }
    const auto copy = [&](int to, int from) {
        std::copy(row(from).cells.begin() + area.left, row(from).cells.begin() + area.right + 1, row(to).cells.begin() + area.left);
    };
    if (by > 0) {
        for (int i = area.top; i + step <= area.bottom; ++i) copy(i, i + step);
        for (int i = area.bottom + 1 - step; i <= area.bottom; ++i) erase(i, area.left, area.right + 1);
    } else {
        for (int i = area.bottom; i - step >= area.top; --i) copy(i, i - step);
        for (int i = area.top; i < area.top + step; ++i) erase(i, area.left, area.right + 1);
    }
}

// ---- the cursor

void Screen::line_feed() {
    cursor_.wrap_pending = false;
    const bool inside = cursor_.column >= margins_.left && cursor_.column <= margins_.right;
    if (cursor_.row == margins_.bottom) {
        if (inside) scroll(margins_, 1);
    } else if (cursor_.row < size_.rows - 1) {
        ++cursor_.row;
    }
}

void Screen::reverse_line_feed() {
    cursor_.wrap_pending = false;
    const bool inside = cursor_.column >= margins_.left && cursor_.column <= margins_.right;
    if (cursor_.row == margins_.top) {
        if (inside) scroll(margins_, -1);
    } else if (cursor_.row > 0) {
        --cursor_.row;
    }
}

// From 0, inside the margins in origin mode.
void Screen::move_to(int to_row, int column) {
    cursor_.wrap_pending = false;
    if (cursor_.origin) {
        cursor_.row = std::clamp(to_row + margins_.top, margins_.top, margins_.bottom);
        cursor_.column = std::clamp(column + margins_.left, margins_.left, margins_.right);
    } else {
        cursor_.row = std::clamp(to_row, 0, size_.rows - 1);
        cursor_.column = std::clamp(column, 0, size_.columns - 1);
    }
}

void Screen::clamp_cursor() {
    const auto clamp = [&](Cursor& c) {
        c.row = std::clamp(c.row, 0, size_.rows - 1);
        if (c.column >= size_.columns) c.wrap_pending = false;
        c.column = std::clamp(c.column, 0, size_.columns - 1);
    };
    clamp(cursor_);
    clamp(primary_cursor_);
    if (saved_) clamp(*saved_);
    if (primary_saved_) clamp(*primary_saved_);
}

void Screen::restore_cursor() {
    cursor_ = saved_.value_or(Cursor{});
    clamp_cursor();
    if (cursor_.origin) {
        cursor_.row = std::clamp(cursor_.row, margins_.top, margins_.bottom);
        cursor_.column = std::clamp(cursor_.column, margins_.left, margins_.right);
    }
    cursor_.wrap_pending = cursor_.wrap_pending && cursor_.column == right_edge();
}

void Screen::tab(int times) {
    cursor_.wrap_pending = false;
    const int step = times > 0 ? 1 : -1;
    const int end = times > 0 ? right_edge() : 0;
    for (int left = std::min(std::abs(times), size_.columns); left > 0 && cursor_.column != end;) {
        cursor_.column += step;
        if (tab_stops_[static_cast<std::size_t>(cursor_.column)]) --left;
    }
}

bool Screen::inside_margins() const {
    return cursor_.row >= margins_.top && cursor_.row <= margins_.bottom && cursor_.column >= margins_.left &&
           cursor_.column <= margins_.right;
}

// ---- the whole

void Screen::enter_alternate(bool save) {
    if (save) saved_ = cursor_;
    if (!alternate_) {
        primary_cursor_ = cursor_;
        primary_saved_ = std::exchange(saved_, std::nullopt);
        alternate_ = std::make_unique<std::vector<Row>>(make_grid(size_));
    }
    for (int i = 0; i < size_.rows; ++i) erase(i, 0, size_.columns);
}

void Screen::leave_alternate(bool restore) {
    if (alternate_) {
        alternate_.reset();
        saved_ = std::exchange(primary_saved_, std::nullopt);
    }
    if (restore) restore_cursor();
    cursor_.wrap_pending = false;
}

void Screen::soft_reset() {
    const bool visible_shape = modes_.cursor_shape != 0;
    modes_.insert = modes_.application_cursor_keys = modes_.application_keypad = modes_.left_right_margins = false;
    modes_.autowrap = modes_.cursor_visible = true;
    if (visible_shape) modes_.cursor_shape = 0;
    margins_ = all();
    cursor_.origin = false;
    cursor_.wrap_pending = false;
    cursor_.pen = {};
    cursor_.charsets = {};
    cursor_.shift = 0;
    saved_.reset();
}

void Screen::reset() {
    alternate_.reset();
    primary_saved_.reset();
    cursor_ = {};
    modes_ = {};
    soft_reset();
    for (Row& r : primary_) r = {};
    for (std::size_t i = 0; i < tab_stops_.size(); ++i) tab_stops_[i] = i % 8 == 0;
    title_.clear();
    icon_name_.clear();
    clusters_.clear();
    clusters_.shrink_to_fit();
}

void Screen::resize(TerminalSize size) {
    if (size == size_) return;
    last_.row = -1;
    const auto fit_rows = [&](std::vector<Row>& g, Cursor& cursor, bool keep) {
        int extra = static_cast<int>(g.size()) - size.rows;
        const int below = static_cast<int>(g.size()) - 1 - cursor.row;
        const int dropped = std::clamp(extra, 0, below);
        g.resize(g.size() - static_cast<std::size_t>(dropped));
        extra -= dropped;
        if (extra > 0) {
            if (keep && owner_)
                for (int i = 0; i < extra; ++i) owner_->on_row_scrolled_off(*this, g[static_cast<std::size_t>(i)]);
            g.erase(g.begin(), g.begin() + extra);
            cursor.row -= extra;
        }
        g.resize(static_cast<std::size_t>(size.rows));
    };
    if (alternate_) fit_rows(*alternate_, cursor_, false);
    fit_rows(primary_, alternate_ ? primary_cursor_ : cursor_, true);
    if (size.columns != size_.columns) {
        const auto fit_columns = [&](std::vector<Row>& g) {
            for (Row& r : g) {
                split_wide(r, size.columns);
                if (r.cells.size() > static_cast<std::size_t>(size.columns)) r.cells.resize(static_cast<std::size_t>(size.columns));
                r.wrapped = false;
            }
        };
        fit_columns(primary_);
        if (alternate_) fit_columns(*alternate_);
        const std::size_t before = tab_stops_.size();
        tab_stops_.resize(static_cast<std::size_t>(size.columns));
        for (std::size_t i = before; i < tab_stops_.size(); ++i) tab_stops_[i] = i % 8 == 0;
        cursor_.wrap_pending = primary_cursor_.wrap_pending = false;
        if (saved_) saved_->wrap_pending = false;
        if (primary_saved_) primary_saved_->wrap_pending = false;
    }
    size_ = size;
    margins_ = all();
    modes_.left_right_margins = false;
    clamp_cursor();
}

}  // namespace sallyport::gateway
