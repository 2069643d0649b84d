#include "wire/http1_parser.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "wire/host_name.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

constexpr std::size_t npos = std::string_view::npos;

std::size_t find_octet(std::string_view text, char octet, std::size_t from = 0) {
    const void* at = from < text.size() ? std::memchr(text.data() + from, octet, text.size() - from) : nullptr;
    return at ? static_cast<std::size_t>(static_cast<const char*>(at) - text.data()) : npos;
}

struct Controls {
    std::uint8_t bad = 0;
    std::uint8_t carriage_returns = 0;
};

// No branches and sums of one octet, so that it is vectorised; at most 255 octets.
Controls look_for_controls(const char* text, std::size_t count) {
    Controls out;
    for (std::size_t i = 0; i < count; ++i) {
        const auto octet = static_cast<std::uint8_t>(text[i]);
        out.carriage_returns = static_cast<std::uint8_t>(out.carriage_returns + (octet == '\r'));
        out.bad |= static_cast<std::uint8_t>((octet < 0x20) & (octet != '\t') & (octet != '\r') & (octet != '\n'));
        out.bad |= static_cast<std::uint8_t>(octet == 0x7f);
    }
    return out;
}

// Whether there is a control octet but HTAB and line ends, or a CR more than the `lines` whose LF was seen right
// behind it.
bool has_stray_controls(std::string_view text, std::size_t lines) {
    constexpr std::size_t block = 128;
    std::size_t carriage_returns = 0;
    std::uint8_t bad = 0;
    const auto take = [&](Controls found) {
        bad |= found.bad;
        carriage_returns += found.carriage_returns;
    };
    for (; text.size() >= block; text.remove_prefix(block)) take(look_for_controls(text.data(), block));
    take(look_for_controls(text.data(), text.size()));
    return bad != 0 || carriage_returns != lines;
}

bool parse_length(std::string_view text, ByteCount& out) {
    if (text.empty() || text.size() > 19) return false;  // 19 digits stay below 2^64
    ByteCount value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return false;
        value = value * 10 + static_cast<ByteCount>(c - '0');
    }
    out = value;
    return value <= static_cast<ByteCount>(std::numeric_limits<std::int64_t>::max());
}

// "HTTP/1.0" or "HTTP/1.1"; -1 for what is no version, -2 for another one.
int parse_version(std::string_view text) {
    if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.') return -1;
    if (text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9') return -1;
    if (text[5] != '1' || text[7] > '1') return -2;
    return text[7] - '0';
}

}  // namespace

// What one pass over the fields finds out.
struct HeadReader::Facts {
    std::string_view host;
    bool has_host = false;
    bool has_length = false;
    ByteCount length = 0;
    bool chunked = false;
    bool close = false;
    bool keep_alive = false;
    bool upgrade_option = false;
    bool upgrade_field = false;
    bool expects_continue = false;
};

std::unexpected<Error> HeadReader::refuse(int status, Errc code, const char* why) {
    refusal_status_ = status;
    return fail(code, why);
}

void HeadReader::reset() {
    lines_.clear();
    start_ = line_at_ = scanned_ = 0;
    refusal_status_ = 400;
}

Result<std::size_t> HeadReader::find_end(std::string_view in, bool is_request) {
    if (scanned_ == 0 && !in.empty() && !(is_request ? is_tchar(in[0]) || in[0] == '\r' : in[0] == 'H'))
        return refuse(400, Errc::protocol, "no HTTP message begins like this");
    for (;;) {
        const std::size_t lf = find_octet(in, '\n', scanned_);
        if (lf == npos) {
            scanned_ = in.size();
            if (lines_.empty() && in.size() - start_ > limits_.start_line)
                return refuse(414, Errc::too_large, "start line too long");
            if (in.size() - start_ > limits_.octets) return refuse(431, Errc::too_large, "head too long");
            return fail(Errc::need_more);
        }
        if (lf == line_at_ || in[lf - 1] != '\r') return refuse(400, Errc::protocol, "LF without CR");
        const std::size_t at = line_at_;
        const std::size_t length = lf - 1 - at;
        line_at_ = scanned_ = lf + 1;
        // Before the head as a whole: the answer must not depend on how much of it has come so far.
        if (lines_.empty() && length > limits_.start_line) return refuse(414, Errc::too_large, "start line too long");
        if (line_at_ - start_ > limits_.octets) return refuse(431, Errc::too_large, "head too long");
        if (length > 0) {
            if (lines_.size() > limits_.fields) return refuse(431, Errc::too_large, "too many fields");
            lines_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length)});
        } else if (!lines_.empty()) {
            return line_at_;
        } else if (is_request && start_ == 0) {
            start_ = line_at_;  // RFC 9112 2.2
        } else {
            return refuse(400, Errc::protocol, "empty line before the start line");
        }
    }
}

