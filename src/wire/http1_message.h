// http1_message.h: the head of an HTTP/1 request or response as values (RFC 9112), and how its content is framed.
// Heads are meant to be kept and reused: clear() keeps their memory.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/octets.h"
#include "wire/field_section.h"

namespace sallyport {

// Where the content of a message ends (RFC 9112 6.3).
struct Framing {
    enum class Kind : std::uint8_t {
        none,            // no content at all
        content_length,  // exactly `length` octets; 0 is possible and is written
        chunked,
        until_close,  // responses only: the end of the connection is the end of the content
    };
    Kind kind = Kind::none;
    ByteCount length = 0;  // of content_length

    bool has_content() const { return kind != Kind::none && !(kind == Kind::content_length && length == 0); }
    bool operator==(const Framing&) const = default;
};

// How the target stood in the request line (RFC 9112 3.2).
enum class TargetForm : std::uint8_t { origin, absolute, authority, asterisk };

struct RequestHead {
    std::string method;  // a token; case matters
    // Octet for octet as sent. Of an absolute-form the part from the path on ("/" if there is none); of CONNECT
    // host:port; else begins with '/', or is "*".
    std::string target;
    // Host, or the authority of an absolute-form, as sent; valid per is_authority(). Empty on 1.0 without.
    std::string authority;
    TargetForm form = TargetForm::origin;
    int version_minor = 1;          // HTTP/1.x
    Framing framing;                // never until_close
    bool persistent = false;        // the connection may carry a further request (RFC 9112 9.3)
    bool wants_upgrade = false;     // "upgrade" stands in Connection and an Upgrade field exists
    bool expects_continue = false;  // Expect: 100-continue, on 1.1 with content to come
    FieldSection fields;            // with Host, Connection, Content-Length, Transfer-Encoding as sent

    void clear();
    std::string_view path() const;   // of target, without the query
    std::string_view query() const;  // of target, after '?', or empty
};

struct ResponseHead {
    int status = 0;  // 100..999
    std::string reason;
    int version_minor = 1;
    Framing framing;
    std::optional<ByteCount>
        announced_length;        // Content-Length of an answer without content (HEAD, 304): frames nothing
    bool persistent = false;     // false too where octets may follow that nobody asked for
    bool wants_upgrade = false;  // as in RequestHead; with 101 the connection turns raw behind this head
    FieldSection fields;

    bool is_interim() const { return status < 200 && status != 101; }  // 1xx: another head follows (RFC 9110 15.2)
    void clear();
};

// What a request's method says about repeating it (RFC 9110 9.2.2).
bool is_idempotent(std::string_view method);
bool is_safe(std::string_view method);  // RFC 9110 9.2.1

// The usual phrase for a status, "" if there is none.
std::string_view reason_phrase(int status);

// Whether the connection outlives the message, from the version and Connection (RFC 9112 9.3).
bool is_persistent(int version_minor, const FieldSection& fields);

}  // namespace sallyport
