// edge_fuzz.h: what the fuzz targets of whole engines share: how an input is read as steps, and what must be true of whatever
// reaches an origin.
#pragma once
#include <cstdint>
#include <cstdlib>

#include "edge/edge_fakes.h"

namespace sallyport {

// Each input is a list of steps: what, two octets of length, octets.
struct Script {
    std::string_view left;
    int octet() {
        if (left.empty()) return -1;
        const auto value = static_cast<unsigned char>(left.front());
        left.remove_prefix(1);
        return value;
    }
    std::string_view text() {
        const int high = octet();
        const int low = octet();
        const std::size_t size = high < 0 || low < 0 ? 0 : std::min<std::size_t>(static_cast<std::size_t>(high << 8 | low), left.size());
        const std::string_view out = left.substr(0, size);
        left.remove_prefix(size);
        return out;
    }
};

// What went to the origin must read as requests, the last one perhaps unfinished, until it turned raw. `also` looks at each
// request: its head, how much content came, and the trailers.
using CheckRequest = void (*)(const RequestHead& head, ByteCount content, const FieldSection& trailers);
inline void check_requests(const FakeOrigin& origin, bool may_be_raw, CheckRequest also = nullptr) {
    ReceivedOctets in;
    in.hold(as_octets(origin.received));
    while (!in.empty()) {
        RequestHead head;
        const Result<std::size_t> read = parse_request_head(in.text(), head, {.octets = 256_KiB, .start_line = 64_KiB, .fields = 256});
        if (!read) {
            if (read.error().code != Errc::need_more && !may_be_raw) std::abort();
            return;
        }
        in.consume(*read);
        for (const Field& field : head.fields)
            if (field.has_underscore || field.id == FieldId::x_real_ip || field.id == FieldId::forwarded) std::abort();
        if (head.fields.count(FieldId::x_forwarded_for) != 1 || *head.fields.find(FieldId::x_forwarded_for) != "192.0.2.7") std::abort();
        ContentReader content;
        content.start(head.framing);
        ByteCount octets = 0;
        while (!content.done()) {
            const Result<Octets> piece = content.next(in);
            if (!piece) std::abort();
            if (piece->empty()) break;
            octets += piece->size();
            content.took(in, piece->size());
        }
        if (also) also(head, octets, content.trailers());
        if (!content.done() || (head.wants_upgrade && may_be_raw)) return;
    }
}

}  // namespace sallyport
