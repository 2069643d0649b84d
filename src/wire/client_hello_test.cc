#include "wire/client_hello.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

using Status = ClientHelloReader::Status;

std::string number(std::size_t value, int octets) {
    std::string out;
    for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
    return out;
}
std::string vector_of(const std::string& body, int length_octets) { return number(body.size(), length_octets) + body; }
std::string extension(int type, const std::string& body) {
    return number(static_cast<std::size_t>(type), 2) + vector_of(body, 2);
}
std::string server_name(const std::string& name) { return extension(0, vector_of('\0' + vector_of(name, 2), 2)); }
std::string alpn(const std::vector<std::string>& protocols) {
    std::string list;
    for (const auto& protocol : protocols) list += vector_of(protocol, 1);
    return extension(16, vector_of(list, 2));
}
std::string body_of(const std::string& extensions) {
    return "\x03\x03" + std::string(32, 'r') + vector_of(std::string(32, 's'), 1) + vector_of("\x13\x01\x13\x02", 2) +
           vector_of(std::string(1, '\0'), 1) + vector_of(extensions, 2);
}
std::string message(const std::string& body) { return '\x01' + vector_of(body, 3); }
std::string records(const std::string& octets, std::size_t size = 16'384) {
    std::string out;
    for (std::size_t at = 0; at < octets.size(); at += size)
        out += "\x16\x03\x01" + vector_of(octets.substr(at, size), 2);
    return out;
}

std::string show(ClientHelloReader& reader, std::string_view in) {
    switch (reader.read(as_octets(in))) {
        case Status::need_more: return "need_more";
        case Status::http: return "http";
        case Status::not_tls: return "not_tls";
        case Status::malformed: return "malformed";
        case Status::too_large: return "too_large";
        case Status::found: break;
    }
    std::string out = "found " + reader.hello().server_name;
    for (const auto& protocol : reader.hello().alpn) out += " " + protocol;
    return out;
}

std::string read_however_cut(const std::string& in) {
    ClientHelloReader whole;
    const std::string expected = show(whole, in);
    for (std::size_t cut = 0; cut <= in.size(); cut += in.size() > 2000 ? 97 : 1) {
        ClientHelloReader reader;
        std::string got = show(reader, std::string_view(in).substr(0, cut));
        if (got == "need_more") got = show(reader, in);
        EXPECT_EQ(got, expected) << "cut at " << cut;
    }
    ClientHelloReader slow;
    std::string got = "need_more";
    for (std::size_t size = 0; size <= in.size() && got == "need_more"; ++size)
        got = show(slow, std::string_view(in).substr(0, size));
    EXPECT_EQ(got, expected) << "octet by octet";
    return expected;
}

TEST(ClientHello, FindsNameAndProtocols) {
    const std::string both = server_name("Home.Example.ORG") + alpn({"h2", "http/1.1"});
    const std::string large = extension(51, std::string(17 * 1024, 'k')) + both;  // a post-quantum key share
    struct Row {
        const char* name;
        std::string in;
        std::string want;
    };
    const std::vector<Row> rows = {
        {"both", records(message(body_of(both))), "found home.example.org h2 http/1.1"},
        {"more behind it", records(message(body_of(both))) + "\x14\x03\x03\x00\x01\x01",
         "found home.example.org h2 http/1.1"},
        {"records of one octet", records(message(body_of(both)), 1), "found home.example.org h2 http/1.1"},
        {"records of 7 octets", records(message(body_of(both)), 7), "found home.example.org h2 http/1.1"},
        {"17 KiB in two records", records(message(body_of(large))), "found home.example.org h2 http/1.1"},
        {"no name", records(message(body_of(alpn({"sallyport/1"})))), "found  sallyport/1"},
        {"no extensions",
         records(message("\x03\x03" + std::string(32, 'r') + vector_of("", 1) + vector_of("\xc0\x2f", 2) +
                         vector_of(std::string(1, '\0'), 1))),
         "found "},
        {"an address is no name", records(message(body_of(server_name("127.0.0.1")))), "found "},
        {"a dot at the end is no name", records(message(body_of(server_name("a.example.")))), "found "},
        {"NUL in the name", records(message(body_of(server_name(std::string("a\0b", 3))))), "found "},
        {"other name type", records(message(body_of(extension(0, vector_of('\1' + vector_of("a", 2), 2))))), "found "},
        {"name twice", records(message(body_of(server_name("a.example") + server_name("b.example")))), "malformed"},
        {"empty name list", records(message(body_of(extension(0, vector_of("", 2))))), "malformed"},
        {"name list too short", records(message(body_of(extension(0, std::string(1, '\0'))))), "malformed"},
        {"octets behind the name list",
         records(message(body_of(extension(0, vector_of('\0' + vector_of("a", 2), 2) + "x")))), "malformed"},
        {"empty protocol", records(message(body_of(alpn({""})))), "malformed"},
        {"extension longer than all",
         records(message(body_of(std::string("\x00\x10\xff\xff"
                                             "a",
                                             5)))),
         "malformed"},
        {"octets behind the extensions", records(message(body_of(both) + "x")), "malformed"},
        {"no cipher suite",
         records(message("\x03\x03" + std::string(32, 'r') + vector_of("", 1) + vector_of("", 2) + vector_of("a", 1))),
         "malformed"},
        {"another message", records("\x02" + vector_of(body_of(both), 3)), "malformed"},
        {"empty record", std::string("\x16\x03\x01\x00\x00", 5), "malformed"},
        {"alert inside", records(message(body_of(both)).substr(0, 20)) + std::string("\x15\x03\x01\x00\x02\x02\x28", 7),
         "malformed"},
        {"message above the bound", records(std::string("\x01\x02\x00\x00", 4)), "too_large"},
        {"HTTP", "GET / HTTP/1.1\r\n", "http"},
        {"HTTP, only the method", "OPTIONS", "need_more"},
        {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", "not_tls"},
        {"long word", std::string(40, 'A'), "not_tls"},
        {"octets", std::string("\x00\x01", 2), "not_tls"},
        {"SSL 2", "\x80\x2e\x01\x03\x01", "not_tls"},
        {"record of another version", "\x16\x02\x00", "not_tls"},
        {"nothing", "", "need_more"},
        {"cut", records(message(body_of(both))).substr(0, 60), "need_more"},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_EQ(read_however_cut(row.in), row.want);
    }
}

TEST(ClientHello, BoundsWhatItReads) {
    const std::string huge = message(body_of(extension(51, std::string(65'000, 'k'))));
    ClientHelloReader reader;
    EXPECT_EQ(reader.read(as_octets(records(huge, 100))), Status::too_large);
    EXPECT_EQ(reader.read(as_octets("")), Status::too_large);
}

}  // namespace
}  // namespace sallyport
