// http_date.h: the time as HTTP writes it (RFC 9110 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". Pure.
#pragma once
#include <string>

#include "base/clock.h"

namespace sallyport {

std::string format_http_date(WallTime time);

}  // namespace sallyport
