// answer_writer.h: writes answers onto a visitor's connection. Small things (heads, short pieces of content, chunk framing)
// are gathered and leave together with what follows, so that a short answer is one TLS record and one system call; long
// pieces leave from where they lie. Nothing leaves before flush() that could wait for more in the same turn.
#pragma once
#include <cstddef>
#include <string>

#include "base/octets.h"
#include "net/transport.h"
#include "wire/http1_message.h"
#include "wire/http1_writer.h"

namespace sallyport {

class AnswerWriter {
public:
    explicit AnswerWriter(Transport& transport) : transport_(&transport) {}

    // False: call no content() or raw() now, on_send_ready follows. Heads may be written all the same.
    bool ready() {
        if (gathered_.size() >= kMostGathered) flush();
        return transport_->send_ready();
    }

    void begin_request() { content_octets_ = 0; }
    void interim(const ResponseHead& head) { write_response_head(gathered_, head, ConnectionOption::none); }
    void switching_protocols(const ResponseHead& head) { write_response_head(gathered_, head, ConnectionOption::upgrade); }
    // Content follows as head.framing says (chunked: framed here).
    void head(const ResponseHead& head, ConnectionOption connection);
    // Each takes a part of `octets`, at least one octet while ready(), and says how many.
    std::size_t content(Octets octets);
    std::size_t raw(Octets octets) {
        const std::size_t taken = put(octets, {});
        content_octets_ += taken;
        return taken;
    }
    void whole(std::string_view octets);  // short content of our own, in one go, ready or not
    void end(const FieldSection& trailers);

    void flush();
    bool flushed() const { return gathered_.empty(); }
    ByteCount content_octets() const { return content_octets_; }  // of the answer under way, raw ones too

private:
    static constexpr std::size_t kMostGathered = 32 * 1024;
    static constexpr std::size_t kWorthCopying = 4 * 1024;  // below that a record of its own costs more than a copy

    std::size_t put(Octets octets, std::string_view behind);

    Transport* transport_;
    std::string gathered_;
    bool chunked_ = false;
    ByteCount content_octets_ = 0;
};

}  // namespace sallyport
