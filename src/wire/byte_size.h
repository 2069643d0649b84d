// byte_size.h: counts of octets as people write them: "64KiB", "100MiB", "2GiB", "1500000" (octets). Pure.
#pragma once
#include <string>
#include <string_view>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport {

// Errc::invalid_argument with a text for people. Units: none or B, KiB, MiB, GiB, TiB; whole numbers only. "MB" and "M" are
// refused, since they mean two things.
Result<ByteCount> parse_byte_size(std::string_view text);

// In the largest unit that leaves a whole number; parse_byte_size() reads it back.
std::string format_byte_size(ByteCount octets);

}  // namespace sallyport
