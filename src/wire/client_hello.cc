#include "wire/client_hello.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "wire/host_name.h"

namespace sallyport {
namespace {

constexpr std::uint8_t kHandshakeRecord = 22;    // RFC 8446 5.1
constexpr std::uint8_t kClientHelloMessage = 1;  // RFC 8446 4
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMaxRecord = 16 * 1024;  // of plaintext
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kMaxAlpn = 16;
constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kAlpn = 16;

std::uint8_t octet_at(std::string_view in, std::size_t at) { return static_cast<std::uint8_t>(in[at]); }

// Takes length-prefixed pieces off the front; once something does not fit, everything after is empty and failed() is
// true.
class Cursor {
public:
    explicit Cursor(std::string_view in) : in_(in) {}
    std::string_view take(std::size_t count) {
        if (count > in_.size()) {
            failed_ = true;
            in_ = {};
            return {};
        }
        const std::string_view out = in_.substr(0, count);
        in_.remove_prefix(count);
        return out;
    }
    std::size_t number(std::size_t octets) {
        std::size_t value = 0;
        for (const char c : take(octets)) value = value << 8 | static_cast<std::uint8_t>(c);
        return value;
    }
    std::string_view vector(std::size_t length_octets) { return take(number(length_octets)); }
    bool empty() const { return in_.empty(); }
    bool failed() const { return failed_; }

private:
    std::string_view in_;
    bool failed_ = false;
};

// RFC 6066 3. A name that is no host name (an address, say) counts as none: it can't choose a route.
bool take_server_name(std::string_view body, std::string& out) {
    Cursor extension(body);
    Cursor names(extension.vector(2));
    if (extension.failed() || !extension.empty() || names.empty()) return false;
    while (!names.empty()) {
        const std::size_t type = names.number(1);
        const std::string_view name = names.vector(2);
        if (names.failed()) return false;
        if (type != 0 || !out.empty()) continue;
        if (auto parsed = parse_host_name(name)) out = std::move(*parsed);
    }
    return true;
}

// RFC 7301 3.1
bool take_alpn(std::string_view body, std::vector<std::string>& out) {
    Cursor extension(body);
    Cursor protocols(extension.vector(2));
    if (extension.failed() || !extension.empty() || protocols.empty()) return false;
    while (!protocols.empty()) {
        const std::string_view protocol = protocols.vector(1);
        if (protocols.failed() || protocol.empty()) return false;
        if (out.size() < kMaxAlpn) out.emplace_back(protocol);
    }
    return true;
}

// The body of a ClientHello (RFC 8446 4.1.2). Nothing if it is not well formed.
std::optional<ClientHello> parse(std::string_view body) {
    ClientHello hello;
    Cursor in(body);
    const std::string_view version = in.take(2);
    in.take(32);  // random
    const bool session_ok = in.vector(1).size() <= 32;
    const std::size_t suites = in.vector(2).size();
    const std::size_t compressions = in.vector(1).size();
    if (in.failed() || !session_ok || version[0] != 3 || suites < 2 || suites % 2 != 0 || compressions == 0)
        return std::nullopt;
    if (in.empty()) return hello;  // TLS 1.2 without extensions
    Cursor extensions(in.vector(2));
    if (in.failed() || !in.empty()) return std::nullopt;
    bool seen_name = false, seen_alpn = false;
    while (!extensions.empty()) {
        const std::size_t type = extensions.number(2);
        const std::string_view extension = extensions.vector(2);
        if (extensions.failed()) return std::nullopt;
        if (type == kServerName && (std::exchange(seen_name, true) || !take_server_name(extension, hello.server_name)))
            return std::nullopt;
        if (type == kAlpn && (std::exchange(seen_alpn, true) || !take_alpn(extension, hello.alpn))) return std::nullopt;
    }
    return hello;
}

// Tells an HTTP request from other things that are no TLS: a method in capitals, then a space.
ClientHelloReader::Status judge_plain(std::string_view in) {
    constexpr std::size_t longest_method = 16;  // of those registered; none has more
    const std::size_t letters = std::min(in.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ-"), in.size());
    if (letters == 0 || letters > longest_method) return ClientHelloReader::Status::not_tls;
    if (letters == in.size()) return ClientHelloReader::Status::need_more;
    return in[letters] == ' ' ? ClientHelloReader::Status::http : ClientHelloReader::Status::not_tls;
}

}  // namespace

bool ClientHello::offers(std::string_view protocol) const { return std::ranges::find(alpn, protocol) != alpn.end(); }

ClientHelloReader::Status ClientHelloReader::read(Octets octets) {
    if (status_ != Status::need_more || octets.empty()) return status_;
    const std::string_view in = as_text(octets);
    if (octet_at(in, 0) != kHandshakeRecord) return status_ = judge_plain(in);
    if (in.size() >= 2 && octet_at(in, 1) != 3) return status_ = Status::not_tls;
    return status_ = take_records(octets);
}

ClientHelloReader::Status ClientHelloReader::take_records(Octets octets) {
    const std::string_view in = as_text(octets);
    while (next_record_ + kRecordHeader <= in.size()) {
        const std::string_view header = in.substr(next_record_, kRecordHeader);
        const std::size_t length = octet_at(header, 3) * 256u + octet_at(header, 4);
        if (octet_at(header, 0) != kHandshakeRecord || octet_at(header, 1) != 3 || length == 0 || length > kMaxRecord)
            return Status::malformed;
        if (next_record_ + kRecordHeader + length > kMaxOctets) return Status::too_large;
        if (next_record_ + kRecordHeader + length > in.size()) break;
        message_ += in.substr(next_record_ + kRecordHeader, length);
        next_record_ += kRecordHeader + length;
        if (const Status status = take_message(); status != Status::need_more) return status;
    }
    return in.size() >= kMaxOctets ? Status::too_large : Status::need_more;
}

ClientHelloReader::Status ClientHelloReader::take_message() {
    if (octet_at(message_, 0) != kClientHelloMessage) return Status::malformed;
    if (message_.size() < kMessageHeader) return Status::need_more;
    const std::size_t length = octet_at(message_, 1) << 16 | octet_at(message_, 2) << 8 | octet_at(message_, 3);
    if (length > kMaxOctets) return Status::too_large;
    if (message_.size() < kMessageHeader + length) return Status::need_more;
    std::optional<ClientHello> hello = parse(std::string_view(message_).substr(kMessageHeader, length));
    if (!hello) return Status::malformed;
    hello_ = std::move(*hello);
    message_ = {};
    return Status::found;
}

}  // namespace sallyport
