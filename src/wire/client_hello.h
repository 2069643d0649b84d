// client_hello.h: reads server name and ALPN out of the first octets of a TLS connection (RFC 8446 4.1.2, RFC 6066 3,
// RFC 7301) without consuming them, so that a connection can be sorted before TLS begins. The message may be cut
// anywhere and spread over any number of records, up to 64 KiB. No I/O, no TLS.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/octets.h"

namespace sallyport {

struct ClientHello {
    std::string server_name;        // lower-case, valid per parse_host_name(); empty if none was sent or it was no name
    std::vector<std::string> alpn;  // in the client's order; at most 16 kept

    bool offers(std::string_view protocol) const;
};

class ClientHelloReader {
public:
    enum class Status {
        need_more,
        found,      // hello() is complete
        http,       // an HTTP request without TLS: worth an answer "400, this port speaks https"
        not_tls,    // anything else that is no TLS record
        malformed,  // TLS, but no well-formed ClientHello
        too_large,  // over 64 KiB
    };

    // Give it everything received so far at each call; it goes on where it stopped. The answer, once not need_more,
    // stays.
    Status read(Octets in);

    const ClientHello& hello() const { return hello_; }  // after found

    static constexpr std::size_t kMaxOctets = 64_KiB;

private:
    Status take_records(Octets in);
    Status take_message();

    ClientHello hello_;
    std::string message_;  // handshake octets without record headers
    std::size_t next_record_ = 0;
    Status status_ = Status::need_more;
};

}  // namespace sallyport
