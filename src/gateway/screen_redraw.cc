#include "gateway/screen_redraw.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace sallyport::gateway {
namespace {

template <class... T>
void add(std::string& out, fmt::format_string<T...> format, T&&... values) {
    fmt::format_to(std::back_inserter(out), format, std::forward<T>(values)...);
}

void append_colour(std::string& out, Colour colour, int base) {
    if (colour & kRgb) {
        add(out, ";{};2;{};{};{}", base + 8, colour >> 16 & 0xFF, colour >> 8 & 0xFF, colour & 0xFF);
    } else if (colour & kIndexed) {
        const Colour index = colour & 0xFF;
        if (index < 8) add(out, ";{}", static_cast<Colour>(base) + index);
        else if (index < 16) add(out, ";{}", static_cast<Colour>(base) + 60 + index - 8);
        else add(out, ";{};5;{}", base + 8, index);
    }
}

void append_text(std::string& out, const Screen& screen, const Cell& cell) {
    if (cell.glyph == 0) {
        out += ' ';
        return;
    }
    for (const char32_t c : screen.text_of(cell)) {
        if (c == 0) break;
        append_utf8(out, c);
    }
}

// The cells of a row up to its last one that isn't blank; `pen` is the style the terminal has.
void append_cells(std::string& out, const Screen& screen, const Row& row, Style& pen) {
    std::size_t end = row.cells.size();
    while (end > 0 && row.cells[end - 1].is_blank()) --end;
    for (std::size_t i = 0; i < end; ++i) {
        const Cell& cell = row.cells[i];
        if (cell.width == 0) continue;
        if (cell.style() != pen) {
            pen = cell.style();
            append_style(out, pen);
        }
        append_text(out, screen, cell);
    }
}

void append_rows(std::string& out, const Screen& screen, const std::vector<Row>& rows) {
    Style pen;
    const auto columns = static_cast<std::size_t>(screen.size().columns);
    bool flows_on = false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Row& row = rows[i];
        // A wrapped row is wrapped again, so that the terminal knows both as one line when it is asked to copy it.
        if (!flows_on || row.cells.empty() || row.cells[0].is_blank()) add(out, "\x1b[{}H", i + 1);
        append_cells(out, screen, row, pen);
        flows_on = row.wrapped && row.cells.size() == columns && !row.cells.back().is_blank();
    }
    out += "\x1b[m";
}

void append_position(std::string& out, const Screen::Margins& margins, const Screen::Cursor& cursor) {
    const int top = cursor.origin ? margins.top : 0, left = cursor.origin ? margins.left : 0;
    add(out, "\x1b[{};{}H", cursor.row - top + 1, cursor.column - left + 1);
}

void append_charsets(std::string& out, const Screen::Cursor& cursor) {
    if (cursor.charsets[0] == Screen::Charset::graphics) out += "\x1b(0";
    if (cursor.charsets[1] == Screen::Charset::graphics) out += "\x1b)0";
    if (cursor.shift == 1) out += '\x0e';
}

void clear_charsets(std::string& out) { out += "\x1b(B\x1b)B\x0f"; }

// Position, style and charsets, and "behind the last column" by writing what stands in it again. From: no origin mode, ASCII, autowrap,
// and these margins.
void append_cursor(std::string& out, const Screen& screen, const Screen::Cursor& cursor, const std::vector<Row>& rows,
                   const Screen::Margins& margins) {
    if (cursor.origin) out += "\x1b[?6h";
    append_position(out, margins, cursor);
    if (cursor.wrap_pending) {
        const Row& row = rows[static_cast<std::size_t>(cursor.row)];
        const auto at = static_cast<std::size_t>(cursor.column);
        Cell last = at < row.cells.size() ? row.cells[at] : Cell{};
        if (last.width == 0 && at > 0) {
            out += "\x1b[D";
            last = row.cells[at - 1];
        }
        append_style(out, last.style());
        append_text(out, screen, last);
    }
    append_style(out, cursor.pen);
    append_charsets(out, cursor);
}

void append_saved(std::string& out, const Screen& screen, const std::optional<Screen::Cursor>& saved, const std::vector<Row>& rows) {
    append_cursor(out, screen, saved.value_or(Screen::Cursor{}), rows, screen.all());  // without one, DECRC goes home
    out += "\x1b""7\x1b[?6l\x1b[m";
    clear_charsets(out);
}

void append_modes(std::string& out, const Screen& screen) {
    const Screen::Modes& modes = screen.modes();
    const auto mode = [&](int number, bool on) { add(out, "\x1b[?{}{}", number, on ? 'h' : 'l'); };
    mode(1, modes.application_cursor_keys);
    mode(5, modes.reverse_screen);
    out += modes.application_keypad ? "\x1b=" : "\x1b>";
    for (const int number : {1003, 1002, 1000, 9}) {
        if (modes.mouse != number) mode(number, false);
    }
    if (modes.mouse != 0) mode(modes.mouse, true);
    for (const int number : {1015, 1006, 1005}) {
        if (modes.mouse_encoding != number) mode(number, false);
    }
    if (modes.mouse_encoding != 0) mode(modes.mouse_encoding, true);
    mode(1004, modes.focus_reports);
    if (modes.alternate_scroll) mode(1007, true);
    mode(2004, modes.bracketed_paste);
    if (modes.cursor_shape != 0) add(out, "\x1b[{} q", modes.cursor_shape);
    if (modes.modify_other_keys != 0) add(out, "\x1b[>4;{}m", modes.modify_other_keys);
    if (modes.keyboard_flags != 0) add(out, "\x1b[={};1u", modes.keyboard_flags);
}

}  // namespace

