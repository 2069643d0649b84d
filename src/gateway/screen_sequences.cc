// What the sequences mean, by xterm's documentation (ctlseqs) and ECMA-48; a table in the form of switches.
#include <algorithm>

#include "gateway/screen.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kMostTitle = 512;

}  // namespace

void Screen::on_control(std::uint8_t control) {
    last_.row = -1;
    switch (control) {
        case 0x08:  // BS
            cursor_.wrap_pending = false;
            if (cursor_.column > (cursor_.column >= margins_.left ? margins_.left : 0)) --cursor_.column;
            return;
        case 0x09: return tab(1);
        case 0x0A:  // LF, VT, FF
        case 0x0B:
        case 0x0C:
            line_feed();
            if (modes_.newline) cursor_.column = margins_.left;
            return;
        case 0x0D:  // CR
            cursor_.wrap_pending = false;
            cursor_.column = cursor_.column >= margins_.left ? margins_.left : 0;
            return;
        case 0x0E: cursor_.shift = 1; return;  // SO
        case 0x0F: cursor_.shift = 0; return;  // SI
        default: return;
    }
}

void Screen::on_escape(char intermediate, char final) {
    last_.row = -1;
    if (intermediate == '(' || intermediate == ')') {
        cursor_.charsets[intermediate == ')'] = final == '0' ? Charset::graphics : Charset::ascii;
        return;
    }
    if (intermediate == '#' && final == '8') {  // DECALN
        margins_ = all();
        const Style pen = cursor_.pen;
        cursor_.pen = {};
        for (int r = 0; r < size_.rows; ++r) {
            erase(r, 0, size_.columns);
            Cell e;
            e.glyph = 'E';
            row(r).cells.assign(static_cast<std::size_t>(size_.columns), e);
        }
        cursor_.pen = pen;
        return move_to(0, 0);
    }
    if (intermediate != 0) return;
    switch (final) {
        case '7': saved_ = cursor_; return;  // DECSC
        case '8': return restore_cursor();   // DECRC
        case 'D': return line_feed();          // IND
        case 'M': return reverse_line_feed();  // RI
        case 'E':                              // NEL
            cursor_.column = margins_.left;
            return line_feed();
        case 'H': tab_stops_[static_cast<std::size_t>(cursor_.column)] = true; return;  // HTS
        case '=': modes_.application_keypad = true; return;
        case '>': modes_.application_keypad = false; return;
        case 'c': return reset();  // RIS
        default: return;
    }
}

