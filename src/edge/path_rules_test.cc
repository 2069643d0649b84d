#include "edge/path_rules.h"

#include <gtest/gtest.h>

#include "edge/path_reading.h"

namespace sallyport {
namespace {

using Verdict = PathRules::Verdict;

PathRules rules(std::initializer_list<std::string_view> allow, std::initializer_list<std::string_view> deny) {
    PathRules made;
    for (const std::string_view text : allow) made.allow.push_back(*PathPattern::parse(text));
    for (const std::string_view text : deny) made.deny.push_back(*PathPattern::parse(text));
    return made;
}

TEST(PathReading, IsTheOneThatEverybodyAgreesOn) {
    struct Row {
        std::string_view path;
        std::string_view reading;
    };
    const Row rows[] = {
        {"/", "/"}, {"/a", "/a"}, {"/a/", "/a/"}, {"/a/b.c", "/a/b.c"}, {"/%61", "/a"}, {"/%c3%A4", "/ä"}, {"/\xc3\xa4", "/ä"},
        {"/a%20b", "/a b"}, {"/100%25", "/100%"}, {"/100%25.jpg", "/100%.jpg"}, {"/.well-known/x", "/.well-known/x"}, {"/..a", "/..a"},
        {"/a;v=1", "/a;v=1"}, {"/a.", "/a."}, {"/a+b", "/a+b"}, {"/a%3fb", "/a?b"}, {"/a:b@c,d=e&f", "/a:b@c,d=e&f"},
    };
    for (const Row& row : rows) {
        std::string reading;
        EXPECT_TRUE(read_path(row.path, reading)) << row.path;
        EXPECT_EQ(reading, row.reading);
    }
}

TEST(PathReading, IsNoneWhereServersDiffer) {
    using namespace std::string_view_literals;
    const std::string_view rows[] = {
        "", "*", "a", "//", "//a", "/a//b", "/a//", "/.", "/..", "/./", "/../", "/a/.", "/a/..", "/a/./b", "/a/../b", "/...", "/a/ /b", "/a/%20/b",
        "/%2e", "/%2e%2e/b", "/.%2E/b", "/a/%2e/b", "/..;/b", "/..;x=1/b", "/.;/b", "/;/b", "/;x", "/a;x/b", "/a./b", "/a /b", "/a%20/b",
        "/a%2fb", "/a%2Fb", "/a\\b", "/a%5cb", "/a%5Cb", "/%", "/%2", "/%zz", "/%u002f", "/%%32%66",
        "/%252f", "/%2541", "/%25u002f", "/%25%32%66", "/a%00b", "/a%0ab", "/a%7f", "/\x01", "/%c0%af", "/%c0%ae", "/\xff", "/%e0%80%af", "/%ed%a0%80", "/a%ff"};
    for (const std::string_view path : rows) {
        std::string reading;
        EXPECT_FALSE(read_path(path, reading)) << path;
    }
}

TEST(PathRules, DenyWhateverALenientOriginCouldTakeForThePath) {
    const PathRules closed = rules({}, {"/api/template", "/api/hassio*", "/straße"});
    struct Row {
        std::string_view path;
        Verdict verdict;
    };
    const Row rows[] = {
        {"/", Verdict::pass},
        {"/api", Verdict::pass},
        {"/api/", Verdict::pass},
        {"/api/templates", Verdict::pass},
        {"/api/template-x", Verdict::pass},
        {"/api/template_x", Verdict::pass},
        {"/api/websocket", Verdict::pass},
        {"/local/api/template", Verdict::pass},
        {"/api/hassi", Verdict::pass},
        {"/api/template", Verdict::denied},
        {"/api/template/", Verdict::denied},
        {"/api/template/x", Verdict::denied},
        {"/api/template.json", Verdict::denied},
        {"/api/template;x=1", Verdict::denied},
        {"/api/template%20", Verdict::denied},
        {"/api/template.", Verdict::denied},
        {"/api/template%3f", Verdict::denied},
        {"/api/template%23", Verdict::denied},
        {"/api/template::$DATA", Verdict::denied},
        {"/API/Template", Verdict::denied},
        {"/%61pi/%74emplate", Verdict::denied},
        {"/api/hassio", Verdict::denied},
        {"/api/hassio_ingress/x/", Verdict::denied},
        {"/api/ha%73%53io/addons", Verdict::denied},
        {"/api/ha%c5%bf%c5%bfio", Verdict::denied},  // U+017F, a long s, is an S in upper case
        {"/api/hass\xc4\xb1o/x", Verdict::denied},   // U+0131, a dotless i
        {"/stra%C3%9fe", Verdict::denied},
        {"/stra%E1%BA%9Ee", Verdict::denied},        // the capital one
        {"/api/template%2f", Verdict::ambiguous},
        {"/api%2ftemplate", Verdict::ambiguous},
        {"/api%5ctemplate", Verdict::ambiguous},
        {"/api//template", Verdict::ambiguous},
        {"//api/template", Verdict::ambiguous},
        {"/api/./template", Verdict::ambiguous},
        {"/api/x/../template", Verdict::ambiguous},
        {"/api/x/%2e%2e/template", Verdict::ambiguous},
        {"/api/x/..;/template", Verdict::ambiguous},
        {"/api;x/template", Verdict::ambiguous},
        {"/api./template", Verdict::ambiguous},
        {"/api/%2574emplate", Verdict::ambiguous},
        {"*", Verdict::ambiguous},
    };
    for (const Row& row : rows) EXPECT_EQ(closed.judge(row.path), row.verdict) << row.path;
}

TEST(PathRules, AllowOnlyWhatIsMeantOctetForOctet) {
    const PathRules open = rules({"/public", "/app-*"}, {"/public/secret"});
    struct Row {
        std::string_view path;
        Verdict verdict;
    };
    const Row rows[] = {
        {"/public", Verdict::pass}, {"/public/", Verdict::pass}, {"/public/a%20b", Verdict::pass}, {"/%70ublic/x", Verdict::pass},
        {"/app-1", Verdict::pass}, {"/app-1/x", Verdict::pass},
        {"/", Verdict::denied}, {"/publicity", Verdict::denied}, {"/Public", Verdict::denied}, {"/public;x", Verdict::denied}, {"/app", Verdict::denied},
        {"/public/secret", Verdict::denied}, {"/public/SECRET.txt", Verdict::denied}, {"/public/secrets", Verdict::pass},
        {"/public/../x", Verdict::ambiguous}, {"/public/..", Verdict::ambiguous},
    };
    for (const Row& row : rows) EXPECT_EQ(open.judge(row.path), row.verdict) << row.path;
    EXPECT_EQ(rules({"/"}, {}).judge("/anything"), Verdict::pass);
    EXPECT_EQ(rules({}, {"/"}).judge("/anything"), Verdict::denied);
    EXPECT_EQ(rules({}, {}).judge("/a//b"), Verdict::pass);  // without rules every path passes octet for octet
}

TEST(PathPattern, IsAPlainPathThatMayEndInAStar) {
    struct Row {
        std::string_view given;
        std::string_view kept;  // "" for refused
    };
    const Row rows[] = {
        {"/", "/"}, {"/a", "/a"}, {"/a/", "/a"}, {"/a/*", "/a/*"}, {"/a*", "/a*"}, {"/*", "/*"}, {"/ä b", "/ä b"},
        {"", ""}, {"a", ""}, {"*", ""}, {"/a*b", ""}, {"/a**", ""}, {"/%61", ""}, {"/a?b", ""}, {"/a#b", ""}, {"/a;b", ""}, {"/a//b", ""},
        {"/a/../b", ""}, {"/a\\b", ""}, {"/\x01", ""}, {"/\xff", ""},
    };
    for (const Row& row : rows) {
        const auto parsed = PathPattern::parse(row.given);
        EXPECT_EQ(parsed ? parsed->text() : "", row.kept) << row.given;
    }
    EXPECT_FALSE(PathPattern::parse("/" + std::string(1024, 'a')));
}

}  // namespace
}  // namespace sallyport
