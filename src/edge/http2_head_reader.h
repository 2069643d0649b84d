// http2_head_reader.h: gathers the header or trailer section of an HTTP/2 request, field by field as HPACK gives them, into the
// values that HTTP/1.1 requests are read into (RFC 9113 8.2, 8.3). Pure. nghttp2 has judged each field before: octets, case,
// order and number of pseudo-fields, connection-specific fields, TE, Content-Length twice. Here: what a section may weigh, cookie
// crumbs (8.2.3), and what two of them say together: :authority and Host, :path, CONNECT, :protocol (RFC 8441).
#pragma once
#include <string>
#include <string_view>

#include "wire/http1_message.h"

namespace sallyport {

class Http2HeadReader {
public:
    static constexpr std::size_t kMostOctets = 64 * 1024;       // as HPACK counts: 32 more for each field (RFC 7541 4.1)
    static constexpr std::size_t kMostFields = 128;
    static constexpr std::size_t kMostTarget = 32 * 1024;
    static constexpr std::size_t kMostTrailerOctets = 16 * 1024;
    // Beyond this nobody goes on decoding for an error page: a few octets of HPACK can stand for megabytes.
    static constexpr std::size_t kUnbearable = 4 * kMostOctets;

    enum class Section { header, trailer };
    enum class Ends { here, later };  // whether the request ends with its header section

    void begin(Section section);
    // False: beyond kUnbearable, the connection must end.
    [[nodiscard]] bool add(std::string_view name, std::string_view value);

    // 0, or the status to refuse the request with; `out` then has what an error page needs. An extended CONNECT for WebSocket
    // comes out as the request that an HTTP/1.1 origin gets: GET with Upgrade and a fresh Sec-WebSocket-Key.
    int take_request(RequestHead& out, Ends ends);
    const std::string& websocket_key() const { return websocket_key_; }  // of the last request; "" if it was no such CONNECT
    // Without the fields that may not stand there. Empty too where it was too large: nobody needs trailers that much.
    FieldSection take_trailers();
    Section section() const { return section_; }

private:
    void add_pseudo(std::string_view name, std::string_view value);
    int settle_target(RequestHead& out);
    int settle_content(RequestHead& out, Ends ends);
    int make_websocket(RequestHead& out, Ends ends);

    Section section_ = Section::header;
    std::string method_, scheme_, authority_, path_, protocol_, cookie_, websocket_key_;
    FieldSection fields_;
    std::size_t octets_ = 0;
    std::size_t count_ = 0;
    bool too_large_ = false;
};

}  // namespace sallyport
