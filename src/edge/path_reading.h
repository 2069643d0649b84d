// path_reading.h: the one way in which every origin reads a path, for rules to be judged on. Servers differ in what they decode,
// how often, which octets part segments and what they drop from them; a path on which they could differ has no such reading. Pure.
#pragma once
#include <string>
#include <string_view>

namespace sallyport {

// `path`: octets without query, as the origin will get them. Gives the path percent-decoded once; false where it could be read
// in more than one way:
//   an escape that is none (%zz, %u002f), or one left after decoding (%2541)
//   an escaped slash, any backslash, a control octet, octets that are no UTF-8 (overlong forms)
//   an empty segment (//), a segment that is nothing but dots and spaces (/./, /../, /.../, /..;x/)
//   a segment before the last that has parameters (;) or ends in a dot or space
bool read_path(std::string_view path, std::string& reading);

}  // namespace sallyport
