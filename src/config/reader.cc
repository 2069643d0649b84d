#include "config/reader.h"

#include <algorithm>
#include <charconv>

#include "config/suggest.h"
#include "config/yaml.h"
#include "wire/byte_size.h"
#include "wire/duration.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxProblems = 20;  // told at once; a file of another program would give hundreds

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_blank(const Node& node) {
    return node.kind == Node::Kind::null || (node.kind == Node::Kind::scalar && node.text.empty());
}

// In a variable or flag, text that looks like YAML's flow style is a list or map.
bool looks_structured(std::string_view text) { return text.starts_with('[') || text.starts_with('{'); }

std::vector<Entry> entries_of(const Reader::Item& item, std::string_view file_prefix) {
    std::vector<Entry> entries;
    for (const Node& node : item.value->items) {
        const std::string where = file_prefix.empty() ? item.where : std::string(file_prefix) + ":" + std::to_string(node.line);
        entries.push_back({node.key, Layer::file, where, node});
    }
    return entries;
}

}  // namespace

Reader::Reader(const Document& document)
    : file_name_(document.file_name()), where_(file_name_), entries_(document.entries()), problems_(&own_problems_) {}

Reader::Reader(const Reader& outer, const Item& section)
    : file_name_(section.where.starts_with(outer.file_name_ + ":") ? outer.file_name_ : std::string()),
      where_(section.where),
      path_(section.path + "."),
      entries_(entries_of(section, file_name_)),
      problems_(outer.problems_) {}

std::string Reader::quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text.substr(0, 80)) out += is_control(c) ? '?' : c;
    return out + (text.size() > 80 ? "...\"" : "\"");
}

const Entry* Reader::find(std::string_view key) {
    if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
    const auto found = std::ranges::find(entries_, key, &Entry::key);
    return found == entries_.end() ? nullptr : &*found;
}

bool Reader::is_set(std::string_view key) { return find(key) != nullptr; }

bool Reader::has(std::string_view key) {
    const Entry* const entry = find(key);
    return entry != nullptr && !is_blank(entry->value);
}

// A flag or variable names its key itself.
std::string Reader::describe(const Entry& entry) const {
    return entry.layer == Layer::file ? entry.where + ": " + path_ + entry.key : entry.where;
}

void Reader::tell(std::string problem) {
    if (problems_->size() < kMaxProblems) problems_->push_back(std::move(problem));
    else if (problems_->size() == kMaxProblems) problems_->push_back("and more");
}

void Reader::refuse(std::string_view key, std::string_view reason) {
    const Entry* const entry = find(key);
    const std::string place = where_.empty() ? "" : where_ + ": ";
    tell((entry != nullptr ? describe(*entry) : place + path_ + std::string(key)) + ": " + std::string(reason));
}

void Reader::refuse(const Item& item, std::string_view reason) {
    tell(item.where + ": " + item.path + ": " + std::string(reason));
}

void Reader::require(std::string_view key, std::string_view why) {
    if (has(key)) return;
    std::string how = "set it ";
    if (path_.empty()) how += "in the configuration, with " + flag_of(key) + " or as environment " + variable_of(key);
    else how += "here";
    refuse(key, "missing: " + std::string(why) + " (" + how + ")");
}

void Reader::with_scalar(std::string_view key, bool empty_is_unset, const Take& take) {
    const Entry* const entry = find(key);
    if (entry == nullptr || (empty_is_unset && is_blank(entry->value))) return;
    if (is_blank(entry->value)) return refuse(key, "has no value");
    if (entry->value.kind != Node::Kind::scalar) return refuse(key, "one value is expected, not a list or map");
    if (auto taken = take(entry->value.text); !taken) refuse(key, taken.error().detail);
}

void Reader::with_text(std::string_view key, const Take& take) { with_scalar(key, true, take); }
void Reader::with_value(std::string_view key, const Take& take) { with_scalar(key, false, take); }

void Reader::read_text(std::string_view key, std::string& out) {
    with_text(key, [&](const std::string& text) -> Result<> {
        if (std::ranges::any_of(text, is_control)) return fail(Errc::invalid_config, "holds control characters");
        out = text;
        return {};
    });
}

void Reader::read_path(std::string_view key, std::filesystem::path& out) {
    std::string text;
    read_text(key, text);
    if (!text.empty()) out = std::move(text);
}

void Reader::read_secret(std::string_view key, Secret& out) {
    with_text(key, [&](const std::string& text) -> Result<> {
        if (std::ranges::any_of(text, is_control)) return fail(Errc::invalid_config, "holds control characters");
        out = Secret(text);
        return {};
    });
}

