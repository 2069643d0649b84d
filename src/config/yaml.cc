#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>

namespace sallyport {
namespace {

constexpr std::size_t kMaxMembers = 10'000;  // arbitrary; keeps the search for doubles short

// Builds the tree. Open collections stand on a stack; a mapping takes a key, then a value, in turn.
class TreeBuilder : public YAML::EventHandler {
public:
    Node take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnAnchor(const YAML::Mark& mark, const std::string&) override { refuse(mark, "anchors (&name) are not supported"); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { refuse(mark, "aliases (*name) are not supported"); }

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        check(mark, "", anchor);
        add(mark, Node{.kind = Node::Kind::null, .line = line_of(mark)});
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
        check(mark, tag, anchor);
        add(mark, Node{.kind = Node::Kind::scalar, .line = line_of(mark), .text = value});
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, Node::Kind::sequence);
    }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, Node::Kind::mapping);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

private:
    struct Open {
        Node node;
        std::string key{};  // the key read, while its value is awaited
        int key_line = 0;
        bool has_key = false;
    };

    static int line_of(const YAML::Mark& mark) { return mark.line + 1; }
    [[noreturn]] static void refuse(const YAML::Mark& mark, const std::string& why) { throw YAML::ParserException(mark, why); }

    // "?" is a plain scalar without tag, "!" a quoted one.
    static void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
        if (anchor != 0) refuse(mark, "anchors (&name) are not supported");
        if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags (like !secret) are not supported");
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
        check(mark, tag, anchor);
        if (stack_.size() >= static_cast<std::size_t>(kMaxConfigDepth)) refuse(mark, "nested too deeply");
        if (!stack_.empty() && stack_.back().node.kind == Node::Kind::mapping && !stack_.back().has_key)
            refuse(mark, "a key must be a plain word");
        stack_.push_back({.node = Node{.kind = kind, .line = line_of(mark)}});
    }

    void close() {
        Node done = std::move(stack_.back().node);
        stack_.pop_back();
        add({}, std::move(done));
    }

    void add(const YAML::Mark& mark, Node node) {
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& top = stack_.back();
        if (top.node.kind == Node::Kind::mapping && !top.has_key) return begin_member(top, mark, std::move(node));
        if (top.has_key) {
            node.key = std::move(top.key);
            node.line = top.key_line;
            top.has_key = false;
        }
        top.node.items.push_back(std::move(node));
    }

    static void begin_member(Open& top, const YAML::Mark& mark, Node key) {
        if (key.kind != Node::Kind::scalar || key.text.empty()) refuse(mark, "a key must be a plain word");
        if (top.node.items.size() >= kMaxMembers) refuse(mark, "too many keys");
        const auto twice = std::ranges::find(top.node.items, key.text, &Node::key);
        if (twice != top.node.items.end())
            refuse(mark, "key \"" + key.text + "\" stands here for the second time (first in line " + std::to_string(twice->line) + ")");
        top.key = std::move(key.text);
        top.key_line = key.line;
        top.has_key = true;
    }

    Node root_;
    std::vector<Open> stack_;
};

// A stream over octets that are there already.
class ViewBuffer : public std::streambuf {
public:
    explicit ViewBuffer(std::string_view text) {
        char* const begin = const_cast<char*>(text.data());  // setg() wants it so; nothing writes
        setg(begin, begin, begin + text.size());
    }
};

}  // namespace

Result<Node> parse_yaml(std::string_view text, std::string_view name) {
    const auto refuse = [&](int line, const std::string& why) {
        return fail(Errc::invalid_config, std::string(name) + ":" + std::to_string(line) + ": " + why);
    };
    if (text.size() > kMaxConfigFile) return fail(Errc::invalid_config, std::string(name) + ": larger than 1 MiB");
    if (text.contains('\0')) return fail(Errc::invalid_config, std::string(name) + ": not a text file");
    try {
        ViewBuffer buffer(text);
        std::istream in(&buffer);
        YAML::Parser parser(in);
        TreeBuilder tree;
        parser.HandleNextDocument(tree);
        Node root = tree.take();
        TreeBuilder second;
        if (parser.HandleNextDocument(second)) return refuse(root.line, "more than one YAML document");
        return root;
    } catch (const YAML::Exception& error) {
        return refuse(error.mark.is_null() ? 1 : error.mark.line + 1, error.msg);
    }
}

}  // namespace sallyport
