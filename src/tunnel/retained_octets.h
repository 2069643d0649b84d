// retained_octets.h: the octets of one direction of a session that the peer has not acknowledged. It is the staging buffer
// too: HTTP/2 writes at its end, the connection reads from wherever it has sent up to. Positions count all octets of the
// session. Memory is taken in chunks as needed and given back as acknowledgements come, to a stock that the loop's tunnels
// share; empty it holds nothing.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/octets.h"

namespace sallyport {

class RetainedOctets {
public:
    // A chunk and a frame header before it fill one send of a Transport; no DATA frame crosses a chunk's end.
    static constexpr std::size_t kChunk = 128 * 1024 - 32;
    // A session that has said little (most are idle for hours) gets by with this.
    static constexpr std::size_t kFirstChunk = 4 * 1024;
    static constexpr ByteCount kSaidLittle = 16 * 1024;
    // Less contiguous room than this is left unused rather than cutting a frame small. Arbitrary.
    static constexpr std::size_t kUsefulRoom = 2048;

    using Stock = std::vector<std::unique_ptr<std::byte[]>>;  // of kChunk octets each
    static constexpr std::size_t kMostInStock = 32;

    // `stock` must outlive this.
    RetainedOctets(ByteCount bound, Stock& stock) : bound_(bound), stock_(stock) {}
    ~RetainedOctets();
    RetainedOctets(const RetainedOctets&) = delete;
    RetainedOctets& operator=(const RetainedOctets&) = delete;

    bool full() const { return end_ - acknowledged_ >= bound_; }
    ByteCount unsent() const { return end_ - sent_; }
    ByteCount end() const { return end_; }
    ByteCount acknowledged() const { return acknowledged_; }
    bool all_acknowledged() const { return acknowledged_ == sent_; }  // of what was sent
    bool holds(ByteCount position) const { return position >= acknowledged_ && position <= ever_sent_; }  // what follows it

    // Contiguous room of at least kUsefulRoom octets at the end; valid until the next call of a non-const function.
    MutableOctets room();
    void commit(std::size_t octets);  // of what room() gave
    void append(Octets octets);       // copies, whatever the bound says: for frames that can't wait

    // The next octets to send, contiguous, at most one chunk; empty if all is sent.
    Octets next() const;
    void mark_sent(std::size_t octets);

    // The peer has everything before `position`. False if it claims what was never sent.
    [[nodiscard]] bool acknowledge(ByteCount position);
    // Gives up what was sent, for a session that ends with its connection.
    void forget_sent() { (void)acknowledge(sent_); }
    // Sends again from `position` on (a new connection). False if that is no longer held, or was never sent.
    [[nodiscard]] bool rewind(ByteCount position);

private:
    struct Chunk {
        std::unique_ptr<std::byte[]> octets;
        ByteCount begin = 0;   // position of its first octet
        std::size_t size = 0;  // written
        std::size_t capacity = 0;
    };
    void add_chunk();
    void drop_first_chunk();

    ByteCount bound_;
    Stock& stock_;
    std::deque<Chunk> chunks_;
    ByteCount acknowledged_ = 0;
    ByteCount sent_ = 0;          // on the connection of now
    ByteCount ever_sent_ = 0;     // on any: a peer may have received more than was sent again by now
    ByteCount end_ = 0;
};

}  // namespace sallyport
