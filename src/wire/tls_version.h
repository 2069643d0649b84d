// tls_version.h: versions of TLS as they stand in its records (RFC 8446 4.1.2). Older ones are spoken nowhere here (RFC 8996).
#pragma once
#include <cstdint>

namespace sallyport {

enum class TlsVersion : std::uint16_t { tls1_2 = 0x0303, tls1_3 = 0x0304 };

}  // namespace sallyport
