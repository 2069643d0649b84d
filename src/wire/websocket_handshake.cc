#include "wire/websocket_handshake.h"

#include <openssl/evp.h>

#include <array>

#include "base/encoding.h"
#include "base/random.h"

namespace sallyport {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3

bool is_key(std::string_view text) {
    const Result<std::string> octets = from_base64(text);
    return octets && octets->size() == 16;
}

// The one field of that name.
std::string_view only(const FieldSection& fields, FieldId id) {
    return fields.count(id) == 1 ? *fields.find(id) : std::string_view{};
}

}  // namespace

std::string make_websocket_key() { return to_base64(as_octets(random_octets(16))); }

std::string websocket_accept(std::string_view key) {
    std::string text(key);
    text += kGuid;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return to_base64(as_octets(digest.data(), size));
}

bool is_websocket_request(const RequestHead& head) {
    return head.wants_upgrade && head.fields.has_member(FieldId::upgrade, "websocket");
}

Result<std::string> check_websocket_request(const RequestHead& head) {
    if (head.method != "GET" || head.version_minor < 1 || head.framing.has_content())
        return fail(Errc::protocol, "no GET without content");
    if (!is_websocket_request(head)) return fail(Errc::protocol, "no upgrade to websocket");
    if (only(head.fields, FieldId::sec_websocket_version) != "13")
        return fail(Errc::protocol, "WebSocket version is not 13");
    const std::string_view key = only(head.fields, FieldId::sec_websocket_key);
    if (!is_key(key)) return fail(Errc::protocol, "malformed Sec-WebSocket-Key");
    return std::string(key);
}

void fill_websocket_request(RequestHead& head, std::string_view authority, std::string_view target,
                            std::string_view key) {
    head.method = "GET";
    head.target = target;
    head.authority = authority;
    head.version_minor = 1;
    head.framing = {};
    head.wants_upgrade = true;
    head.fields.set("Upgrade", "websocket");
    head.fields.set("Sec-WebSocket-Version", "13");
    head.fields.set("Sec-WebSocket-Key", key);
}

void fill_websocket_response(ResponseHead& head, std::string_view key) {
    head.status = 101;
    head.reason = reason_phrase(101);
    head.framing = {};
    head.wants_upgrade = true;
    head.fields.set("Upgrade", "websocket");
    head.fields.set("Sec-WebSocket-Accept", websocket_accept(key));
}

Result<> check_websocket_response(const ResponseHead& head, std::string_view key,
                                  std::string_view offered_subprotocol) {
    if (head.status != 101) return fail(Errc::refused, "status " + std::to_string(head.status) + " instead of 101");
    if (!head.wants_upgrade || !head.fields.has_member(FieldId::upgrade, "websocket"))
        return fail(Errc::protocol, "101 without upgrade to websocket");
    if (only(head.fields, FieldId::sec_websocket_accept) != websocket_accept(key))
        return fail(Errc::protocol, "wrong Sec-WebSocket-Accept");
    if (head.fields.contains(FieldId::sec_websocket_extensions))
        return fail(Errc::protocol, "extension that was not offered");
    if (head.fields.contains(FieldId::sec_websocket_protocol) &&
        (offered_subprotocol.empty() || only(head.fields, FieldId::sec_websocket_protocol) != offered_subprotocol))
        return fail(Errc::protocol, "subprotocol that was not offered");
    return {};
}

}  // namespace sallyport
