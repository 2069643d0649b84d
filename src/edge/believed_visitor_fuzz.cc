#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "edge/believed_visitor.h"

// Lines before the first empty one are X-Forwarded-For, the others Forwarded. Whatever a visitor has put in front, the address that a
// trusted proxy adds on the right is the one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    static const IpNetwork kTrusted[]{*IpNetwork::parse("10.0.0.0/8"), *IpNetwork::parse("::1")};
    static const IpAddress kVisitor = *parse_ip_address("192.0.2.1");
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    FieldSection fields;
    std::string_view name = "X-Forwarded-For";
    std::string last;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        if (line.empty()) name = "Forwarded";
        else fields.add(name, line);
        if (name == "X-Forwarded-For") last = line;
    }
    (void)believed_address(fields, kTrusted);
    (void)believed_scheme(fields);

    fields.add("X-Forwarded-For", last + ", 192.0.2.1, 10.1.2.3");
    const auto added = believed_address(fields, kTrusted);
    if (!added || *added != kVisitor) std::abort();
    return 0;
}
