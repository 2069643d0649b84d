// proxy_refusal.h: what went wrong on the way to an origin, in the words of RFC 9209. Pure.
#pragma once
#include <string_view>

#include "base/result.h"
#include "tunnel/stream.h"
#include "wire/proxy_status.h"

namespace sallyport {

Refusal make_refusal(ProxyError error, std::string_view details);  // with the recommended status

// For an Error of a Connector or of a connection that broke before it was any use.
Refusal refusal_of(const Error& error);

}  // namespace sallyport
