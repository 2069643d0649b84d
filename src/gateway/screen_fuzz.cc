// Any octets at all, with resizes between: the screen stays whole, and what redraw() makes of it looks the same and goes on the same, in
// our own emulator and in libvterm.
#include <cstdint>
#include <cstdlib>

#include "gateway/screen.h"
#include "gateway/screen_redraw.h"
#include "gateway/vterm_judge.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    using namespace sallyport::gateway;
    if (size < 3 || size > 8'192) return 0;
    Screen screen(clamp_terminal_size(data[0] % 60, data[1] % 20));
    const std::size_t cut = data[2] * size / 256;
    const Octets octets = as_octets(data, size);
    screen.feed(octets.first(cut));
    if (cut % 3 == 0) screen.resize(clamp_terminal_size(data[1] % 60, data[0] % 20));
    // To where nothing is half read.
    screen.feed(as_octets("\x18"));
    if (!screen.between_sequences()) std::abort();
    const std::string drawn = redraw(screen);
    Screen again(screen.size());
    again.feed(as_octets(drawn));
    if (!test::difference(screen, again).empty()) std::abort();
    // Which character came last isn't redrawn: a combining one or a repetition right behind counts as lost.
    for (Screen* one : {&screen, &again}) one->feed(as_octets("x\a"));
    screen.feed(octets.subspan(cut));
    again.feed(octets.subspan(cut));
    if (!test::difference(screen, again).empty()) std::abort();
    return 0;
}