Result<> HeadReader::parse_target(std::string_view target, RequestHead& out) {
    if (target.empty() || target.size() > limits_.start_line) return refuse(400, Errc::protocol, "no target");
    if (!syntax::all(target, syntax::kTargetOctet))
        return refuse(400, Errc::protocol, "octet that may not stand in a target");
    if (out.method == "CONNECT") {
        out.form = TargetForm::authority;
        if (!is_authority(target) || target.back() == ']' || find_octet(target, ':') == npos)
            return refuse(400, Errc::protocol, "CONNECT without host:port");
        out.target = out.authority = target;
        return {};
    }
    if (target.front() == '/') {
        out.form = TargetForm::origin;
        out.target = target;
        return {};
    }
    if (target == "*" && out.method == "OPTIONS") {
        out.form = TargetForm::asterisk;
        out.target = target;
        return {};
    }
    const std::size_t scheme = target.find("://");
    if (scheme == npos || !(equals_ignoring_case(target.substr(0, scheme), "http") ||
                            equals_ignoring_case(target.substr(0, scheme), "https")))
        return refuse(400, Errc::protocol, "target of no known form");
    target.remove_prefix(scheme + 3);
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    out.form = TargetForm::absolute;
    out.authority = target.substr(0, end);
    if (!is_authority(out.authority)) return refuse(400, Errc::protocol, "malformed authority in the target");
    target.remove_prefix(end);
    if (target.empty() && out.method == "OPTIONS") out.target = "*";  // RFC 9112 3.2.4
    else if (target.empty() || target.front() == '?') (out.target = "/") += target;
    else out.target = target;
    return {};
}

Result<> HeadReader::parse_request_line(std::string_view line, RequestHead& out) {
    const std::size_t space = find_octet(line, ' ');
    if (space == npos || !is_token(line.substr(0, space))) return refuse(400, Errc::protocol, "malformed method");
    const std::size_t version_at = line.rfind(' ');
    if (version_at == space) return refuse(400, Errc::protocol, "no version");
    const int version = parse_version(line.substr(version_at + 1));
    if (version == -2) return refuse(505, Errc::protocol, "HTTP version");
    if (version < 0) return refuse(400, Errc::protocol, "malformed version");
    out.version_minor = version;
    out.method = line.substr(0, space);
    return parse_target(line.substr(space + 1, version_at - space - 1), out);
}

Result<> HeadReader::parse_status_line(std::string_view line, ResponseHead& out) {
    const int version = parse_version(line.substr(0, 8));
    if (version < 0) return refuse(400, Errc::protocol, "HTTP version");
    if (line.size() < 12 || line[8] != ' ') return refuse(400, Errc::protocol, "malformed status line");
    int status = 0;
    for (const char c : line.substr(9, 3)) {
        if (c < '0' || c > '9') return refuse(400, Errc::protocol, "malformed status");
        status = status * 10 + (c - '0');
    }
    if (status < 100) return refuse(400, Errc::protocol, "malformed status");
    if (line.size() > 12 && line[12] != ' ') return refuse(400, Errc::protocol, "malformed status");
    out.version_minor = version;
    out.status = status;
    out.reason = line.size() > 13 ? line.substr(13) : std::string_view{};  // some origins leave the last space out
    return {};
}

Result<> HeadReader::parse_fields(std::string_view in, std::size_t end, FieldSection& out) {
    const std::size_t base = lines_.size() > 1 ? lines_[1].at : end;
    out.take_text(in.substr(base, end - base));
    for (std::size_t i = 1; i < lines_.size(); ++i) {
        const std::string_view line = in.substr(lines_[i].at, lines_[i].length);
        const std::size_t colon = find_octet(line, ':');
        // A line that begins with space is obs-fold; space before the colon is no token either (RFC 9112 5.1, 5.2).
        if (colon == npos || !is_token(line.substr(0, colon)))
            return refuse(400, Errc::protocol, "malformed field line");
        if (colon > kMaxFieldName) return refuse(431, Errc::too_large, "field name too long");
        const std::string_view value = trim_ows(line.substr(colon + 1));
        const std::size_t value_at = value.empty() ? lines_[i].at : static_cast<std::size_t>(value.data() - in.data());
        out.add_at(lines_[i].at - base, colon, value_at - base, value.size());
    }
    return {};
}

