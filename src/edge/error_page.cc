#include "edge/error_page.h"

#include "base/random.h"

namespace sallyport {
namespace {

constexpr std::string_view kStyle =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--bad:#b42318;--ground:#fff}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--bad:#ff8072;--ground:#0d1117}}"
    "body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}"
    "main{max-width:34rem;margin:12vh auto;padding:0 1.25rem}h1{font-size:1.6rem;margin:0 0 .5rem}"
    "ol{display:flex;flex-wrap:wrap;gap:.5rem;list-style:none;padding:0;margin:1.5rem 0}"
    "li{border:1px solid var(--line);border-radius:1rem;padding:.1rem .8rem;color:var(--soft)}"
    "li[aria-current]{border-color:var(--bad);color:var(--bad);font-weight:600}"
    "footer{color:var(--soft);font-size:.875rem;border-top:1px solid var(--line);padding-top:.75rem}";

constexpr Hop kHops[] = {Hop::visitor, Hop::relay, Hop::agent, Hop::origin};

std::string_view shown_name(Hop hop) {
    switch (hop) {
        case Hop::visitor: return "You";
        case Hop::relay: return "Relay";
        case Hop::agent: return "Home";
        case Hop::origin: return "Service";
    }
    return "";
}

void write_html(std::string& out, const Problem& problem, std::string_view error_id) {
    const std::string status = std::to_string(problem.status);
    out += "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
           "content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>";
    append_html_escaped(out, problem.title);
    out += "</title><style>";
    out += kStyle;
    out += "</style></head><body><main><h1>";
    append_html_escaped(out, problem.title);
    out += "</h1><p>";
    append_html_escaped(out, problem.detail);
    out += "</p><ol aria-label=\"The way of the request\">";
    for (const Hop hop : kHops) {
        out += hop == problem.hop ? "<li aria-current=\"step\">" : "<li>";
        out += shown_name(hop);
        if (hop == problem.hop) out += " \xe2\x9c\x95";  // a cross: colour alone would not do
        out += "</li>";
    }
    out += "</ol><footer>Status " + status + ", failing part: ";
    out += name_of(problem.hop);
    out += ".<br>Error id: <code>";
    append_html_escaped(out, error_id);
    out += "</code></footer></main></body></html>\n";
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    out += '"';
}

void write_json(std::string& out, const Problem& problem, std::string_view error_id) {
    out += "{\"error\":{\"id\":";
    append_json_string(out, error_id);
    out += ",\"status\":" + std::to_string(problem.status) + ",\"hop\":";
    append_json_string(out, name_of(problem.hop));
    out += ",\"title\":";
    append_json_string(out, problem.title);
    out += ",\"detail\":";
    append_json_string(out, problem.detail);
    out += "}}\n";
}

// How much a member of Accept is liked, in thousandths: "text/html;q=0.5" is 500.
int weight_of(std::string_view member) {
    const std::size_t at = member.find("q=");
    if (at == std::string_view::npos) return 1000;
    int weight = 0;
    int digits = 0;
    for (const char c : member.substr(at + 2)) {
        if (c == '.') continue;
        if (c < '0' || c > '9' || ++digits > 4) break;
        weight = weight * 10 + (c - '0');
    }
    for (; digits < 4; ++digits) weight *= 10;
    return weight;
}

struct Liking {
    int weight = 0;
    int place = 0;
};

}  // namespace

std::string make_error_id() { return random_token(8); }

PageFormat choose_page_format(const FieldSection& request_fields) {
    Liking html, json;
    int place = 0;
    for (const Field& field : request_fields) {
        if (field.id != FieldId::accept) continue;
        for_each_list_member(field.value, [&](std::string_view member) {
            const std::string_view type = trim_ows(member.substr(0, member.find(';')));
            Liking& liking = type.ends_with("json") ? json : html;  // "problem+json" is JSON too
            if (&liking == &html && !type.ends_with("html")) return;
            if (const int weight = weight_of(member); weight > liking.weight) liking = {weight, place};
            ++place;
        });
    }
    const bool json_first = json.weight > html.weight || (json.weight == html.weight && json.place < html.place);
    return json.weight > 0 && json_first ? PageFormat::json : PageFormat::html;
}

void append_html_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '&': out += "&amp;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
}

void write_error_page(std::string& out, PageFormat format, const Problem& problem, std::string_view error_id) {
    if (format == PageFormat::json) write_json(out, problem, error_id);
    else write_html(out, problem, error_id);
}

void fill_error_head(ResponseHead& head, PageFormat format, const Problem& problem, std::string_view error_id,
                     std::size_t content_size) {
    head.clear();
    head.status = problem.status;
    head.reason = reason_phrase(problem.status);
    head.framing = {Framing::Kind::content_length, content_size};
    head.fields.add("Content-Type", format == PageFormat::json ? "application/json" : "text/html; charset=utf-8");
    head.fields.add("Cache-Control", "no-store");
    head.fields.add("Vary", "Accept");
    head.fields.add("X-Content-Type-Options", "nosniff");
    if (format == PageFormat::html)
        head.fields.add("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'");
    if (!problem.challenge.empty()) head.fields.add("WWW-Authenticate", problem.challenge);
    if (problem.retry_after > 0) head.fields.add("Retry-After", std::to_string(problem.retry_after));
    head.fields.add("Sallyport-Error", error_id);
}

}  // namespace sallyport
