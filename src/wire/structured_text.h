// structured_text.h: the one piece of grammar that Proxy-Status (RFC 8941) and Forwarded (RFC 9110 5.6.4) share: a
// list's last member, cut into parameters whose values are tokens or quoted strings. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "wire/http_syntax.h"

namespace sallyport {

// The last non-empty member of a comma list, "" if there is none.
std::string_view last_list_member(std::string_view list);

// Takes `name [= value]` and the ';' behind it off the front. The value is unquoted; nothing is returned at the end
// of `rest` and for malformed text, told apart by `rest` being empty.
struct Parameter {
    std::string_view name;
    std::string value;
};
std::optional<Parameter> take_parameter(std::string_view& rest);

// "text" with '"' and '\' escaped; octets outside printable ASCII become '?'.
void append_quoted_string(std::string& out, std::string_view text);

}  // namespace sallyport
