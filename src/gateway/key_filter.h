// key_filter.h: finds the session's own commands among a user's keys: the escape key (Ctrl-^ unless configured otherwise) and one more.
//   d detach   . end the session   PageUp or [ scrollback   r redraw   ? help   the escape key itself, or ^: send it
// Anything else behind the escape key is no command, and both go to the remote, as with mosh. Pure; keeps at most kMostHeld octets.
#pragma once
#include <cstdint>
#include <string>

#include "base/octets.h"

namespace sallyport::gateway {

class KeyFilter {
public:
    enum class Command : std::uint8_t { none, detach, end, scrollback, redraw, help };
    static constexpr std::size_t kMostHeld = 8;

    explicit KeyFilter(int escape_key) : escape_key_(escape_key) {}  // -1: none

    struct Step {
        std::size_t octets = 0;           // of the input that were read; less than all of it only with a command
        Command command = Command::none;
    };
    // What is for the remote is appended to `out`.
    Step feed(Octets octets, std::string& out);

private:
    const int escape_key_;
    std::string held_;  // the escape key and what followed, while a command may still come of it
};

// "Ctrl-^ d detach · …" for help, with the key's name.
std::string key_help(int escape_key);
std::string key_name(int escape_key);

}  // namespace sallyport::gateway
