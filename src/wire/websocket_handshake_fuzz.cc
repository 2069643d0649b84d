// Handshake heads from outside: whatever is accepted answers to itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/http1_parser.h"
#include "wire/websocket_handshake.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const std::string_view in(reinterpret_cast<const char*>(data), size);
    if (in.starts_with("HTTP/")) {
        ResponseHead head;
        if (parse_response_head(in, "GET", head))
            (void)check_websocket_response(head, "dGhlIHNhbXBsZSBub25jZQ==", "sallyport");
        return 0;
    }
    RequestHead head;
    if (!parse_request_head(in, head)) return 0;
    const auto key = check_websocket_request(head);
    if (!key) return 0;
    ResponseHead answer;
    fill_websocket_response(answer, *key);
    if (!check_websocket_response(answer, *key)) std::abort();
    return 0;
}
