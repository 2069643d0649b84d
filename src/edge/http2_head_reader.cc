#include "edge/http2_head_reader.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "wire/host_name.h"
#include "wire/http_syntax.h"
#include "wire/websocket_handshake.h"

namespace sallyport {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 7541 4.1

bool means_content(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

// 1*DIGIT below 2^63 (RFC 9110 8.6).
bool parse_length(std::string_view text, ByteCount& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty() && text.front() != '-' && text.front() != '+' &&
           out <= static_cast<ByteCount>(std::numeric_limits<std::int64_t>::max());
}

}  // namespace

void Http2HeadReader::begin(Section section) {
    section_ = section;
    for (std::string* text : {&method_, &scheme_, &authority_, &path_, &protocol_, &cookie_, &websocket_key_}) text->clear();
    fields_.clear();
    octets_ = count_ = 0;
    too_large_ = false;
}

bool Http2HeadReader::add(std::string_view name, std::string_view value) {
    octets_ += name.size() + value.size() + kFieldOverhead;
    if (octets_ > kUnbearable) return false;
    if (octets_ > (section_ == Section::header ? kMostOctets : kMostTrailerOctets)) too_large_ = true;
    if (too_large_) return true;
    if (name.starts_with(':')) {
        add_pseudo(name, value);
    } else if (name == "cookie" && section_ == Section::header) {
        if (!cookie_.empty()) cookie_ += "; ";  // RFC 9113 8.2.3
        cookie_ += value;
    } else if (++count_ > kMostFields || name.size() > kMaxFieldName) {
        too_large_ = true;
    } else {
        fields_.add(name, value);
    }
    return true;
}

void Http2HeadReader::add_pseudo(std::string_view name, std::string_view value) {
    if (name == ":method") method_ = value;
    else if (name == ":scheme") scheme_ = value;
    else if (name == ":authority") authority_ = value;
    else if (name == ":path") path_ = value;
    else if (name == ":protocol") protocol_ = value;
}

int Http2HeadReader::take_request(RequestHead& out, Ends ends) {
    out.clear();
    out.version_minor = 1;
    std::swap(out.method, method_);
    if (!cookie_.empty()) fields_.add("cookie", cookie_);
    std::swap(out.fields, fields_);
    out.authority.swap(authority_);
    if (too_large_) return path_.size() > kMostTarget ? 414 : 431;
    if (!is_token(out.method)) return 400;

    // RFC 9113 8.3.1: Host may stand beside :authority, and says the same then.
    const auto host = out.fields.find(FieldId::host);
    if (out.fields.count(FieldId::host) > 1) return 400;
    if (host && out.authority.empty()) out.authority = *host;
    else if (host && !equals_ignoring_case(*host, out.authority)) return 400;
    if (!is_authority(out.authority)) return 400;

    const bool connect = out.method == "CONNECT";
    if (connect && protocol_.empty()) {
        out.form = TargetForm::authority;
        out.target = out.authority;
        return 0;
    }
    if (!connect && !protocol_.empty()) return 400;  // RFC 8441 4
    if (!equals_ignoring_case(scheme_, "https") && !equals_ignoring_case(scheme_, "http")) return 400;
    if (const int status = settle_target(out)) return status;
    if (connect) return make_websocket(out, ends);
    return settle_content(out, ends);
}

int Http2HeadReader::settle_target(RequestHead& out) {
    if (path_.size() > kMostTarget) return 414;
    const bool asterisk = path_ == "*" && out.method == "OPTIONS";
    if (!asterisk && !path_.starts_with('/')) return 400;
    if (!syntax::all(path_, syntax::kTargetOctet)) return 400;
    out.form = asterisk ? TargetForm::asterisk : TargetForm::origin;
    out.target.swap(path_);
    return 0;
}

int Http2HeadReader::settle_content(RequestHead& out, Ends ends) {
    ByteCount length = 0;
    const auto said = out.fields.find(FieldId::content_length);
    if (said && (out.fields.count(FieldId::content_length) > 1 || !parse_length(*said, length))) return 400;
    if (said) out.framing = {Framing::Kind::content_length, length};
    else if (ends == Ends::later) out.framing.kind = Framing::Kind::chunked;
    else if (means_content(out.method)) out.framing = {Framing::Kind::content_length, 0};  // RFC 9110 8.6
    if (ends == Ends::here && length > 0) return 400;
    const auto expect = out.fields.find(FieldId::expect);
    out.expects_continue = expect && equals_ignoring_case(*expect, "100-continue") && out.framing.has_content();
    return 0;
}

int Http2HeadReader::make_websocket(RequestHead& out, Ends ends) {
    if (!equals_ignoring_case(protocol_, "websocket")) return 501;  // RFC 9220 3
    if (ends == Ends::here) return 400;
    websocket_key_ = make_websocket_key();
    out.fields.remove(FieldId::sec_websocket_accept);
    if (!out.fields.contains(FieldId::sec_websocket_version)) out.fields.add("Sec-WebSocket-Version", "13");
    out.fields.set("Sec-WebSocket-Key", websocket_key_);
    out.fields.set("Upgrade", "websocket");
    out.method = "GET";
    out.wants_upgrade = true;
    return 0;
}

FieldSection Http2HeadReader::take_trailers() {
    if (too_large_) return {};
    fields_.remove_if(is_forbidden_trailer);
    return std::move(fields_);
}

}  // namespace sallyport
