// A stream of lines, cut in two; whatever is read can be written, and reads the same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/control_message.h"
#include "wire/line_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    if (size < 1) return 0;
    const std::string_view in(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::size_t cut = in.empty() ? 0 : data[0] % in.size();
    LineReader reader;
    const auto on_line = [](std::string_view line) -> Result<> {
        const auto message = parse_control_message(line);
        if (!message) return std::unexpected(message.error());
        const std::string text = format_control_message(*message);
        const auto again = parse_control_message(std::string_view(text).substr(0, text.size() - 1));
        if (!again || *again != *message) std::abort();
        return {};
    };
    if (reader.feed(in.substr(0, cut), on_line)) (void)reader.feed(in.substr(cut), on_line);
    return 0;
}
