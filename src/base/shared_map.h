// shared_map.h: a map from text to values whose copies share what they have in common. Copying one costs nothing, and a change
// costs about the same however many entries there are: only the nodes on the way to it are made anew (a hash array mapped
// trie). So what many threads read stays immutable, and a change doesn't rebuild it.
//
// Copies may be read and changed on different threads; one copy belongs to one thread at a time. A value lives as long as any
// copy that holds it.
#pragma once
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport {

template <class Value>
class SharedMap {
public:
    SharedMap() = default;
    // Of two entries with one key the first counts.
    explicit SharedMap(std::vector<std::pair<std::string, Value>> entries) {
        Entries made;
        for (auto& [key, value] : entries) {
            const std::size_t hash = hash_of(key);
            made.push_back({hash, std::make_shared<const Item>(std::move(key), std::move(value))});
        }
        root_ = spread(std::move(made), 0, size_);
    }

    std::size_t size() const { return size_; }

    const Value* find(std::string_view key) const {
        const std::size_t hash = hash_of(key);
        const Node* node = root_.get();
        for (std::size_t depth = 0; node && !node->children.empty(); ++depth) node = node->children[place(hash, depth)].get();
        if (!node) return nullptr;
        for (const Entry& entry : node->entries)
            if (entry.hash == hash && entry.item->key == key) return &entry.item->value;
        return nullptr;
    }

    // In place of what the key had before.
    void set(std::string key, Value value) {
        const std::size_t hash = hash_of(key);
        root_ = with(root_.get(), {hash, std::make_shared<const Item>(std::move(key), std::move(value))}, 0);
    }

    void erase(std::string_view key) {
        if (find(key)) root_ = without(*root_, hash_of(key), key, 0);
    }

    // fn(const std::string& key, const Value& value), in no order.
    template <class Fn>
    void for_each(Fn&& fn) const {
        if (root_) visit(*root_, fn);
    }

private:
    static constexpr std::size_t kBits = 4;  // 16 ways at each node
    static constexpr std::size_t kWays = std::size_t{1} << kBits;
    static constexpr std::size_t kDeepest = sizeof(std::size_t) * 8 / kBits;  // then hashes are equal
    static constexpr std::size_t kMostEntries = 8;                            // of a leaf: a cache line or two to look through

    struct Item {
        std::string key;
        Value value;
    };
    struct Entry {
        std::size_t hash;
        std::shared_ptr<const Item> item;
    };
    using Entries = std::vector<Entry>;
    struct Node;
    using NodePtr = std::shared_ptr<const Node>;
    struct Node {
        Entries entries;                // of a leaf
        std::vector<NodePtr> children;  // kWays of them, or none: a leaf
    };

    static std::size_t hash_of(std::string_view key) { return std::hash<std::string_view>{}(key); }
    static std::size_t place(std::size_t hash, std::size_t depth) { return (hash >> (depth * kBits)) % kWays; }

    // A tree of the entries; counts those that were new.
    static NodePtr spread(Entries entries, std::size_t depth, std::size_t& count) {
        if (entries.empty()) return nullptr;
        auto node = std::make_shared<Node>();
        if (entries.size() <= kMostEntries || depth == kDeepest) {
            for (Entry& entry : entries)
                if (!holds(node->entries, entry)) node->entries.push_back(std::move(entry));
            count += node->entries.size();
            return node;
        }
        std::array<Entries, kWays> parts;
        for (Entry& entry : entries) parts[place(entry.hash, depth)].push_back(std::move(entry));
        for (Entries& part : parts) node->children.push_back(spread(std::move(part), depth + 1, count));
        return node;
    }
    static bool holds(const Entries& entries, const Entry& wanted) {
        for (const Entry& entry : entries)
            if (entry.hash == wanted.hash && entry.item->key == wanted.item->key) return true;
        return false;
    }

    NodePtr with(const Node* node, Entry entry, std::size_t depth) {
        auto made = node ? std::make_shared<Node>(*node) : std::make_shared<Node>();
        if (!made->children.empty()) {
            NodePtr& child = made->children[place(entry.hash, depth)];
            child = with(child.get(), std::move(entry), depth + 1);
            return made;
        }
        for (Entry& held : made->entries) {
            if (held.hash != entry.hash || held.item->key != entry.item->key) continue;
            held = std::move(entry);
            return made;
        }
        made->entries.push_back(std::move(entry));
        ++size_;
        std::size_t counted = 0;
        return made->entries.size() <= kMostEntries ? made : spread(std::move(made->entries), depth, counted);
    }

    // The key is there.
    NodePtr without(const Node& node, std::size_t hash, std::string_view key, std::size_t depth) {
        auto made = std::make_shared<Node>(node);
        if (made->children.empty()) {
            std::erase_if(made->entries, [&](const Entry& entry) { return entry.hash == hash && entry.item->key == key; });
            --size_;
            return made->entries.empty() ? nullptr : made;
        }
        NodePtr& child = made->children[place(hash, depth)];
        child = without(*child, hash, key, depth + 1);
        for (const NodePtr& left : made->children)
            if (left) return made;
        return nullptr;
    }

    template <class Fn>
    static void visit(const Node& node, Fn& fn) {
        for (const Entry& entry : node.entries) fn(entry.item->key, entry.item->value);
        for (const NodePtr& child : node.children)
            if (child) visit(*child, fn);
    }

    NodePtr root_;
    std::size_t size_ = 0;
};

}  // namespace sallyport