void append_utf8(std::string& out, char32_t c) {
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
    } else if (c < 0x10000) {
        out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
    } else {
        out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                static_cast<char>(0x80 | (c & 0x3F))};
    }
}

void append_style(std::string& out, const Style& style) {
    out += "\x1b[0";
    static constexpr std::pair<std::uint16_t, std::string_view> kCodes[] = {{kBold, ";1"},    {kFaint, ";2"},   {kItalic, ";3"}, {kBlink, ";5"},
                                                                           {kReverse, ";7"}, {kConceal, ";8"}, {kStrike, ";9"}, {kOverline, ";53"}};
    for (const auto& [bit, code] : kCodes)
        if (style.attributes & bit) out += code;
    switch ((style.attributes & kUnderlineMask) >> kUnderlineShift) {
        case 0: break;
        case 1: out += ";4"; break;
        case 2: out += ";21"; break;
        default: add(out, ";4:{}", (style.attributes & kUnderlineMask) >> kUnderlineShift); break;
    }
    append_colour(out, style.foreground, 30);
    append_colour(out, style.background, 40);
    out += 'm';
}

std::string redraw(const Screen& screen) {
    std::string out;
    out.reserve(4'096);
    // To the primary screen with everything off that would change what follows.
    out += "\x1b[?25l\x1b[?1049l\x1b[m\x1b[?69l\x1b[?6l\x1b[r\x1b[?7h\x1b[4;20l";
    clear_charsets(out);
    out += "\x1b[H\x1b[2J";
    append_rows(out, screen, screen.primary_rows());
    append_saved(out, screen, screen.primary_saved_cursor(), screen.primary_rows());
    if (screen.on_alternate()) {
        // 1049 saves the cursor, whether or not the program did; what it saved itself is what counts when it goes back.
        const Screen::Cursor& back = screen.primary_saved_cursor() ? *screen.primary_saved_cursor() : screen.primary_cursor();
        append_cursor(out, screen, back, screen.primary_rows(), screen.all());
        out += "\x1b[?1049h\x1b[?6l\x1b[m";
        clear_charsets(out);
        out += "\x1b[H\x1b[2J";
        append_rows(out, screen, screen.rows());
        append_saved(out, screen, screen.saved_cursor(), screen.rows());
    }
    if (!screen.has_default_tab_stops()) {
        out += "\x1b[3g";
        for (std::size_t i = 0; i < screen.tab_stops().size(); ++i)
            if (screen.tab_stops()[i]) add(out, "\x1b[1;{}H\x1bH", i + 1);
    }
    const Screen::Margins& margins = screen.margins();
    if (screen.modes().left_right_margins) add(out, "\x1b[?69h\x1b[{};{}s", margins.left + 1, margins.right + 1);
    if (margins != screen.all()) add(out, "\x1b[{};{}r", margins.top + 1, margins.bottom + 1);
    append_modes(out, screen);
    if (!screen.title().empty() || !screen.icon_name().empty()) {
        if (screen.title() == screen.icon_name()) add(out, "\x1b]0;{}\a", screen.title());
        else add(out, "\x1b]1;{}\a\x1b]2;{}\a", screen.icon_name(), screen.title());
    }
    append_cursor(out, screen, screen.cursor(), screen.rows(), screen.margins());
    if (screen.modes().insert) out += "\x1b[4h";
    if (screen.modes().newline) out += "\x1b[20h";
    if (!screen.modes().autowrap) out += "\x1b[?7l";
    if (screen.modes().cursor_visible) out += "\x1b[?25h";
    return out;
}

std::string draw_over_row(const Screen& screen, int row, std::string_view text) {
    std::string out = "\x1b[?25l\x1b[?6l\x1b[?7l\x1b[4l";
    clear_charsets(out);
    add(out, "\x1b[m\x1b[{}H\x1b[2K{}\x1b[?7h", row + 1, text);
    append_cursor(out, screen, screen.cursor(), screen.rows(), screen.margins());
    if (screen.modes().insert) out += "\x1b[4h";
    if (!screen.modes().autowrap) out += "\x1b[?7l";
    if (screen.modes().cursor_visible) out += "\x1b[?25h";
    return out;
}

std::string redraw_row(const Screen& screen, int row) {
    std::string text;
    Style pen;
    append_cells(text, screen, screen.rows()[static_cast<std::size_t>(row)], pen);
    return draw_over_row(screen, row, text);
}

std::string reset_modes(const Screen& screen) {
    std::string out = "\x1b[m\x1b[?7h\x1b[4;20l\x1b[?1l\x1b[?5l\x1b>";
    clear_charsets(out);
    out += "\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1015l\x1b[?1006l\x1b[?1005l\x1b[?1004l\x1b[?2004l\x1b[?25h";
    const Screen::Modes& modes = screen.modes();
    if (modes.cursor_shape != 0) out += "\x1b[0 q";
    if (modes.modify_other_keys != 0) out += "\x1b[>4m";
    if (modes.keyboard_flags != 0) out += "\x1b[=0;1u";
    // These move the cursor.
    if (modes.left_right_margins) out += "\x1b[?69l";
    if (screen.cursor().origin) out += "\x1b[?6l";
    if (screen.margins() != screen.all()) out += "\x1b[r";
    return out;
}

std::string leave_terminal(const Screen& screen) {
    std::string out = reset_modes(screen);
    if (screen.on_alternate()) out += "\x1b[?1049l";
    // Below the last row that shows something.
    int last = screen.size().rows - 1;
    const auto& rows = screen.primary_rows();
    while (last > 0 && std::ranges::all_of(rows[static_cast<std::size_t>(last)].cells, &Cell::is_blank)) --last;
    add(out, "\x1b[{}H\r\n", last + 1);
    return out;
}

}  // namespace sallyport::gateway