void Reader::read_bool(std::string_view key, bool& out) {
    read_choice<bool>(key, out, {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}});
}

void Reader::read_integer(std::string_view key, std::uint32_t& out, std::uint32_t least, std::uint32_t most) {
    with_value(key, [&](const std::string& text) -> Result<> {
        std::uint32_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most)
            return fail(Errc::invalid_config,
                        quoted(text) + " is no whole number from " + std::to_string(least) + " to " + std::to_string(most));
        out = number;
        return {};
    });
}

void Reader::read_duration(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds least,
                           std::chrono::milliseconds most) {
    with_value(key, [&](const std::string& text) -> Result<> {
        const auto duration = parse_duration(text);
        if (!duration) return std::unexpected(duration.error());
        if (*duration < least || *duration > most)
            return fail(Errc::invalid_config,
                        quoted(text) + " is outside of " + format_duration(least) + " to " + format_duration(most));
        out = std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
        return {};
    });
}

void Reader::read_octets(std::string_view key, ByteCount& out, ByteCount least, ByteCount most) {
    with_value(key, [&](const std::string& text) -> Result<> {
        const auto octets = parse_byte_size(text);
        if (!octets) return std::unexpected(octets.error());
        if ((*octets < least && *octets != 0) || *octets > most)
            return fail(Errc::invalid_config,
                        quoted(text) + " is outside of " + format_byte_size(least) + " to " + format_byte_size(most));
        out = *octets;
        return {};
    });
}

std::vector<Reader::Item> Reader::read_items(std::string_view key) {
    const Entry* const entry = find(key);
    if (entry == nullptr || is_blank(entry->value)) return {};
    const Node* list = &entry->value;
    if (entry->layer != Layer::file && looks_structured(list->text)) {
        auto parsed = parse_yaml(list->text, entry->where);
        if (!parsed) {
            tell(parsed.error().detail);
            return {};
        }
        list = &parsed_.emplace_back(std::move(*parsed));
    }
    const std::string path = path_ + std::string(key);
    const auto where = [&](int line) { return entry->layer == Layer::file ? file_name_ + ":" + std::to_string(line) : entry->where; };
    if (list->kind == Node::Kind::scalar) return {{.value = list, .where = where(list->line), .path = path}};
    std::vector<Item> items;
    for (const Node& node : list->items) {
        const std::string step = node.key.empty() ? "[" + std::to_string(items.size()) + "]" : "." + node.key;
        items.push_back({.name = node.key, .value = &node, .where = where(node.line), .path = path + step});
    }
    return items;
}

void Reader::read_section(const Item& item, const std::function<void(Reader&)>& body) {
    if (item.value->kind != Node::Kind::mapping) return refuse(item, "\"key: value\" lines are expected");
    Reader section(*this, item);
    body(section);
    for (const Entry& entry : section.entries_) section.tell_unknown(entry);
}

std::optional<std::string> Reader::scalar(const Item& item) {
    if (is_blank(*item.value)) refuse(item, "has no value");
    else if (item.value->kind != Node::Kind::scalar) refuse(item, "one value is expected, not a list or map");
    else return item.value->text;
    return std::nullopt;
}

std::string_view Reader::either(std::string_view key, std::string_view alias) {
    const Entry* const first = find(key);
    const Entry* const second = find(alias);
    const bool has_first = first != nullptr && !is_blank(first->value), has_second = second != nullptr && !is_blank(second->value);
    if (!has_first || !has_second) return has_second ? alias : key;
    if (first->layer == second->layer) refuse(alias, "is another name of " + std::string(key) + "; keep one of them");
    return second->layer > first->layer ? alias : key;
}

void Reader::tell_unknown(const Entry& entry) {
    if (std::ranges::find(known_, entry.key) != known_.end()) return;
    const std::string nearest = nearest_name(entry.key, known_);
    const std::string hint = nearest.empty() ? "" : " (did you mean \"" + nearest + "\"?)";
    switch (entry.layer) {
        case Layer::file: return tell(entry.where + ": unknown key " + quoted(path_ + entry.key) + hint);
        case Layer::flag: return tell(entry.where + ": unknown flag" + hint);
        case Layer::environment: warnings_.push_back(entry.where + ": no key of this name" + hint);
    }
}

Result<> Reader::finish() {
    for (const Entry& entry : entries_) tell_unknown(entry);
    if (problems_->empty()) return {};
    std::string all;
    for (const std::string& problem : *problems_) all += (all.empty() ? "" : "\n") + problem;
    return fail(Errc::invalid_config, std::move(all));
}

}  // namespace sallyport
