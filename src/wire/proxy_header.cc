#include "wire/proxy_header.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "wire/ip_network.h"

namespace sallyport {
namespace {

using namespace std::string_view_literals;

constexpr auto kTextBegin = "PROXY "sv;
constexpr auto kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kFixedPart = 16;  // of version 2: signature, version and command, family, length
static_assert(kSignature.size() == 12);

constexpr std::uint8_t kVersion2 = 0x20;
constexpr std::uint8_t kLocal = 0;
constexpr std::uint8_t kProxy = 1;
constexpr std::uint8_t kInet = 1;
constexpr std::uint8_t kInet6 = 2;
constexpr std::uint8_t kUnix = 3;
constexpr std::uint8_t kDatagram = 2;
constexpr std::uint8_t kStream = 1;

constexpr IpAddress kUnspecifiedV4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};

std::optional<IpAddress> parse_address(std::string_view text) {
    const auto address = parse_ip_address(text);
    return address ? std::optional(*address) : std::nullopt;
}

// Of the family that the line named.
std::optional<IpAddress> parse_address(bool v6, std::string_view text) {
    return text.contains(':') == v6 ? parse_address(text) : std::nullopt;
}

// ---- version 1

// Decimal, as short as can be.
std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (text.size() > 1 && text.front() == '0') return std::nullopt;
    return port;
}

std::string_view take_word(std::string_view& line) {
    const std::size_t at = line.find(' ');
    const std::string_view word = line.substr(0, at);
    line.remove_prefix(at == std::string_view::npos ? line.size() : at + 1);
    return word;
}

Result<ProxyHeader> parse_text(std::string_view in) {
    const std::size_t end = in.substr(0, kMaxProxyHeaderV1).find("\r\n");
    if (end == std::string_view::npos) {
        if (in.size() < kMaxProxyHeaderV1) return fail(Errc::need_more);
        return fail(Errc::too_large, "PROXY line without an end");
    }
    ProxyHeader header{.connection = {}, .size = end + 2};
    std::string_view line = in.substr(kTextBegin.size(), end - kTextBegin.size());
    const std::string_view family_name = take_word(line);
    if (family_name == "UNKNOWN") return header;
    if (family_name != "TCP4" && family_name != "TCP6") return fail(Errc::protocol, "PROXY line of an unknown family");
    if (std::ranges::count(line, ' ') != 3) return fail(Errc::protocol, "PROXY line with another number of words");
    const bool v6 = family_name == "TCP6";
    const auto source = parse_address(v6, take_word(line));
    const auto destination = parse_address(v6, take_word(line));
    const auto source_port = parse_port(take_word(line));
    const auto destination_port = parse_port(line);
    if (!source || !destination || !source_port || !destination_port)
        return fail(Errc::protocol, "PROXY line with a malformed address or port");
    header.connection = {{source->text(), *source_port}, {destination->text(), *destination_port}};
    return header;
}

// ---- version 2

std::uint8_t octet(std::string_view in, std::size_t at) { return static_cast<std::uint8_t>(in[at]); }
std::uint16_t number(std::string_view in, std::size_t at) {
    return static_cast<std::uint16_t>(octet(in, at) << 8 | octet(in, at + 1));
}

// Both addresses, then both ports.
ProxyHeader::Connection read_addresses(std::string_view in, std::size_t address_size) {
    const auto address_at = [&](std::size_t at) {
        IpAddress address = kUnspecifiedV4;
        std::memcpy(address.octets.data() + address.octets.size() - address_size, in.data() + at, address_size);
        return address.text();
    };
    const std::size_t ports = 2 * address_size;
    return {{address_at(0), number(in, ports)}, {address_at(address_size), number(in, ports + 2)}};
}

Result<ProxyHeader> parse_binary(std::string_view in) {
    if (in.size() < kFixedPart) return fail(Errc::need_more);
    const std::uint8_t command = octet(in, 12) & 0x0f;
    if ((octet(in, 12) & 0xf0) != kVersion2 || command > kProxy) return fail(Errc::protocol, "PROXY header of an unknown version or command");
    const std::uint8_t family = octet(in, 13) >> 4;
    const std::uint8_t transport = octet(in, 13) & 0x0f;
    if (family > kUnix || transport > kDatagram) return fail(Errc::protocol, "PROXY header of an unknown family");
    const std::size_t size = kFixedPart + number(in, 14);
    if (size > kMaxProxyHeaderV2) return fail(Errc::too_large, "PROXY header over 4 KiB");
    if (in.size() < size) return fail(Errc::need_more);
    ProxyHeader header{.connection = {}, .size = size};
    if (command == kLocal) return header;
    if (transport == kDatagram) return fail(Errc::protocol, "PROXY header of a datagram");
    if (family != kInet && family != kInet6) return header;
    const std::size_t address_size = family == kInet ? 4 : 16;
    const std::string_view body = in.substr(kFixedPart, size - kFixedPart);
    if (body.size() < 2 * address_size + 4) return fail(Errc::protocol, "PROXY header shorter than its addresses");
    header.connection = read_addresses(body, address_size);
    return header;
}

bool begins(std::string_view in, std::string_view what) { return in.substr(0, what.size()) == what.substr(0, in.size()); }

}  // namespace

Result<ProxyHeader> parse_proxy_header(Octets octets) {
    const std::string_view in = as_text(octets);
    if (in.empty()) return fail(Errc::need_more);
    if (begins(in, kSignature)) return parse_binary(in);
    if (!begins(in, kTextBegin)) return fail(Errc::protocol, "no PROXY header");
    if (in.size() < kTextBegin.size()) return fail(Errc::need_more);
    return parse_text(in);
}

std::string format_proxy_header(const ProxyHeader::Connection& connection) {
    std::string out(kSignature);
    const auto put = [&out](unsigned value, int octets) {
        for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
    };
    const auto source = parse_address(connection.source.ip);
    const auto destination = parse_address(connection.destination.ip);
    if (!source || !destination) {
        put(kVersion2 | kLocal, 1);
        put(0, 3);
        return out;
    }
    const bool four = source->is_v4() && destination->is_v4();
    const std::size_t skipped = four ? 12 : 0;
    put(kVersion2 | kProxy, 1);
    put(static_cast<unsigned>((four ? kInet : kInet6) << 4 | kStream), 1);
    put(static_cast<unsigned>(2 * (source->octets.size() - skipped) + 4), 2);
    for (const IpAddress& address : {*source, *destination}) out.append(address.octets.begin() + skipped, address.octets.end());
    put(connection.source.port, 2);
    put(connection.destination.port, 2);
    return out;
}

}  // namespace sallyport
