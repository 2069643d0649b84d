#include "edge/redirect_exchange.h"

#include "wire/host_name.h"

namespace sallyport {

void RedirectExchange::begin() {
    const RequestHead& head = visitor_.request();
    const Result<Authority> authority = parse_authority(head.authority, RootDot::dropped);
    if (!authority || head.form == TargetForm::authority) return visitor_.answer_problem(problem::kBadRequest);
    std::string location = "https://" + authority->host_text();
    if (const std::uint16_t port = context_.settings.public_https_port; port != 443) location += ":" + std::to_string(port);
    location += head.target == "*" ? std::string_view("/") : std::string_view(head.target);
    answer_.clear();
    answer_.status = 308;  // unlike 301 it keeps method and content
    answer_.reason = reason_phrase(answer_.status);
    answer_.framing = {Framing::Kind::content_length, 0};
    answer_.fields.add("Location", location);
    visitor_.answer_whole(answer_, {});
}

}  // namespace sallyport
