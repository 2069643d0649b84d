// The Authorization field of any scheme; whatever is understood reads the same when written again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/authorization.h"
#include "wire/concealed_auth.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    if (const auto proof = parse_concealed(in)) {
        const auto again = parse_concealed(format_concealed(*proof));
        if (!again || again->key_id != proof->key_id || again->proof != proof->proof) std::abort();
        (void)verify_concealed_proof(*proof, as_octets(proof->public_key), as_octets(std::string(48, 'x')));
    }
    if (const auto credential = parse_bearer(in); credential && !parse_bearer(format_bearer(*credential).reveal()))
        std::abort();
    if (const auto credential = parse_basic(in); credential && !parse_basic(format_basic(*credential).reveal()))
        std::abort();
    return 0;
}
