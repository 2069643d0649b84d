// terminfo_entry.h: what little we must know about a user's kind of terminal, from the compiled terminfo data base (term(5)).
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/octets.h"

namespace sallyport::gateway {

struct TerminfoEntry {
    bool erases_in_colour = false;  // bce: erased cells take the background colour
    bool erases_characters = false; // ech
};

// Nothing for what is no compiled entry. Pure.
std::optional<TerminfoEntry> parse_terminfo(Octets file);

// Reads the data base of this machine; `name` comes from a peer and is bounded and checked here.
std::optional<TerminfoEntry> find_terminfo(std::string_view name);

// The name that mosh-client is given for a user's terminal: one that it and terminfo certainly know, that can set titles, and that
// uses no erasing that the user's terminal can't do. An unknown terminal counts as an xterm.
std::string mosh_client_term(std::string_view name);

}  // namespace sallyport::gateway
