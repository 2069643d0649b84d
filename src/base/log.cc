#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>

namespace sallyport {
namespace {

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::trace: return "trace";
        case LogLevel::debug: return "debug";
        case LogLevel::info: return "info";
        case LogLevel::warn: return "warn";
        case LogLevel::error: return "error";
    }
    return "error";
}

// Appends text inside double quotes; escapes as JSON does, which key=value readers understand too.
void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (u < 0x20 || u == 0x7f) {
            out += fmt::format("\\u{:04x}", u);
        } else {
            out += c;
        }
    }
    out += '"';
}

bool needs_quotes(std::string_view text) {
    return text.empty() || std::ranges::any_of(text, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '"' || c == '=' || c == '\\';
    });
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
    if (text == "trace") return LogLevel::trace;
    if (text == "debug") return LogLevel::debug;
    if (text == "info") return LogLevel::info;
    if (text == "warn" || text == "warning") return LogLevel::warn;
    if (text == "error") return LogLevel::error;
    return fail(Errc::invalid_argument, "\"" + std::string(text.substr(0, 64)) + "\" is none of trace, debug, info, warn, error");
}

std::string format_event(LogFormat format, std::string_view level, std::string_view event,
                         std::initializer_list<LogField> fields) {
    std::string out;
    if (format == LogFormat::json) {
        out = fmt::format(R"("level":"{}","event":"{}")", level, event);
        for (const LogField& field : fields) {
            out += fmt::format(",\"{}\":", field.key);
            if (field.is_number) out += field.text;
            else append_quoted(out, field.text);
        }
        return out;
    }
    out = fmt::format("level={} event={}", level, event);
    for (const LogField& field : fields) {
        out += ' ';
        out += field.key;
        out += '=';
        if (needs_quotes(field.text)) append_quoted(out, field.text);
        else out += field.text;
    }
    return out;
}

Log::Log(LogLevel level, LogFormat format)
    : level_(level),
      format_(format),
      sink_(std::make_shared<spdlog::logger>("sallyport", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    sink_->set_level(spdlog::level::trace);
    sink_->set_pattern(format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z",%v})"
                                                 : "time=%Y-%m-%dT%H:%M:%S.%e%z %v");
    sink_->flush_on(spdlog::level::trace);
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    sink_->info("{}", format_event(format_, name_of(level), event, fields));
}

}  // namespace sallyport
