// reader.h: configuration entries to typed values. Every function reads one key into `out`, which keeps its value (the
// default) where the key is unset or wrong; what is wrong is collected, and finish() tells it all at once, one line each:
//   relay.yaml:12: heartbeat_interval: "30" has no unit
//   relay.yaml:14: unknown key "htps_listen" (did you mean "https_listen"?)
// Keys that were asked for are the known ones. A variable that nobody asked for is only a warning: the same environment may
// serve other programs. A secret's value never stands in a message.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/octets.h"
#include "base/result.h"
#include "base/secret.h"
#include "config/document.h"

namespace sallyport {

class Reader {
public:
    explicit Reader(const Document& document);
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // "" and nothing are unset in these.
    void read_text(std::string_view key, std::string& out);
    void read_path(std::string_view key, std::filesystem::path& out);
    void read_secret(std::string_view key, Secret& out);
    template <class T, class Parse>  // Parse: Result<T>(std::string_view)
    void read_parsed(std::string_view key, std::optional<T>& out, Parse parse) {
        with_text(key, [&](const std::string& text) -> Result<> { return store(parse(text), out); });
    }

    // "" is wrong in these.
    void read_bool(std::string_view key, bool& out);  // true false yes no on off
    void read_integer(std::string_view key, std::uint32_t& out, std::uint32_t least, std::uint32_t most);
    void read_duration(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds least,
                       std::chrono::milliseconds most);  // Go syntax
    void read_octets(std::string_view key, ByteCount& out, ByteCount least, ByteCount most);  // 64MiB; 0 too, whatever `least`
    template <class T>
    void read_choice(std::string_view key, T& out, std::initializer_list<std::pair<std::string_view, T>> choices) {
        with_value(key, [&](const std::string& text) -> Result<> {
            std::string names;
            for (const auto& [name, value] : choices) {
                if (name == text) {
                    out = value;
                    return {};
                }
                names += (names.empty() ? "" : ", ") + std::string(name);
            }
            return fail(Errc::invalid_config, quoted(text) + " is none of " + names);
        });
    }
    template <class T, class Parse>
    void read_value(std::string_view key, T& out, Parse parse) {
        with_value(key, [&](const std::string& text) -> Result<> { return store(parse(text), out); });
    }

    // Entries of a list or map. In a variable or flag the value is YAML or JSON text.
    struct Item {
        std::string name{};       // of a map's entry
        const Node* value = nullptr;
        std::string where{};      // "relay.yaml:12"
        std::string path{};       // "services.radio"
    };
    std::vector<Item> read_items(std::string_view key);

    // Reads a mapping inside an item with the functions above; its unknown keys are told like those at the top.
    void read_section(const Item& item, const std::function<void(Reader&)>& body);

    // The scalar in an item. For a wrong kind a problem is told and nothing given.
    std::optional<std::string> scalar(const Item& item);

    bool has(std::string_view key);     // set to anything but "" or nothing
    bool is_set(std::string_view key);  // "" or nothing counts too
    // Two names of one key: the name that is set in the highest layer; if one layer sets both, a problem.
    std::string_view either(std::string_view key, std::string_view alias);

    // Problems that only the caller can see.
    void refuse(std::string_view key, std::string_view reason);
    void refuse(const Item& item, std::string_view reason);
    void require(std::string_view key, std::string_view why);  // told if the key is unset

    Result<> finish();  // Errc::invalid_config; detail: the problems, one a line
    const std::vector<std::string>& warnings() const { return warnings_; }  // after finish()

    static std::string quoted(std::string_view text);  // for messages: bounded, controls replaced

private:
    using Take = std::function<Result<>(const std::string&)>;
    Reader(const Reader& outer, const Item& section);

    template <class T, class Out>
    static Result<> store(Result<T> parsed, Out& out) {
        if (!parsed) return std::unexpected(std::move(parsed.error()));
        out = std::move(*parsed);
        return {};
    }
    const Entry* find(std::string_view key);
    void with_text(std::string_view key, const Take& take);
    void with_value(std::string_view key, const Take& take);
    void with_scalar(std::string_view key, bool empty_is_unset, const Take& take);
    std::string describe(const Entry& entry) const;
    void tell(std::string problem);
    void tell_unknown(const Entry& entry);

    const std::string file_name_;
    const std::string where_;  // of what is missing: the file, or a section's line; "" without a file
    const std::string path_;   // "services.radio." in a section
    std::vector<Entry> entries_;
    std::vector<std::string> known_;
    std::list<Node> parsed_;  // structures out of variables and flags; Items point into them
    std::vector<std::string>* problems_;
    std::vector<std::string> own_problems_;
    std::vector<std::string> warnings_;
};

}  // namespace sallyport