Result<> HeadReader::gather(const FieldSection& fields, int version_minor, Facts& facts) {
    std::size_t options = 0;
    for (const Field& field : fields) {
        switch (field.id) {
            case FieldId::host:
                if (std::exchange(facts.has_host, true)) return refuse(400, Errc::protocol, "Host twice");
                facts.host = field.value;
                break;
            case FieldId::content_length:
                if (std::exchange(facts.has_length, true)) return refuse(400, Errc::protocol, "Content-Length twice");
                if (!parse_length(field.value, facts.length))
                    return refuse(400, Errc::protocol, "malformed Content-Length");
                break;
            case FieldId::transfer_encoding:
                if (std::exchange(facts.chunked, true)) return refuse(400, Errc::protocol, "Transfer-Encoding twice");
                if (version_minor == 0) return refuse(400, Errc::protocol, "Transfer-Encoding on HTTP/1.0");
                if (!equals_ignoring_case(field.value, "chunked"))
                    return refuse(501, Errc::protocol, "unknown transfer coding");
                break;
            case FieldId::connection:
                for_each_list_member(field.value, [&](std::string_view option) {
                    ++options;
                    facts.close |= equals_ignoring_case(option, "close");
                    facts.keep_alive |= equals_ignoring_case(option, "keep-alive");
                    facts.upgrade_option |= equals_ignoring_case(option, "upgrade");
                });
                if (options > limits_.connection_options)
                    return refuse(400, Errc::too_large, "too many connection options");
                break;
            case FieldId::upgrade: facts.upgrade_field = true; break;
            case FieldId::expect: facts.expects_continue |= equals_ignoring_case(field.value, "100-continue"); break;
            default: break;
        }
    }
    if (facts.has_length && facts.chunked)
        return refuse(400, Errc::protocol, "Content-Length beside Transfer-Encoding");
    return {};
}

Result<> HeadReader::settle_authority(const Facts& facts, RequestHead& out) {
    if (!facts.has_host) {
        if (out.version_minor >= 1) return refuse(400, Errc::protocol, "no Host");
        return {};
    }
    if (!is_authority(facts.host)) return refuse(400, Errc::protocol, "malformed Host");
    if (out.form == TargetForm::absolute || out.form == TargetForm::authority) {
        if (!equals_ignoring_case(out.authority, facts.host))
            return refuse(400, Errc::protocol, "Host differs from the target's authority");
        return {};
    }
    out.authority = facts.host;
    return {};
}

Result<std::size_t> HeadReader::read_request(std::string_view in, RequestHead& out) {
    const Result<std::size_t> end = find_end(in, true);
    if (!end) return end;
    out.clear();
    if (has_stray_controls(in.substr(start_, *end - start_), lines_.size() + 1))
        return refuse(400, Errc::protocol, "control octet");
    Facts facts;
    Result<> done = parse_request_line(in.substr(lines_[0].at, lines_[0].length), out);
    if (done) done = parse_fields(in, *end, out.fields);
    if (done) done = gather(out.fields, out.version_minor, facts);
    if (done) done = settle_authority(facts, out);
    if (!done) return std::unexpected(std::move(done.error()));

    if (facts.chunked) out.framing.kind = Framing::Kind::chunked;
    if (facts.has_length) out.framing = {Framing::Kind::content_length, facts.length};
    out.persistent = !facts.close && (out.version_minor >= 1 || facts.keep_alive);
    out.wants_upgrade = facts.upgrade_option && facts.upgrade_field && out.version_minor >= 1;
    out.expects_continue = facts.expects_continue && out.version_minor >= 1 && out.framing.has_content();
    reset();
    return end;
}

Result<std::size_t> HeadReader::read_response(std::string_view in, std::string_view request_method, ResponseHead& out) {
    const Result<std::size_t> end = find_end(in, false);
    if (!end) return end;
    out.clear();
    if (has_stray_controls(in.substr(0, *end), lines_.size() + 1)) return refuse(400, Errc::protocol, "control octet");
    Facts facts;
    Result<> done = parse_status_line(in.substr(lines_[0].at, lines_[0].length), out);
    if (done) done = parse_fields(in, *end, out.fields);
    if (done) done = gather(out.fields, out.version_minor, facts);
    if (!done) return std::unexpected(std::move(done.error()));

    out.persistent = !facts.close && (out.version_minor >= 1 || facts.keep_alive);
    out.wants_upgrade = facts.upgrade_option && facts.upgrade_field;
    const bool framed = facts.chunked || (facts.has_length && facts.length > 0);
    if (request_method == "HEAD" || out.status == 304) {
        if (facts.has_length) out.announced_length = facts.length;
    } else if (out.status < 200 || out.status == 204) {
        if (framed) out.persistent = false;  // RFC 9110 8.6 forbids it: content may follow all the same
    } else if (request_method == "CONNECT" && out.status < 300) {
        out.persistent = false;  // a tunnel from here on
    } else if (facts.chunked) {
        out.framing.kind = Framing::Kind::chunked;
    } else if (facts.has_length) {
        out.framing = {Framing::Kind::content_length, facts.length};
    } else {
        out.framing.kind = Framing::Kind::until_close;
        out.persistent = false;
    }
    reset();
    return end;
}

Result<std::size_t> parse_request_head(std::string_view in, RequestHead& out, HeadLimits limits) {
    return HeadReader(limits).read_request(in, out);
}

Result<std::size_t> parse_response_head(std::string_view in, std::string_view request_method, ResponseHead& out,
                                        HeadLimits limits) {
    return HeadReader(limits).read_response(in, request_method, out);
}

}  // namespace sallyport
