// vterm_judge.h: for tests: libvterm as a second opinion on what a terminal shows. Only what both know is compared: not conceal, faint
// and overline, and not the foreground of blanks.
#pragma once
#include <vterm.h>

#include <algorithm>
#include <memory>
#include <string>

#include "gateway/character_width.h"
#include "gateway/screen.h"
#include "gateway/screen_redraw.h"

namespace sallyport::gateway::test {

class VtermJudge {
public:
    explicit VtermJudge(TerminalSize size) : vterm_(vterm_new(size.rows, size.columns)), size_(size) {
        vterm_set_utf8(vterm_.get(), 1);
        screen_ = vterm_obtain_screen(vterm_.get());
        static const VTermScreenCallbacks kCallbacks = [] {
            VTermScreenCallbacks callbacks{};
            callbacks.settermprop = [](VTermProp prop, VTermValue* value, void* user) {
                auto& self = *static_cast<VtermJudge*>(user);
                if (prop == VTERM_PROP_CURSORVISIBLE) self.cursor_visible_ = value->boolean;
                if (prop == VTERM_PROP_TITLE) self.title_ = value->string;
                if (prop == VTERM_PROP_ALTSCREEN) self.alternate_ = value->boolean;
                return 1;
            };
            return callbacks;
        }();
        vterm_screen_set_callbacks(screen_, &kCallbacks, this);
        vterm_screen_enable_altscreen(screen_, 1);
        vterm_screen_reset(screen_, 1);
    }

    void feed(std::string_view text) {
        // It decodes on the stack, so in small pieces.
        for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), 1'024)))
            vterm_input_write(vterm_.get(), text.data(), std::min<std::size_t>(text.size(), 1'024));
    }
    void resize(TerminalSize size) {
        size_ = size;
        vterm_set_size(vterm_.get(), size.rows, size.columns);
    }

    // "x[style]" of a cell, the same for both.
    std::string cell(int row, int column) const {
        VTermScreenCell cell;
        vterm_screen_get_cell(screen_, {row, column}, &cell);
        std::string out;
        // It leaves halves of wide characters standing, where terminals and we leave blanks.
        const auto is_wide = [](const VTermScreenCell& c) { return c.chars[0] != static_cast<std::uint32_t>(-1) && character_width(c.chars[0]) == 2; };
        if (cell.chars[0] == static_cast<std::uint32_t>(-1)) {
            VTermScreenCell before;
            if (column > 0 && vterm_screen_get_cell(screen_, {row, column - 1}, &before) && is_wide(before)) return "";
            return "?";  // it never sets a style there
        } else if (is_wide(cell) && cell.width == 1) {
            cell.chars[0] = 0;
        }
        const bool blank = cell.chars[0] == 0 || cell.chars[0] == ' ';
        if (!blank)
            for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i]; ++i) append_utf8(out, cell.chars[i]);
        out += " bg" + colour(cell.bg);
        if (cell.chars[0] == 0) return out;  // erased; libvterm keeps more of the pen there than terminals do
        if (cell.attrs.underline) out += " u" + std::to_string(cell.attrs.underline);
        if (cell.attrs.reverse) out += " r";
        if (cell.attrs.strike) out += " s";
        if (blank) return out;
        out += " fg" + colour(cell.fg);
        if (cell.attrs.bold) out += " b";
        if (cell.attrs.italic) out += " i";
        if (cell.attrs.blink) out += " k";
        return out;
    }
    static std::string cell(const Screen& screen, int row, int column) {
        const Cell cell = screen.cell(row, column);
        if (cell.width == 0) return "";
        std::string out;
        const bool blank = cell.glyph == 0 || cell.glyph == ' ';
        if (!blank)
            for (const char32_t c : screen.text_of(cell))
                if (c) append_utf8(out, c);
        out += " bg" + colour(cell.background);
        if (cell.glyph == 0) return out;
        int underline = (cell.attributes & kUnderlineMask) >> kUnderlineShift;
        if (underline > 3) underline = 0;  // unheard of there
        if (underline) out += " u" + std::to_string(underline);
        if (cell.attributes & kReverse) out += " r";
        if (cell.attributes & kStrike) out += " s";
        if (blank) return out;
        out += " fg" + colour(cell.foreground);
        if (cell.attributes & kBold) out += " b";
        if (cell.attributes & kItalic) out += " i";
        if (cell.attributes & kBlink) out += " k";
        return out;
    }

