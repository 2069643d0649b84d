// The files of the agent's state folder: a damaged one is an error, never more; what is read is written the same.
#include <cstddef>
#include <cstdint>

#include "agent/enrolment.h"
#include "agent/identity.h"
#include "agent/origin_trust.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const std::string_view text = as_text(as_octets(data, size));
    if (const auto enrolment = parse_enrolment(text)) {
        const auto again = parse_enrolment(format_enrolment(*enrolment));
        if (!again || *again != *enrolment) __builtin_trap();
    }
    if (const auto keys = parse_noted_keys(text)) {
        const auto again = parse_noted_keys(format_noted_keys(*keys));
        if (!again || *again != *keys) __builtin_trap();
    }
    (void)key_from_pem(text);
    return 0;
}
