#include "config/yaml.h"

#include <gmock/gmock.h>

namespace sallyport {
namespace {

// The tree as one line: {a@1: x, b@2: [y, ~]}
std::string shape(const Node& node) {
    if (node.kind == Node::Kind::null) return "~";
    if (node.kind == Node::Kind::scalar) return node.text;
    std::string out;
    for (const Node& item : node.items) {
        if (!out.empty()) out += ", ";
        if (node.kind == Node::Kind::mapping) out += item.key + "@" + std::to_string(item.line) + ": ";
        out += shape(item);
    }
    return node.kind == Node::Kind::mapping ? "{" + out + "}" : "[" + out + "]";
}

TEST(Yaml, ReadsYamlAndJsonWithLines) {
    const struct {
        std::string_view text, shape;
    } rows[] = {
        {"", "~"},
        {"# nothing\n", "~"},
        {"a: x\n\nb:\n  - y\n  -\nc:\n  d: 'q: #'\n", "{a@1: x, b@3: [y, ~], c@6: {d@7: q: #}}"},
        {"{\n  \"a\": \"\",\n  \"b\": [1, true, null],\n  \"c\": {\"d\": 5}\n}\n", "{a@2: , b@3: [1, true, ~], c@4: {d@4: 5}}"},
        {"{\n\t\"a\": 1,\n\t\"b\": [\n\t\t2\n\t]\n}\n", "{a@2: 1, b@3: [2]}"},
        {R"({"a":"x\/y\u00e9\"","b":"C:\\d"})", "{a@1: x/y\xc3\xa9\"\x2c b@1: C:\\d}"},
        {"a: x\r\nb: y\r\n", "{a@1: x, b@2: y}"},
        {"\xef\xbb\xbf" "a: x\n", "{a@1: x}"},
        {"a: |\n  two\n  lines\n", "{a@1: two\nlines\n}"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"word", "word"},
    };
    for (const auto& row : rows) {
        const auto node = parse_yaml(row.text, "x.yaml");
        ASSERT_TRUE(node) << row.text << ": " << node.error().detail;
        EXPECT_EQ(shape(*node), row.shape) << row.text;
    }
}

TEST(Yaml, NamesTheLineOfWhatIsWrong) {
    const struct {
        std::string text;
        std::string_view error;
    } rows[] = {
        {"a: x\nb: [1, 2\n", "x.yaml:3: end of sequence flow not found"},
        {"a: x\n b: y\n", "x.yaml:2: illegal map value"},
        {"a: x\nb: y\na: z\n", "x.yaml:3: key \"a\" stands here for the second time (first in line 1)"},
        {"a: &x 1\n", "x.yaml:1: anchors (&name) are not supported"},
        {"a: x\nb: *x\n", "x.yaml:2: the referenced anchor is not defined"},
        {"a: 1\nb: !secret key\n", "x.yaml:2: tags (like !secret) are not supported"},
        {"a: !!int 1\n", "x.yaml:1: tags (like !secret) are not supported"},
        {"? [a]\n: 1\n", "x.yaml:1: a key must be a plain word"},
        {"'': 1\n", "x.yaml:1: a key must be a plain word"},
        {"~: 1\n", "x.yaml:1: a key must be a plain word"},
        {"a: 1\n---\nb: 2\n", "x.yaml:1: more than one YAML document"},
        {std::string("a: \0", 4), "x.yaml: not a text file"},
        {std::string(17, '[') + std::string(17, ']'), "x.yaml:1: nested too deeply"},
        {std::string(100'000, '['), "x.yaml:1: "},
        {std::string(100'000, '{'), "x.yaml:1: "},
        {std::string((1 << 20) + 1, '#'), "x.yaml: larger than 1 MiB"},
    };
    for (const auto& row : rows) {
        const auto node = parse_yaml(row.text, "x.yaml");
        ASSERT_FALSE(node) << row.text.substr(0, 80);
        EXPECT_EQ(node.error().code, Errc::invalid_config);
        EXPECT_THAT(node.error().detail, testing::StartsWith(row.error)) << row.text.substr(0, 80);
    }
}

}  // namespace
}  // namespace sallyport
