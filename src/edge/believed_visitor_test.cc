#include "edge/believed_visitor.h"

#include <gtest/gtest.h>

#include <vector>

namespace sallyport {
namespace {

const std::vector<IpNetwork> kTrusted{*IpNetwork::parse("10.0.0.0/24"), *IpNetwork::parse("fd00::/8")};

FieldSection fields_of(std::initializer_list<std::pair<std::string_view, std::string_view>> lines) {
    FieldSection fields;
    for (const auto& [name, value] : lines) fields.add(name, value);
    return fields;
}

// "": nobody is named; "?": nobody can be understood.
std::string whom(const FieldSection& fields) {
    const auto believed = believed_address(fields, kTrusted);
    if (!believed) return "?";
    return *believed ? (*believed)->text() : "";
}

TEST(BelievedVisitor, IsTheFirstFromTheRightWhoIsNoTrustedProxy) {
    struct Row {
        std::string_view field, address;
    };
    const Row rows[]{
        {"192.0.2.1", "192.0.2.1"},
        {"8.8.8.8, 192.0.2.1", "192.0.2.1"},
        {"8.8.8.8,192.0.2.1 , 10.0.0.7,\t10.0.0.9", "192.0.2.1"},
        {"8.8.8.8, 10.0.1.1, 10.0.0.9", "10.0.1.1"},
        {"10.0.0.7, 10.0.0.9", "10.0.0.7"},
        {"2001:DB8::1, fd00::1", "2001:db8::1"},
        {"[2001:db8::1]:4711", "2001:db8::1"},
        {"192.0.2.1:4711", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"192.0.2.1,,", "192.0.2.1"},
        {"\"8.8.8.8, 192.0.2.1", "192.0.2.1"},
        {"", ""},
        {" , ", ""},
        {"unknown", "?"},
        {"192.0.2.1, unknown", "?"},
        {"home.example", "?"},
        {"192.0.2.1, 10.0.0.9x", "?"},
        {"8.8.8.8, _x, 10.0.0.9", "?"},
        {"192.0.2.1 8.8.8.8", "?"},
        {"127.1", "?"},
    };
    for (const Row& row : rows) EXPECT_EQ(whom(fields_of({{"X-Forwarded-For", row.field}})), row.address) << row.field;
}

TEST(BelievedVisitor, ReadsSeveralLinesAsOneList) {
    EXPECT_EQ(whom(fields_of({{"X-Forwarded-For", "8.8.8.8"}, {"x-forwarded-for", "192.0.2.1, 10.0.0.3"}, {"X-FORWARDED-FOR", "10.0.0.9"}})), "192.0.2.1");
    EXPECT_EQ(whom(fields_of({{"X_Forwarded_For", "8.8.8.8"}})), "");
}

TEST(BelievedVisitor, ReadsForwardedOnlyWithoutXForwardedFor) {
    struct Row {
        std::string_view field, address;
    };
    const Row rows[]{
        {"for=192.0.2.1", "192.0.2.1"},
        {"for=8.8.8.8, For=\"[2001:db8::1]:47\";proto=https, for=10.0.0.9;by=10.0.0.8", "2001:db8::1"},
        {"for=unknown", "?"},
        {"for=_hidden, for=10.0.0.9", "?"},
        {"proto=https", "?"},
        {"for=8.8.8.8;x=\", for=192.0.2.1", "?"},
        {"for=8.8.8.8;x=\", for=\"[2001:db8::1]\"", "?"},
    };
    for (const Row& row : rows) EXPECT_EQ(whom(fields_of({{"Forwarded", row.field}})), row.address) << row.field;
    EXPECT_EQ(whom(fields_of({{"Forwarded", "for=8.8.8.8"}, {"X-Forwarded-For", "192.0.2.1"}})), "192.0.2.1");
}

TEST(BelievedVisitor, TakesTheSchemeOfTheNearest) {
    EXPECT_EQ(believed_scheme(fields_of({})), std::nullopt);
    EXPECT_EQ(believed_scheme(fields_of({{"X-Forwarded-Proto", "https"}})), Scheme::https);
    EXPECT_EQ(believed_scheme(fields_of({{"X-Forwarded-Proto", "WSS"}})), Scheme::https);
    EXPECT_EQ(believed_scheme(fields_of({{"X-Forwarded-Proto", "https, http"}})), Scheme::http);
    EXPECT_EQ(believed_scheme(fields_of({{"X-Forwarded-Proto", "https"}, {"X-Forwarded-Proto", "http"}})), Scheme::http);
    EXPECT_EQ(believed_scheme(fields_of({{"X-Forwarded-Proto", "http"}, {"Forwarded", "for=1.2.3.4;proto=https"}})), Scheme::http);
    EXPECT_EQ(believed_scheme(fields_of({{"Forwarded", "for=1.2.3.4;proto=http, for=10.0.0.9;proto=https"}})), Scheme::https);
    EXPECT_EQ(believed_scheme(fields_of({{"Forwarded", "for=10.0.0.9"}})), std::nullopt);
    EXPECT_EQ(believed_scheme(fields_of({{"Forwarded", "=;"}})), std::nullopt);
}

}  // namespace
}  // namespace sallyport
