// error_page.h: the answer that tells a visitor what went wrong: a small page, or JSON where the visitor asks for it. Pure.
#pragma once
#include <string>
#include <string_view>

#include "edge/problem.h"
#include "wire/http1_message.h"

namespace sallyport {

// 11 characters nobody can guess: the same id stands on the page, in Sallyport-Error and in the log.
std::string make_error_id();

enum class PageFormat { html, json };
// JSON where Accept likes it better than a page (RFC 9110 12.5.1), or as much and names it first; a page otherwise.
PageFormat choose_page_format(const FieldSection& request_fields);

// Appends the content.
void write_error_page(std::string& out, PageFormat format, const Problem& problem, std::string_view error_id);

// Status, reason and the fields of an answer with `content_size` octets of it.
void fill_error_head(ResponseHead& head, PageFormat format, const Problem& problem, std::string_view error_id,
                     std::size_t content_size);

void append_html_escaped(std::string& out, std::string_view text);

}  // namespace sallyport