void Screen::on_csi(const VtParser::Csi& csi) {
    if (csi.final != 'm') last_.row = -1;
    const int at_column = cursor_.column, at_row = cursor_.row;
    const int times = csi.times();
    if (csi.intermediate == ' ' && csi.final == 'q' && csi.leader == 0) {  // DECSCUSR
        const int shape = csi.value(0, 0);
        if (shape <= 6) modes_.cursor_shape = shape;
        return;
    }
    if (csi.intermediate == '!' && csi.final == 'p' && csi.leader == 0) return soft_reset();  // DECSTR
    if (csi.intermediate != 0) return;
    if (csi.leader == '?') {
        switch (csi.final) {
            case 'h':
            case 'l':
                for (std::size_t i = 0; i < csi.count; ++i) set_private_mode(csi.values[i], csi.final == 'h');
                return;
            case 'J': return erase_display(csi.value(0, 0));  // DECSED; nothing is protected here
            case 'K': return erase_line(csi.value(0, 0));
            default: return;
        }
    }
    if (csi.leader == '>' && csi.final == 'm') {
        if (csi.value(0, 4) == 4) modes_.modify_other_keys = csi.value(1, 0);
        return;
    }
    if (csi.final == 'u' && csi.leader != 0) {  // kitty's keyboard protocol, without its stack
        if (csi.leader == '>') modes_.keyboard_flags = csi.value(0, 0) & 0x1F;
        if (csi.leader == '<') modes_.keyboard_flags = 0;
        if (csi.leader == '=') modes_.keyboard_flags = csi.value(0, 0) & 0x1F;
        return;
    }
    if (csi.leader != 0) return;

    switch (csi.final) {
        case '@':  // ICH
            if (!inside_margins()) return;
            cursor_.wrap_pending = false;
            return shift_cells(at_row, at_column, right_edge() + 1, times);
        case 'P':  // DCH
            if (!inside_margins()) return;
            cursor_.wrap_pending = false;
            return shift_cells(at_row, at_column, right_edge() + 1, -times);
        case 'A':  // CUU
        case 'F':  // CPL
            cursor_.wrap_pending = false;
            cursor_.row = std::max(at_row - times, at_row >= margins_.top ? margins_.top : 0);
            if (csi.final == 'F') cursor_.column = margins_.left;
            return;
        case 'B':  // CUD
        case 'E':  // CNL
            cursor_.wrap_pending = false;
            cursor_.row = std::min(at_row + times, at_row <= margins_.bottom ? margins_.bottom : size_.rows - 1);
            if (csi.final == 'E') cursor_.column = margins_.left;
            return;
        case 'C':  // CUF
        case 'a':  // HPR
            cursor_.wrap_pending = false;
            cursor_.column = std::min(at_column + times, right_edge());
            return;
        case 'D':  // CUB
        case 'j':  // HPB
            cursor_.wrap_pending = false;
            cursor_.column = std::max(at_column - times, at_column >= margins_.left ? margins_.left : 0);
            return;
        case 'G':  // CHA
        case '`':  // HPA
            return move_to(cursor_.origin ? at_row - margins_.top : at_row, csi.times() - 1);
        case 'd':  // VPA
            return move_to(csi.times() - 1, cursor_.origin ? at_column - margins_.left : at_column);
        case 'e':  // VPR
            cursor_.wrap_pending = false;
            cursor_.row = std::min(at_row + times, size_.rows - 1);
            return;
        case 'k':  // VPB
            cursor_.wrap_pending = false;
            cursor_.row = std::max(at_row - times, 0);
            return;
        case 'H':  // CUP
        case 'f':  // HVP
            return move_to(csi.times(0) - 1, csi.times(1) - 1);
        case 'I': return tab(times);   // CHT
        case 'Z': return tab(-times);  // CBT
        case 'J': return erase_display(csi.value(0, 0));
        case 'K': return erase_line(csi.value(0, 0));
        case 'L':  // IL
        case 'M':  // DL
            if (!inside_margins()) return;
            scroll({at_row, margins_.bottom, margins_.left, margins_.right}, csi.final == 'L' ? -times : times);
            cursor_.wrap_pending = false;
            cursor_.column = margins_.left;
            return;
        case 'S': return scroll(margins_, times);   // SU
        case 'T':                                   // SD; with more parameters it is something else
            if (csi.count <= 1) scroll(margins_, -times);
            return;
        case 'X':  // ECH
            cursor_.wrap_pending = false;
            return erase(at_row, at_column, std::min(at_column + times, size_.columns));
        case 'b':  // REP
            if (last_character_ == 0) return;
            for (int i = std::min(times, size_.columns * size_.rows); i > 0; --i) put(last_character_, last_width_);
            return;
        case 'g':  // TBC
            if (csi.value(0, 0) == 0) tab_stops_[static_cast<std::size_t>(at_column)] = false;
            if (csi.value(0, 0) == 3) tab_stops_.assign(tab_stops_.size(), false);
            return;
        case 'h':
        case 'l':
            for (std::size_t i = 0; i < csi.count; ++i) set_mode(csi.values[i], csi.final == 'h');
            return;
        case 'm': return set_rendition(csi);
        case 'r': return set_margins(csi);
        case 's':
            if (modes_.left_right_margins) return set_left_right_margins(csi);
            saved_ = cursor_;  // SCOSC
            return;
        case 'u': return restore_cursor();  // SCORC
        default: return;
    }
}

void Screen::on_osc(std::string_view text) {
    if (text.size() < 2 || text[1] != ';' || text[0] < '0' || text[0] > '2') return;
    const std::string_view name = text.substr(2, kMostTitle);
    if (text[0] != '2') icon_name_ = name;
    if (text[0] != '1') title_ = name;
}

// ---- modes

void Screen::set_mode(int mode, bool on) {
    if (mode == 4) modes_.insert = on;
    if (mode == 20) modes_.newline = on;
}

void Screen::set_private_mode(int mode, bool on) {
    switch (mode) {
        case 1: modes_.application_cursor_keys = on; return;
        case 5: modes_.reverse_screen = on; return;
        case 6:
            cursor_.origin = on;
            return move_to(0, 0);
        case 7:
            modes_.autowrap = on;
            if (!on) cursor_.wrap_pending = false;
            return;
        case 9:
        case 1000:
        case 1002:
        case 1003: modes_.mouse = on ? mode : 0; return;
        case 25: modes_.cursor_visible = on; return;
        case 47:
        case 1047: return on ? enter_alternate(false) : leave_alternate(false);
        case 1048:
            if (!on) return restore_cursor();
            saved_ = cursor_;
            return;
        case 1049: return on ? enter_alternate(true) : leave_alternate(true);
        case 69:
            modes_.left_right_margins = on;
            margins_.left = 0;
            margins_.right = size_.columns - 1;
            cursor_.wrap_pending = cursor_.wrap_pending && cursor_.column == margins_.right;
            return;
        case 66: modes_.application_keypad = on; return;
        case 1004: modes_.focus_reports = on; return;
        case 1005:
        case 1006:
        case 1015:
        case 1016: modes_.mouse_encoding = on ? mode : 0; return;
        case 1007: modes_.alternate_scroll = on; return;
        case 2004: modes_.bracketed_paste = on; return;
        default: return;
    }
}

void Screen::set_margins(const VtParser::Csi& csi) {
    const int top = csi.times(0) - 1;
    const int bottom = std::min(csi.value(1, 0) == 0 ? size_.rows : csi.value(1, 0), size_.rows) - 1;
    if (top >= bottom) return;
    margins_.top = top;
    margins_.bottom = bottom;
    move_to(0, 0);
}

