// log.h: one line an event: `level=info event=tunnel.closed agent=home reason=ping_timeout age_s=8412`.
// Event names are a contract (docs/relay.md, docs/agent.md); units stand in the keys. Never a token, key, cookie, Authorization
// field, query string or content. Any thread may log; a line is written whole.
#pragma once
#include <atomic>
#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace spdlog {
class logger;
}

namespace sallyport {

enum class LogLevel { trace, debug, info, warn, error };
enum class LogFormat { key_value, json };

Result<LogLevel> parse_log_level(std::string_view text);  // trace | debug | info | warn (warning) | error

// A key and its value. Values from peers are escaped on output: control characters never reach a terminal.
struct LogField {
    LogField(std::string_view k, std::string_view v) : key(k), text(v) {}
    LogField(std::string_view k, const char* v) : key(k), text(v) {}
    LogField(std::string_view k, const std::string& v) : key(k), text(v) {}
    template <std::integral T>
    LogField(std::string_view k, T v) : key(k), text(std::to_string(v)), is_number(true) {}
    std::string_view key;
    std::string text;
    bool is_number = false;
};

class Log {
public:
    // Writes to standard error.
    Log(LogLevel level, LogFormat format);
    ~Log();

    bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
    void set_level(LogLevel level) { level_ = level; }  // any thread, at any time
    void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) { put(LogLevel::debug, event, fields); }
    void info(std::string_view event, std::initializer_list<LogField> fields = {}) { put(LogLevel::info, event, fields); }
    void warn(std::string_view event, std::initializer_list<LogField> fields = {}) { put(LogLevel::warn, event, fields); }
    void error(std::string_view event, std::initializer_list<LogField> fields = {}) { put(LogLevel::error, event, fields); }

private:
    void put(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
        if (enabled(level)) write(level, event, fields);
    }
    std::atomic<LogLevel> level_;
    LogFormat format_;
    std::shared_ptr<spdlog::logger> sink_;
};

// One event as text, without level and time; pure, for tests. Quotes where a value holds space, '"', '=' or a control.
std::string format_event(LogFormat format, std::string_view level, std::string_view event,
                         std::initializer_list<LogField> fields);

}  // namespace sallyport
