// field_section.h: an ordered list of HTTP fields (RFC 9110 5), header or trailer section. One owned buffer plus
// offsets: after the first few messages of a connection, filling and clearing one allocates nothing. Names compare
// without case. Views taken from it live until the next add(), set(), clear() or assignment.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/octets.h"
#include "wire/http_syntax.h"

namespace sallyport {

// The field names that the edge has rules for; looked up once when a field is added, so that asking is one compare.
enum class FieldId : std::uint8_t {
    other,
    accept,
    age,
    authorization,
    cdn_loop,
    connection,
    content_length,
    content_type,
    cookie,
    date,
    expect,
    forwarded,
    host,
    http2_settings,
    keep_alive,
    location,
    proxy_authenticate,
    proxy_authorization,
    proxy_connection,
    proxy_status,
    retry_after,
    sec_websocket_accept,
    sec_websocket_extensions,
    sec_websocket_key,
    sec_websocket_protocol,
    sec_websocket_version,
    server,
    set_cookie,
    strict_transport_security,
    te,
    trailer,
    transfer_encoding,
    upgrade,
    via,
    x_forwarded_for,
    x_forwarded_host,
    x_forwarded_port,
    x_forwarded_proto,
    x_real_ip,
};

// FieldId::other for names without one.
FieldId field_id(std::string_view name);

struct Field {
    std::string_view name;   // as sent
    std::string_view value;  // without the OWS around it
    FieldId id = FieldId::other;
    // "x_forwarded_for" and its like: CGI-style origins confuse '_' and '-', so the edge drops these.
    bool has_underscore = false;
};

inline constexpr std::size_t kMaxFieldName = 1024;  // arbitrary; real names stay under 64

class FieldSection {
public:
    class Iterator {
    public:
        using value_type = Field;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        Iterator(const FieldSection* section, std::size_t index) : section_(section), index_(index) {}
        Field operator*() const { return (*section_)[index_]; }
        Iterator& operator++() {
            ++index_;
            return *this;
        }
        Iterator operator++(int) {
            Iterator old = *this;
            ++index_;
            return old;
        }
        bool operator==(const Iterator& other) const { return index_ == other.index_; }

    private:
        const FieldSection* section_ = nullptr;
        std::size_t index_ = 0;
    };

    void clear();  // keeps the memory
    std::size_t size() const { return entries_.size(); }
    bool empty() const { return entries_.empty(); }
    Field operator[](std::size_t index) const;
    Iterator begin() const { return {this, 0}; }
    Iterator end() const { return {this, entries_.size()}; }

    // The first field of that name.
    std::optional<std::string_view> find(FieldId id) const;
    std::optional<std::string_view> find(std::string_view name) const;
    std::size_t count(FieldId id) const;
    std::size_t count(std::string_view name) const;
    bool contains(FieldId id) const { return find(id).has_value(); }
    bool contains(std::string_view name) const { return find(name).has_value(); }

    // True if any field of that name has `token` as a member of its comma list, compared without case.
    bool has_member(FieldId id, std::string_view token) const;

    // Octets that may not stand in a field value (CR, LF, NUL, other controls) become spaces: nothing added can end a
    // line.
    void add(std::string_view name, std::string_view value);
    void set(std::string_view name, std::string_view value);  // replaces every field of that name by one, at the end

    // Each returns how many went.
    std::size_t remove(FieldId id);
    std::size_t remove(std::string_view name);
    template <class Predicate>
    std::size_t remove_if(Predicate&& predicate) {  // predicate(const Field&) -> bool
        std::size_t kept = 0;
        for (std::size_t i = 0; i < entries_.size(); ++i)
            if (!predicate((*this)[i])) entries_[kept++] = entries_[i];
        const std::size_t removed = entries_.size() - kept;
        entries_.resize(kept);
        return removed;
    }

    bool has_underscore_names() const { return has_underscore_names_; }  // says so for removed ones too
    std::size_t octets() const { return buffer_.size(); }                // of memory used; removed fields still count

    // For parsers. The text of a whole section is taken over once; fields are then positions in it.
    void take_text(std::string_view text);
    // Positions in the text taken; name is a token, value holds field octets only.
    void add_at(std::size_t name_at, std::size_t name_length, std::size_t value_at, std::size_t value_length);

private:
    struct Entry {
        std::uint32_t name_at;
        std::uint32_t value_at;
        std::uint32_t value_length;
        std::uint16_t name_length;
        FieldId id;
        bool has_underscore;
    };
    std::string buffer_;
    std::vector<Entry> entries_;
    bool has_underscore_names_ = false;
};

// Drops what concerns one connection only (RFC 9110 7.6.1): Connection, the fields it nominates, Keep-Alive,
// Proxy-Connection, Proxy-Authenticate, Proxy-Authorization, TE, Upgrade, HTTP2-Settings. Host, Content-Length,
// Transfer-Encoding and Trailer stay whatever Connection says (their own rules decide). Returns how many went.
std::size_t remove_connection_fields(FieldSection& fields);

// True for fields that must not stand in a trailer section (RFC 9110 6.5.1): framing, routing, modifiers,
// authentication.
bool is_forbidden_trailer(const Field& field);

}  // namespace sallyport
