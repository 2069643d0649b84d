#include "edge/login_answers.h"

#include "edge/path_pattern.h"
#include "edge/path_reading.h"
#include "wire/http_syntax.h"

namespace sallyport {
namespace {

bool is_json(const ResponseHead& head) {
    const auto type = head.fields.find(FieldId::content_type);
    return type && equals_ignoring_case(trim_ows(type->substr(0, type->find(';'))), "application/json");
}

}  // namespace

LoginPath login_path(std::string_view method, std::string_view path) {
    static const PathPattern kToken = *PathPattern::parse("/auth/token");
    static const PathPattern kFlow = *PathPattern::parse("/auth/login_flow");
    if (method != "POST") return LoginPath::none;
    std::string reading;
    if (!read_path(path, reading)) return LoginPath::password;
    if (kToken.covers_loosely(reading)) return LoginPath::token;
    return kFlow.covers_loosely(reading) ? LoginPath::password : LoginPath::none;
}

bool is_login_websocket(std::string_view path) {
    static const PathPattern kApi = *PathPattern::parse("/api/websocket");
    std::string reading;
    return !read_path(path, reading) || kApi.covers_loosely(reading);
}

// A 400 that isn't JSON is about the request, as where Home Assistant takes no X-Forwarded-For: nobody tried a password. A 404 is a
// flow that has timed out.
void LoginAnswer::begin(const ResponseHead& head) {
    const bool json = is_json(head);
    if (head.status == 401 || head.status == 403 || (head.status == 400 && json)) verdict_ = LoginVerdict::failed;
    wants_content_ = verdict_ == LoginVerdict::open && head.status == 200 && json;
}

void LoginAnswer::content(std::string_view octets) {
    if (!wants_content_ || verdict_ != LoginVerdict::open) return;
    for (const char c : octets) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        if (seen_.size() >= kMostContent) break;
        seen_ += c;
    }
    look();
    if (seen_.size() >= kMostContent) wants_content_ = false;
}

// Within a JSON string a quote has a backslash before it, so none of these can be part of one.
void LoginAnswer::look() {
    if (seen_.find("\"errors\":{\"") != std::string::npos || seen_.find("\"reason\":\"too_many_retry\"") != std::string::npos)
        verdict_ = LoginVerdict::failed;
    else if (seen_.find("\"type\":\"create_entry\"") != std::string::npos || seen_.find("\"access_token\":\"") != std::string::npos)
        verdict_ = LoginVerdict::succeeded;
}

}  // namespace sallyport
