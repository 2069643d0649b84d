#include "wire/ip_network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace sallyport {
namespace {

constexpr unsigned kBits = 128;
constexpr unsigned kMappedBits = 96;  // of ::ffff:0:0/96, in front of an IPv4 address
constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::uint8_t mask_of(unsigned bits) { return static_cast<std::uint8_t>(0xff00u >> bits); }

bool same_prefix(const IpAddress& a, const IpAddress& b, unsigned bits) {
    const unsigned whole = bits / 8;
    if (!std::equal(a.octets.begin(), a.octets.begin() + whole, b.octets.begin())) return false;
    return bits % 8 == 0 || ((a.octets[whole] ^ b.octets[whole]) & mask_of(bits % 8)) == 0;
}

// Decimal without a sign or leading zeros.
std::optional<unsigned> parse_length(std::string_view text) {
    unsigned length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || end != text.data() + text.size() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    return length;
}

}  // namespace

bool IpAddress::is_v4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets.begin()); }

std::string IpAddress::text() const {
    char text[INET6_ADDRSTRLEN];
    const bool v4 = is_v4();
    ::inet_ntop(v4 ? AF_INET : AF_INET6, octets.data() + (v4 ? kMappedPrefix.size() : 0), text, sizeof text);
    return text;
}

Result<IpAddress> parse_ip_address(std::string_view text) {
    const std::string copy(text);  // inet_pton wants its zero
    const bool v6 = text.contains(':');
    IpAddress address;
    if (!v6) std::ranges::copy(kMappedPrefix, address.octets.begin());
    if (text.size() < INET6_ADDRSTRLEN && !text.contains('\0') &&
        ::inet_pton(v6 ? AF_INET6 : AF_INET, copy.c_str(), address.octets.data() + (v6 ? 0 : kMappedPrefix.size())) == 1)
        return address;
    return fail(Errc::invalid_argument, "\"" + copy.substr(0, 64) + "\" is no IP address");
}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::string_view literal = text.substr(0, slash);
    const auto address = parse_ip_address(literal);
    if (!address) return std::unexpected(address.error());
    IpNetwork network;
    network.address_ = *address;
    if (slash == std::string_view::npos) return network;
    const unsigned skipped = literal.contains(':') ? 0 : kMappedBits;
    const auto length = parse_length(text.substr(slash + 1));
    if (!length || *length > kBits - skipped)
        return fail(Errc::invalid_argument, "\"" + std::string(text.substr(0, 64)) + "\": the length behind / is 0 to " + std::to_string(kBits - skipped));
    network.length_ = *length + skipped;
    IpAddress first = network.address_;
    for (unsigned bit = network.length_; bit < kBits; ++bit) first.octets[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> bit % 8));
    if (first != network.address_) {
        network.address_ = first;
        return fail(Errc::invalid_argument, "\"" + std::string(text.substr(0, 64)) + "\" is an address within a network; write " + network.text() + " or leave the / out");
    }
    return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
    // ::/0 and its like are IPv6: how IPv4 is mapped into it is nothing that whoever writes a list has in mind.
    if (address.is_v4() != (length_ >= kMappedBits && address_.is_v4())) return false;
    return same_prefix(address_, address, length_);
}

std::string IpNetwork::text() const {
    if (length_ == kBits) return address_.text();
    const bool v4 = length_ >= kMappedBits && address_.is_v4();
    return address_.text() + "/" + std::to_string(length_ - (v4 ? kMappedBits : 0));
}

bool contains(std::span<const IpNetwork> networks, const IpAddress& address) {
    return std::ranges::any_of(networks, [&](const IpNetwork& network) { return network.contains(address); });
}

}  // namespace sallyport
