#include "wire/http1_writer.h"

#include <charconv>

namespace sallyport {
namespace {

void append_number(std::string& out, ByteCount value, int base = 10) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, base).ptr;
    out.append(digits, end);
}

bool is_written_from_values(FieldId id) {
    return id == FieldId::host || id == FieldId::content_length || id == FieldId::transfer_encoding ||
           id == FieldId::connection;
}

void append_fields(std::string& out, const FieldSection& fields, bool is_request) {
    for (const Field& field : fields) {
        if (is_written_from_values(field.id) && (is_request || field.id != FieldId::host)) continue;
        out += field.name;
        out += ": ";
        out += field.value;
        out += "\r\n";
    }
}

void append_length(std::string& out, ByteCount length) {
    out += "Content-Length: ";
    append_number(out, length);
    out += "\r\n";
}

void append_framing(std::string& out, const Framing& framing) {
    if (framing.kind == Framing::Kind::content_length) append_length(out, framing.length);
    if (framing.kind == Framing::Kind::chunked) out += "Transfer-Encoding: chunked\r\n";
}

void append_connection(std::string& out, ConnectionOption connection) {
    switch (connection) {
        case ConnectionOption::none: return;
        case ConnectionOption::close: out += "Connection: close\r\n"; return;
        case ConnectionOption::keep_alive: out += "Connection: keep-alive\r\n"; return;
        case ConnectionOption::upgrade: out += "Connection: Upgrade\r\n"; return;
    }
}

}  // namespace

void write_request_head(std::string& out, const RequestHead& head, ConnectionOption connection) {
    out += head.method;
    out += ' ';
    out += head.target;
    out += " HTTP/1.1\r\nHost: ";
    out += head.authority;
    out += "\r\n";
    append_fields(out, head.fields, true);
    append_framing(out, head.framing);
    append_connection(out, connection);
    out += "\r\n";
}

void write_response_head(std::string& out, const ResponseHead& head, ConnectionOption connection) {
    out += "HTTP/1.1 ";
    append_number(out, static_cast<ByteCount>(head.status));
    out += ' ';
    out += head.reason;
    out += "\r\n";
    append_fields(out, head.fields, false);
    append_framing(out, head.framing);
    if (head.framing.kind == Framing::Kind::none && head.announced_length) append_length(out, *head.announced_length);
    append_connection(out, connection);
    out += "\r\n";
}

}  // namespace sallyport
