#include "wire/forwarded.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

TEST(Forwarded, Writes) {
    EXPECT_EQ(format_forwarded({"203.0.113.7", {}, "https", "home.example.org"}),
              "for=203.0.113.7;proto=https;host=home.example.org");
    EXPECT_EQ(format_forwarded({"2001:db8::1", 4711, "https", "home.example.org:8443"}),
              "for=\"[2001:db8::1]:4711\";proto=https;host=\"home.example.org:8443\"");
    EXPECT_EQ(format_forwarded({}), "for=unknown");
}

TEST(Forwarded, Reads) {
    struct Row {
        const char* name;
        const char* in;
        Forwarded want;
        bool good = true;
    };
    const std::vector<Row> rows = {
        {"all", "for=203.0.113.7;proto=https;host=a.example", {"203.0.113.7", {}, "https", "a.example"}},
        {"case and space", "Proto=http ; FOR=\"[2001:DB8::1]:4711\"", {"2001:db8::1", 4711, "http", ""}},
        {"last of a list", "for=\"10.0.0.1, 5\", for=\"10.0.0.2:80\"", {"10.0.0.2", 80, "", ""}},
        {"unknown", "for=unknown", {}},
        {"obfuscated", "for=_hidden;by=_x;secret=1", {}},
        {"IPv6 without brackets", "for=\"2001:db8::1\"", {}, false},
        {"name as node", "for=example", {}, false},
        {"for twice", "for=10.0.0.1;for=10.0.0.2", {}, false},
        {"host malformed", "host=\"a/b\"", {}, false},
        {"proto malformed", "proto=\"a b\"", {}, false},
        {"empty", "", {}, false},
        {"open string", "for=\"10.0.0.1", {}, false},
    };
    for (const Row& row : rows) {
        const auto read = parse_forwarded(row.in);
        EXPECT_EQ(read.has_value(), row.good) << row.name;
        if (read && row.good) EXPECT_EQ(*read, row.want) << row.name;
    }
    EXPECT_EQ(parse_forwarded(std::string(5000, 'a')).error().code, Errc::too_large);
}

}  // namespace
}  // namespace sallyport