void Screen::set_left_right_margins(const VtParser::Csi& csi) {
    const int left = csi.times(0) - 1;
    const int right = std::min(csi.value(1, 0) == 0 ? size_.columns : csi.value(1, 0), size_.columns) - 1;
    if (left >= right) return;
    margins_.left = left;
    margins_.right = right;
    move_to(0, 0);
}

// ---- erasing

void Screen::erase_display(int what) {
    const int at_row = cursor_.row, at_column = cursor_.column;
    switch (what) {
        case 0:
            erase(at_row, at_column, size_.columns);
            for (int r = at_row + 1; r < size_.rows; ++r) erase(r, 0, size_.columns);
            return;
        case 1:
            for (int r = 0; r < at_row; ++r) erase(r, 0, size_.columns);
            return erase(at_row, 0, at_column + 1);
        case 2:
            for (int r = 0; r < size_.rows; ++r) erase(r, 0, size_.columns);
            return;
        case 3:
            if (owner_) owner_->on_scrollback_cleared();
            return;
        default: return;
    }
}

void Screen::erase_line(int what) {
    cursor_.wrap_pending = false;
    switch (what) {
        case 0: return erase(cursor_.row, cursor_.column, size_.columns);
        case 1: return erase(cursor_.row, 0, cursor_.column + 1);
        case 2: return erase(cursor_.row, 0, size_.columns);
        default: return;
    }
}

// ---- SGR

// Behind 38, 48 or 58 at `at`: "5;n", "2;r;g;b", or the same with colons, where the colour space may stand before r. Returns how many
// values belong to it.
std::size_t Screen::take_colour(const VtParser::Csi& csi, std::size_t at, Colour& colour) {
    const bool colons = at + 1 < csi.count && (csi.continued >> (at + 1) & 1);
    std::size_t end = at + 1;
    if (colons)
        while (end < csi.count && (csi.continued >> end & 1)) ++end;
    const int kind = csi.value(at + 1, 0);
    const auto part = [&](std::size_t i) { return static_cast<Colour>(std::clamp(csi.value(i, 0), 0, 255)); };
    if (kind == 5) {
        if (!colons || end > at + 2) colour = kIndexed | part(at + 2);
        return colons ? end - at : 3;
    }
    if (kind == 2) {
        const std::size_t first = colons && end - at >= 6 ? at + 3 : at + 2;
        if (!colons || end >= first + 3) colour = kRgb | part(first) << 16 | part(first + 1) << 8 | part(first + 2);
        return colons ? end - at : 5;
    }
    return colons ? end - at : 2;
}

void Screen::set_rendition(const VtParser::Csi& csi) {
    Style& pen = cursor_.pen;
    if (csi.count == 0) {
        pen = {};
        return;
    }
    const auto set = [&](std::uint16_t bits) { pen.attributes = static_cast<std::uint16_t>(pen.attributes | bits); };
    const auto clear = [&](std::uint16_t bits) { pen.attributes = static_cast<std::uint16_t>(pen.attributes & ~bits); };
    const auto underline = [&](int style) {
        clear(kUnderlineMask);
        set(static_cast<std::uint16_t>(std::clamp(style, 0, 5) << kUnderlineShift));
    };
    for (std::size_t i = 0; i < csi.count;) {
        std::size_t used = 1;
        const int value = csi.value(i, 0);
        switch (value) {
            case 0: pen = {}; break;
            case 1: set(kBold); break;
            case 2: set(kFaint); break;
            case 3: set(kItalic); break;
            case 4: {
                const bool styled = i + 1 < csi.count && (csi.continued >> (i + 1) & 1);
                underline(styled ? csi.value(i + 1, 1) : 1);
                break;
            }
            case 5:
            case 6: set(kBlink); break;
            case 7: set(kReverse); break;
            case 8: set(kConceal); break;
            case 9: set(kStrike); break;
            case 21: underline(2); break;
            case 22: clear(kBold | kFaint); break;
            case 23: clear(kItalic); break;
            case 24: underline(0); break;
            case 25: clear(kBlink); break;
            case 27: clear(kReverse); break;
            case 28: clear(kConceal); break;
            case 29: clear(kStrike); break;
            case 38: used = take_colour(csi, i, pen.foreground); break;
            case 39: pen.foreground = 0; break;
            case 48: used = take_colour(csi, i, pen.background); break;
            case 49: pen.background = 0; break;
            case 53: set(kOverline); break;
            case 55: clear(kOverline); break;
            case 58: {
                Colour ignored = 0;
                used = take_colour(csi, i, ignored);
                break;
            }
            default:
                if (value >= 30 && value <= 37) pen.foreground = kIndexed | static_cast<Colour>(value - 30);
                if (value >= 40 && value <= 47) pen.background = kIndexed | static_cast<Colour>(value - 40);
                if (value >= 90 && value <= 97) pen.foreground = kIndexed | static_cast<Colour>(value - 90 + 8);
                if (value >= 100 && value <= 107) pen.background = kIndexed | static_cast<Colour>(value - 100 + 8);
                break;
        }
        i += std::max<std::size_t>(used, 1);
        while (i < csi.count && (csi.continued >> i & 1)) ++i;  // what belongs to the value before
    }
}

}  // namespace sallyport::gateway