    // What differs first, or nothing.
    std::string difference(const Screen& screen) const {
        for (int row = 0; row < size_.rows; ++row)
            for (int column = 0; column < size_.columns; ++column) {
                const std::string ours = cell(screen, row, column), theirs = cell(row, column);
                if (ours != theirs && theirs != "?")
                    return "row " + std::to_string(row) + " column " + std::to_string(column) + ": ours \"" + ours + "\", libvterm's \"" + theirs + '"';
            }
        VTermPos at;
        vterm_state_get_cursorpos(vterm_obtain_state(vterm_.get()), &at);
        // Behind a wide character in the last columns we stand on its right half, libvterm on its left.
        const int column = screen.cursor().column;
        const bool same_column = at.col == column || (screen.cursor().wrap_pending && at.col == column - 1);
        if (at.row != screen.cursor().row || !same_column)
            return "cursor: ours " + std::to_string(screen.cursor().row) + "," + std::to_string(column) + ", libvterm's " + std::to_string(at.row) + "," +
                   std::to_string(at.col);
        if (cursor_visible_ != screen.modes().cursor_visible) return "cursor visibility";
        if (alternate_ != screen.on_alternate()) return "alternate screen";
        return {};
    }
    const std::string& title() const { return title_; }

private:
    static std::string colour(const VTermColor& colour) {
        if (VTERM_COLOR_IS_DEFAULT_FG(&colour) || VTERM_COLOR_IS_DEFAULT_BG(&colour)) return "-";
        if (VTERM_COLOR_IS_INDEXED(&colour)) return std::to_string(colour.indexed.idx);
        return "#" + std::to_string(colour.rgb.red << 16 | colour.rgb.green << 8 | colour.rgb.blue);
    }
    static std::string colour(Colour colour) {
        if (colour & kRgb) return "#" + std::to_string(colour & 0xFFFFFF);
        if (colour & kIndexed) return std::to_string(colour & 0xFF);
        return "-";
    }
    struct Free {
        void operator()(VTerm* vterm) const { vterm_free(vterm); }
    };
    std::unique_ptr<VTerm, Free> vterm_;
    VTermScreen* screen_ = nullptr;
    TerminalSize size_;
    std::string title_;
    bool cursor_visible_ = true;
    bool alternate_ = false;
};

// Whether two screens show and will do the same.
inline std::string difference(const Screen& a, const Screen& b) {
    const auto cursors = [](const Screen::Cursor& x, const Screen::Cursor& y) {
        return x.row == y.row && x.column == y.column && x.wrap_pending == y.wrap_pending && x.pen == y.pen && x.charsets == y.charsets &&
               x.shift == y.shift && x.origin == y.origin;
    };
    if (a.size() != b.size()) return "size";
    if (a.on_alternate() != b.on_alternate()) return "alternate screen";
    const auto rows = [&](const std::vector<Row>& x, const std::vector<Row>& y) -> std::string {
        for (std::size_t r = 0; r < x.size(); ++r)
            for (std::size_t c = 0; c < static_cast<std::size_t>(a.size().columns); ++c) {
                const Cell one = c < x[r].cells.size() ? x[r].cells[c] : Cell{};
                const Cell two = c < y[r].cells.size() ? y[r].cells[c] : Cell{};
                const auto shown = [](const Cell& cell) { return cell.glyph == ' ' ? char32_t{0} : char32_t{cell.glyph}; };
                Cluster text_one{shown(one)}, text_two{shown(two)};
                if (one.glyph & Cell::kCluster) text_one = a.text_of(one);
                if (two.glyph & Cell::kCluster) text_two = b.text_of(two);
                const bool same_style = text_one[0] == 0 && one.is_blank() ? two.is_blank() || two.glyph == ' ' : one.style() == two.style() || text_one[0] == 0;
                if (text_one != text_two || one.width != two.width || one.background != two.background || !same_style)
                    return "row " + std::to_string(r) + " column " + std::to_string(c);
            }
        return {};
    };
    if (auto where = rows(a.primary_rows(), b.primary_rows()); !where.empty()) return "primary " + where;
    if (auto where = rows(a.rows(), b.rows()); !where.empty()) return where;
    if (!cursors(a.cursor(), b.cursor())) return "cursor";
    const auto saved = [](const Screen& screen) {
        Screen::Cursor cursor = screen.saved_cursor().value_or(Screen::Cursor{});
        // Inside left and right margins that aren't set any more, it stands nowhere special.
        if (cursor.column != screen.size().columns - 1) cursor.wrap_pending = false;
        return cursor;
    };
    if (!cursors(saved(a), saved(b))) return "saved cursor";
    if (a.margins() != b.margins()) return "margins";
    if (a.tab_stops() != b.tab_stops()) return "tab stops";
    if (a.title() != b.title() || a.icon_name() != b.icon_name()) return "title";
    const Screen::Modes &m = a.modes(), &n = b.modes();
    if (m.application_cursor_keys != n.application_cursor_keys || m.application_keypad != n.application_keypad ||
        m.reverse_screen != n.reverse_screen || m.autowrap != n.autowrap || m.insert != n.insert || m.newline != n.newline ||
        m.cursor_visible != n.cursor_visible || m.left_right_margins != n.left_right_margins || m.focus_reports != n.focus_reports ||
        m.alternate_scroll != n.alternate_scroll || m.bracketed_paste != n.bracketed_paste || m.mouse != n.mouse ||
        m.mouse_encoding != n.mouse_encoding || m.cursor_shape != n.cursor_shape || m.modify_other_keys != n.modify_other_keys ||
        m.keyboard_flags != n.keyboard_flags)
        return "modes";
    return {};
}

}  // namespace sallyport::gateway::test
