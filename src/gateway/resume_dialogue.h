// resume_dialogue.h: asks a user whose sessions wait whether to take one up again: "1 session waiting, resume? [Y/n]".
// Pure: keys in, text out. The terminal is in raw mode, so it echoes what is typed itself.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"

namespace sallyport::gateway {

class ResumeDialogue {
public:
    struct Waiting {
        std::string title;  // harmless in a terminal
        Duration detached_for{};
        Duration age{};
    };
    struct Answer {
        enum class Kind { resume, fresh, leave } kind = Kind::fresh;  // leave: Ctrl-C or Ctrl-D
        std::size_t index = 0;    // of `waiting`, with resume
        std::size_t octets = 0;   // of the keys given last: what follows them belongs to the session
    };
    static constexpr std::size_t kMostShown = 9;

    explicit ResumeDialogue(std::vector<Waiting> waiting);  // at least one

    // What is to be shown first, and after each call of keys().
    std::string take_text() { return std::exchange(text_, {}); }
    std::optional<Answer> keys(Octets octets);

private:
    Answer resume(std::size_t index, std::size_t octets);
    std::vector<Waiting> waiting_;
    std::string text_;
};

}  // namespace sallyport::gateway
