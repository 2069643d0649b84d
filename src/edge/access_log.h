// access_log.h: one line a request: `event=access host=… method=… protocol=… status=… octets=… ms=… [error=…]`. Never a path, query or
// cookie. At most kMostLinesASecond a loop.
#pragma once
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/octets.h"
#include "edge/bounded_lines.h"

namespace sallyport {

struct AccessEntry {
    std::string_view authority;  // as sent; the port is left out
    std::string_view method;
    std::string_view protocol;   // "HTTP/1.1"
    int status = 0;  // 0: cut off without an answer
    ByteCount octets = 0;
    Duration took{};
    std::string_view error_id;
};

// One connection to a TCP route: `event=access.tcp listen=… octets_in=… octets_out=… ms=… [cause=…]`.
struct TcpAccessEntry {
    std::string_view listen;
    ByteCount octets_in = 0;  // towards home
    ByteCount octets_out = 0;
    Duration took{};
    std::string_view cause;  // why it failed
};

class AccessLog {
public:
    AccessLog(Loop& loop, Log& log, bool enabled) : log_(log), enabled_(enabled), lines_(loop, log, "access", kMostLinesASecond) {}
    bool enabled() const { return enabled_ && log_.enabled(LogLevel::info); }
    void enable(bool on) { enabled_ = on; }
    void note(const AccessEntry& entry);
    void note_tcp(const TcpAccessEntry& entry);

private:
    static constexpr unsigned kMostLinesASecond = 500;  // about 1 % of a core
    Log& log_;
    bool enabled_;
    BoundedLines lines_;
};

}  // namespace sallyport
