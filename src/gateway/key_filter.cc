#include "gateway/key_filter.h"

#include <string_view>

#include <fmt/format.h>

namespace sallyport::gateway {
namespace {

constexpr std::string_view kPageUp = "\x1b[5~";

}  // namespace

KeyFilter::Step KeyFilter::feed(Octets octets, std::string& out) {
    for (std::size_t i = 0; i < octets.size(); ++i) {
        const int key = static_cast<int>(octets[i]);
        if (held_.empty()) {
            if (key == escape_key_) held_ += static_cast<char>(key);
            else out += static_cast<char>(key);
            continue;
        }
        if (held_.size() == 1) {
            Command command = Command::none;
            switch (key) {
                case 'd': command = Command::detach; break;
                case '.': command = Command::end; break;
                case '[': command = Command::scrollback; break;
                case 'r': command = Command::redraw; break;
                case '?': command = Command::help; break;
                default: break;
            }
            if (command != Command::none) {
                held_.clear();
                return {i + 1, command};
            }
            if (key == escape_key_ || key == '^') {
                out += held_;
                held_.clear();
                continue;
            }
        }
        held_ += static_cast<char>(key);
        const std::string_view sequence = std::string_view(held_).substr(1);
        if (sequence == kPageUp) {
            held_.clear();
            return {i + 1, Command::scrollback};
        }
        if (kPageUp.starts_with(sequence)) continue;
        out += held_;
        held_.clear();
    }
    return {octets.size(), Command::none};
}

std::string key_name(int escape_key) {
    if (escape_key >= 0 && escape_key < 0x20) return fmt::format("Ctrl-{}", static_cast<char>(escape_key + '@'));
    return escape_key > 0x20 && escape_key < 0x7F ? std::string(1, static_cast<char>(escape_key)) : std::string("the escape key");
}

std::string key_help(int escape_key) {
    return fmt::format("After {}:  d detach   . end   PageUp or [ scrollback   r redraw   ^ the key itself", key_name(escape_key));
}

}  // namespace sallyport::gateway
