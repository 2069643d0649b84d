// octets.h: views of octets, and how many there are. A view owns nothing; whoever keeps octets copies them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sallyport {

using Octets = std::span<const std::byte>;
using MutableOctets = std::span<std::byte>;

using ByteCount = std::uint64_t;

inline constexpr ByteCount operator""_KiB(unsigned long long n) { return n << 10; }
inline constexpr ByteCount operator""_MiB(unsigned long long n) { return n << 20; }
inline constexpr ByteCount operator""_GiB(unsigned long long n) { return n << 30; }

inline Octets as_octets(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
inline Octets as_octets(const std::uint8_t* data, std::size_t size) { return std::as_bytes(std::span(data, size)); }
inline std::string_view as_text(Octets octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline const std::uint8_t* as_u8(Octets octets) { return reinterpret_cast<const std::uint8_t*>(octets.data()); }
inline std::uint8_t* as_u8(MutableOctets octets) { return reinterpret_cast<std::uint8_t*>(octets.data()); }

}  // namespace sallyport
