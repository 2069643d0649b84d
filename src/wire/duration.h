// duration.h: durations in Go's syntax: "300ms", "1.5h", "1m30s", "0". Units: ns us (µs) ms s m h. Pure.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport {

// Errc::invalid_argument with a text for people: a number without unit, an unknown unit, negative, or
// above about 292 years.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// As Go prints it: "1m30s", "1.5s", "500ms", "0s". parse_duration() reads it back.
std::string format_duration(std::chrono::nanoseconds duration);

}  // namespace sallyport
