// The answers to the agent's probes: the first octet says where the input is cut in two, the rest is what an origin
// sends.
#include <cstddef>
#include <cstdint>

#include "wire/home_assistant_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    if (size == 0) return 0;
    const Octets octets = as_octets(data + 1, size - 1);
    const std::size_t cut = octets.empty() ? 0 : data[0] % octets.size();
    HttpAnswerReader reader;
    auto done = reader.feed(octets.first(cut));
    if (done && !*done) done = reader.feed(octets.subspan(cut));
    if (!done) return 0;
    if (!*done && !reader.end()) return 0;
    if (reader.answer().content.size() > HttpAnswerReader::kMaxContent) __builtin_trap();
    if (const auto config = read_core_config(reader.answer()); config && config->external_url.size() > 300) __builtin_trap();
    const bool trusted = lists_trusted_networks(reader.answer()).value_or(true);
    HomeAssistantFindings findings{true, is_home_assistant(reader.answer()),
                                   judge_forwarded_for(200, reader.answer().status), trusted, "::1"};
    if (advice_of(findings).size() > kMaxControlString) __builtin_trap();
    return 0;
}
