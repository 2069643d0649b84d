// utf8.h: keeps text from outside within a bound and well formed (RFC 3629), so that JSON written from it can be read
// again. Pure.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace sallyport {

// The octets of the character at the front of `text`, 0 if there is no well-formed one (RFC 3629 4).
std::size_t utf8_character_length(std::string_view text);

// At most `max` octets of text, not cut inside a character; octets that are no UTF-8 become '?'.
std::string bounded_utf8(std::string_view text, std::size_t max);

}  // namespace sallyport
