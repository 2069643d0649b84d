// believed_visitor.h: what the fields of a trusted proxy's request say about the visitor. Pure.
//
// X-Forwarded-For and Forwarded (RFC 7239) are lists to which each proxy adds, on the right, whom it was asked by; what stands further
// left was there before, and may be anybody's invention. So they are read from the right, over proxies that are trusted, to the
// first address that isn't one. Forwarded counts only where there is no X-Forwarded-For: nearly every proxy writes that one, and
// passes a visitor's own Forwarded on.
#pragma once
#include <optional>
#include <span>

#include "base/result.h"
#include "edge/proxy_trust.h"
#include "wire/field_section.h"
#include "wire/ip_network.h"

namespace sallyport {

// Nothing: the fields name nobody. If all addresses are trusted, the leftmost. Errc::protocol: what stands at the place that
// counts is no address ("unknown" and "_hidden" of Forwarded too), so nobody knows who it is.
Result<std::optional<IpAddress>> believed_address(const FieldSection& fields, std::span<const IpNetwork> trusted);

// As the nearest proxy says, by X-Forwarded-Proto, else Forwarded. Nothing: it doesn't say.
std::optional<Scheme> believed_scheme(const FieldSection& fields);

}  // namespace sallyport
