#include "wire/field_section.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

std::string text(const FieldSection& fields) {
    std::string out;
    for (const Field& field : fields) out += std::string(field.name) + ":" + std::string(field.value) + "|";
    return out;
}

TEST(FieldSection, FindsWithoutCase) {
    FieldSection fields;
    fields.add("Content-Type", "a");
    fields.add("X-Other", "1");
    fields.add("x-other", "2");
    EXPECT_EQ(fields.find("content-TYPE"), "a");
    EXPECT_EQ(fields.find(FieldId::content_type), "a");
    EXPECT_EQ(fields.count("X-OTHER"), 2u);
    EXPECT_FALSE(fields.contains("absent"));
    fields.set("X-Other", "3");
    EXPECT_EQ(text(fields), "Content-Type:a|X-Other:3|");
    EXPECT_EQ(fields.remove(FieldId::content_type), 1u);
    fields.clear();
    EXPECT_TRUE(fields.empty());
}

TEST(FieldSection, NothingAddedEndsALine) {
    FieldSection fields;
    fields.add("A\r\nB", " x\r\nSet-Cookie: y\0z ");
    fields.add("C", std::string_view("\0", 1));
    EXPECT_EQ(text(fields), "A--B:x  Set-Cookie: y|C: |");
}

TEST(FieldSection, CopiesItsOwnViews) {
    FieldSection fields;
    fields.add("A", "a value that does not fit a short string");
    for (int i = 0; i < 50; ++i) fields.add(fields[0].name, fields[0].value);
    for (const Field& field : fields) EXPECT_EQ(field.value, "a value that does not fit a short string");
    fields.set("A", *fields.find("a"));
    EXPECT_EQ(text(fields), "A:a value that does not fit a short string|");
}

TEST(FieldSection, KnowsItsNames) {
    EXPECT_EQ(field_id("TE"), FieldId::te);
    EXPECT_EQ(field_id("hOST"), FieldId::host);
    EXPECT_EQ(field_id("Strict-Transport-Security"), FieldId::strict_transport_security);
    EXPECT_EQ(field_id("x-forwarded-hos7"), FieldId::other);
    EXPECT_EQ(field_id(""), FieldId::other);
    EXPECT_EQ(field_id(std::string(99, 'a')), FieldId::other);
}

TEST(FieldSection, DropsWhatConcernsTheConnection) {
    FieldSection fields;
    fields.add("Connection", "close, X-Mine,  host, Content-Length, \"x,y\"");
    fields.add("connection", "X-Yours");
    fields.add("X-Mine", "1");
    fields.add("Host", "h");
    fields.add("X-Yours", "2");
    fields.add("X-Theirs", "3");
    fields.add("Content-Length", "4");
    fields.add("Keep-Alive", "5");
    fields.add("TE", "trailers");
    fields.add("Upgrade", "u");
    fields.add("Proxy-Authorization", "p");
    EXPECT_EQ(remove_connection_fields(fields), 8u);
    EXPECT_EQ(text(fields), "Host:h|X-Theirs:3|Content-Length:4|");
}

TEST(FieldSection, ForbidsTrailersThatSteer) {
    const auto forbidden = [](std::string_view name) {
        return is_forbidden_trailer({name, "", field_id(name), name.find('_') != std::string_view::npos});
    };
    for (const auto* name :
         {"Content-Length", "transfer-encoding", "Host", "Cache-Control", "Set-Cookie", "X-Forwarded-For", "a_b"})
        EXPECT_TRUE(forbidden(name)) << name;
    for (const auto* name : {"Server-Timing", "ETag", "Digest", "grpc-status"}) EXPECT_FALSE(forbidden(name)) << name;
}

TEST(HttpSyntax, SplitsLists) {
    std::string seen;
    for_each_list_member(" a ,, b;q=\"x,\\\"y\" ,\tc", [&](std::string_view member) { (seen += member) += '|'; });
    EXPECT_EQ(seen, "a|b;q=\"x,\\\"y\"|c|");
    EXPECT_TRUE(has_list_member("Keep-Alive, UPGRADE", "upgrade"));
    EXPECT_FALSE(has_list_member("keep-alive, upgraded", "upgrade"));
    for_each_list_member("\"open, \\", [&](std::string_view member) { EXPECT_EQ(member, "\"open, \\"); });
}

}  // namespace
}  // namespace sallyport
