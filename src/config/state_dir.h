// state_dir.h: where relay and agent keep what must outlive them, if nothing else is said.
#pragma once
#include <filesystem>

#include "config/document.h"

namespace sallyport {

// /var/lib/sallyport where this process may write or make it, else $XDG_STATE_HOME/sallyport, else
// ~/.local/state/sallyport. Empty if there is no home either. Makes nothing.
std::filesystem::path default_state_dir(const Environment& environment);

}  // namespace sallyport
