#include "wire/proxy_header.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string number(std::size_t value, int octets) {
    std::string out;
    for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
    return out;
}
std::string binary(int version_and_command, int family, const std::string& body) {
    return kSignature + number(static_cast<std::size_t>(version_and_command), 1) + number(static_cast<std::size_t>(family), 1) +
           number(body.size(), 2) + body;
}
const std::string kFour = "\xc0\x00\x02\x01\xc6\x33\x64\x02"s + number(4711, 2) + number(443, 2);

std::string show(std::string_view in) {
    const auto header = parse_proxy_header(as_octets(in));
    if (!header) return std::string(name_of(header.error().code));
    std::string out = std::to_string(header->size);
    if (!header->connection) return out + " none";
    const auto& [source, destination] = *header->connection;
    return out + " " + source.ip + " " + std::to_string(source.port) + " > " + destination.ip + " " + std::to_string(destination.port);
}

TEST(ProxyHeader, ReadsBothVersions) {
    const std::pair<std::string, std::string> table[] = {
        {"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\nGET", "44 192.0.2.1 4711 > 198.51.100.2 443"},
        {"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "36 2001:db8::1 1 > ::1 65535"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::1 0 1\r\n", "37 192.0.2.1 0 > ::1 1"},
        {"PROXY UNKNOWN\r\n", "15 none"},
        {"PROXY UNKNOWN whatever it says\r\nGET", "32 none"},
        {binary(0x21, 0x11, kFour) + "GET", "28 192.0.2.1 4711 > 198.51.100.2 443"},
        {binary(0x21, 0x11, kFour + "\x04\x00\x02xy"s), "33 192.0.2.1 4711 > 198.51.100.2 443"},
        {binary(0x21, 0x21, std::string(15, '\0') + "\x01" + std::string(15, '\0') + "\x02" + number(1, 2) + number(2, 2)), "52 ::1 1 > ::2 2"},
        {binary(0x20, 0x00, ""), "16 none"},
        {binary(0x20, 0x11, kFour), "28 none"},
        {binary(0x21, 0x00, ""), "16 none"},
        {binary(0x21, 0x31, std::string(216, 'u')), "232 none"},
    };
    for (const auto& [in, expected] : table) {
        EXPECT_EQ(show(in), expected);
        const std::size_t size = std::stoul(expected);
        for (std::size_t cut = 0; cut < size; ++cut) EXPECT_EQ(show(std::string_view(in).substr(0, cut)), "need_more") << expected << " cut at " << cut;
    }
}

TEST(ProxyHeader, RefusesWhatIsNone) {
    const std::pair<std::string, std::string> table[] = {
        {"GET / HTTP/1.1\r\n", "protocol"},
        {"proxy TCP4", "protocol"},
        {"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "protocol"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "protocol"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "protocol"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "protocol"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 -1\r\n", "protocol"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "protocol"},
        {"PROXY TCP4 ::1 ::1 1 2\r\n", "protocol"},
        {"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "protocol"},
        {"PROXY TCP4 1.2.3.4"s + '\0' + " 1.2.3.4 1 2\r\n", "protocol"},
        {"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "protocol"},
        {"PROXY UNKNOWN " + std::string(200, 'x'), "too_large"},
        {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n" + std::string(100, 'x'), "too_large"},
        {binary(0x11, 0x11, kFour), "protocol"},
        {binary(0x22, 0x11, kFour), "protocol"},
        {binary(0x21, 0x12, kFour), "protocol"},
        {binary(0x21, 0x41, kFour), "protocol"},
        {binary(0x21, 0x13, kFour), "protocol"},
        {binary(0x21, 0x11, kFour.substr(1)), "protocol"},
        {binary(0x21, 0x21, kFour), "protocol"},
        {binary(0x21, 0x11, std::string(5000, 'x')), "too_large"},
        {"\r\n\r\nGET / HTTP/1.1", "protocol"},
    };
    for (const auto& [in, expected] : table) EXPECT_EQ(show(in), expected) << in;
}

TEST(ProxyHeader, WritesWhatItReads) {
    EXPECT_EQ(format_proxy_header({{"192.0.2.1", 4711}, {"198.51.100.2", 443}}), binary(0x21, 0x11, kFour));
    EXPECT_EQ(show(format_proxy_header({{"2001:db8::1", 1}, {"::1", 2}})), "52 2001:db8::1 1 > ::1 2");
    EXPECT_EQ(show(format_proxy_header({{"192.0.2.1", 1}, {"::1", 2}})), "52 192.0.2.1 1 > ::1 2");
    EXPECT_EQ(show(format_proxy_header({{"unix", 0}, {"::1", 2}})), "16 none");
}

}  // namespace
}  // namespace sallyport
