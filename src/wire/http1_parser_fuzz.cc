// A head read whole, and read again cut in two where the first octet says, must come out alike; and what the writer
// makes of it must read back as the same message: the edge forwards exactly what it understood.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/http1_parser.h"
#include "wire/http1_writer.h"

namespace {

using namespace sallyport;

void check(bool holds) {
    if (!holds) std::abort();
}

void fuzz_request(std::string_view in, std::size_t cut) {
    HeadReader whole, pieces;
    RequestHead head, again;
    const auto result = whole.read_request(in, head);
    auto second = pieces.read_request(in.substr(0, cut), again);
    if (!second && second.error().code == Errc::need_more) second = pieces.read_request(in, again);
    check(result.has_value() == second.has_value());
    if (!result) return;
    check(*result == *second && *result <= in.size());

    remove_connection_fields(head.fields);
    const bool has_authority = !head.authority.empty();
    std::string text;
    write_request_head(text, head, ConnectionOption::none);
    const auto reread = HeadReader().read_request(text, again);
    check(reread.has_value() == has_authority);
    if (!reread) return;
    check(*reread == text.size() && again.target == head.target && again.framing == head.framing &&
          again.authority == head.authority);
}

void fuzz_response(std::string_view in, std::size_t cut, std::string_view method) {
    HeadReader whole, pieces;
    ResponseHead head, again;
    const auto result = whole.read_response(in, method, head);
    auto second = pieces.read_response(in.substr(0, cut), method, again);
    if (!second && second.error().code == Errc::need_more) second = pieces.read_response(in, method, again);
    check(result.has_value() == second.has_value());
    if (!result) return;
    check(*result == *second && *result <= in.size());

    remove_connection_fields(head.fields);
    std::string text;
    write_response_head(text, head, ConnectionOption::none);
    const auto reread = HeadReader().read_response(text, method, again);
    check(reread && *reread == text.size() && again.status == head.status && again.framing == head.framing);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view in(reinterpret_cast<const char*>(data + 1), size - 1);
    const std::size_t cut = in.empty() ? 0 : data[0] % in.size();
    if (in.starts_with("HTTP/")) fuzz_response(in, cut, data[0] & 1 ? "GET" : "HEAD");
    else fuzz_request(in, cut);
    return 0;
}
