#include "gateway/scrollback_view.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace sallyport::gateway {
namespace {

constexpr std::size_t kMostSequence = 16;
constexpr std::string_view kGapText = "~~~ lines may be missing here ~~~";

}  // namespace

ScrollbackView::ScrollbackView(const Scrollback& scrollback, const Screen& screen, int escape_key)
    : scrollback_(scrollback), screen_(screen), escape_key_(escape_key) {
    top_ = scrollback_.end() - std::min(scrollback_.end() - scrollback_.begin(), page());
    clamp();
}

int ScrollbackView::screen_rows() const { return static_cast<int>(screen_.primary_rows().size()); }

std::uint64_t ScrollbackView::last_top() const { return lines() - std::min(lines() - scrollback_.begin(), page()); }

void ScrollbackView::clamp() { top_ = std::clamp(top_, scrollback_.begin(), std::max(scrollback_.begin(), last_top())); }

std::string ScrollbackView::draw() {
    clamp();  // old lines may be gone meanwhile
    const TerminalSize size = screen_.size();
    std::string out = "\x1b[?25l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?69l\x1b[?6l\x1b[r\x1b[?7l\x1b[4l\x1b(B\x0f\x1b[m";
    if (!screen_.on_alternate()) out += "\x1b[?1049h";
    for (int row = 0; row < size.rows - 1; ++row) {
        fmt::format_to(std::back_inserter(out), "\x1b[{}H\x1b[2K", row + 1);
        const std::uint64_t number = top_ + static_cast<std::uint64_t>(row);
        if (number < scrollback_.end()) {
            if (scrollback_.is_gap(number)) fmt::format_to(std::back_inserter(out), "\x1b[2m{}\x1b[m", kGapText.substr(0, static_cast<std::size_t>(size.columns)));
            else out += scrollback_.show(number, size.columns);
        } else if (number < lines()) {
            out += show_row(screen_, screen_.primary_rows()[static_cast<std::size_t>(number - scrollback_.end())], size.columns);
        }
    }
    const std::uint64_t all = lines() - scrollback_.begin();
    const std::string status = fmt::format(" lines {}-{} of {}   PageUp PageDown Home End   q leaves", top_ - scrollback_.begin() + 1,
                                           std::min(lines(), top_ + page()) - scrollback_.begin(), all);
    fmt::format_to(std::back_inserter(out), "\x1b[{}H\x1b[2K\x1b[7m{:<{}}\x1b[m", size.rows, status.substr(0, static_cast<std::size_t>(size.columns)),
                   size.columns);
    return out;
}

ScrollbackView::After ScrollbackView::keys(Octets octets) {
    for (std::size_t i = 0; i < octets.size(); ++i) {
        Key key = take(static_cast<std::uint8_t>(octets[i]));
        // Nothing follows an Escape that is a key of its own.
        if (sequence_ == "\x1b" && i + 1 == octets.size()) key = Key::leave;
        if (key == Key::leave) return After::leave;
        move(key);
    }
    return After::stay;
}

ScrollbackView::Key ScrollbackView::take(std::uint8_t octet) {
    if (sequence_.empty()) {
        if (octet == escape_key_) return Key::leave;
        switch (octet) {
            case 0x1B: sequence_ += '\x1b'; return Key::none;
            case 'q':
            case 'Q':
            case 0x03: return Key::leave;  // Ctrl-C
            case 'k':
            case 'y': return Key::up;
            case 'j':
            case 'e':
            case '\r':
            case '\n': return Key::down;
            case 'b':
            case 0x02: return Key::page_up;
            case ' ':
            case 'f':
            case 0x06: return Key::page_down;
            case 'u':
            case 0x15: return Key::half_up;
            case 'd':
            case 0x04: return Key::half_down;
            case 'g':
            case '<': return Key::home;
            case 'G':
            case '>': return Key::end;
            default: return Key::none;
        }
    }
    sequence_ += static_cast<char>(octet);
    const bool introduced = sequence_.size() >= 2 && (sequence_[1] == '[' || sequence_[1] == 'O');
    if (sequence_.size() == 2 && introduced) return Key::none;
    if (introduced && sequence_.size() < kMostSequence && octet < 0x40) return Key::none;
    const std::string whole = std::exchange(sequence_, {});
    if (!introduced) return octet == 'v' ? Key::page_up : Key::leave;  // Alt-v, or Escape and another key
    const std::string_view rest = std::string_view(whole).substr(2);
    if (rest == "A") return Key::up;
    if (rest == "B") return Key::down;
    if (rest == "5~") return Key::page_up;
    if (rest == "6~") return Key::page_down;
    if (rest == "H" || rest == "1~" || rest == "7~") return Key::home;
    if (rest == "F" || rest == "4~" || rest == "8~") return Key::end;
    return Key::none;
}

void ScrollbackView::move(Key key) {
    const auto up = [&](std::uint64_t by) { top_ -= std::min(by, top_ - scrollback_.begin()); };
    clamp();
    switch (key) {
        case Key::up: up(1); break;
        case Key::down: top_ += 1; break;
        case Key::page_up: up(page()); break;
        case Key::page_down: top_ += page(); break;
        case Key::half_up: up(page() / 2); break;
        case Key::half_down: top_ += page() / 2; break;
        case Key::home: top_ = scrollback_.begin(); break;
        case Key::end: top_ = last_top(); break;
        case Key::none:
        case Key::leave: break;
    }
    clamp();
}

}  // namespace sallyport::gateway
