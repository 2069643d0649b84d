// cross_loop_stream.h: a Stream used on one loop (near) while the tunnel that carries it lives on another (far).
// For visitors whose connection could not be sorted to the loop of the agent: the local case never comes through here.
//
//   owner ⇄ near end ──message──▶ far end ⇄ the tunnel's Stream
//                    ◀─message──
//
// The ends talk through Loop::post only, at most one message a turn and direction, and share no memory but the messages.
// Bounds: towards the tunnel at most kCrossLoopWindow octets are between the ends (credit comes back as the tunnel takes
// them); towards the owner what the stream's own flow-control window allows, since consumed() is passed on to it.
// Order is kept: a reset comes after the octets received before it. Costs one copy and one wake-up each way.
#pragma once
#include <functional>
#include <memory>
#include <unordered_map>

#include "net/loop.h"
#include "tunnel/stream.h"

namespace sallyport::relay {

inline constexpr ByteCount kCrossLoopWindow = 256_KiB;

class CrossLoopFarEnd;

// Holds the far ends on the loop of their tunnels. Destroying it resets them. Tunnels must outlive it or be closed before.
class CrossLoopFarEnds {
public:
    explicit CrossLoopFarEnds(Loop& loop);
    ~CrossLoopFarEnds();
    CrossLoopFarEnds(const CrossLoopFarEnds&) = delete;
    CrossLoopFarEnds& operator=(const CrossLoopFarEnds&) = delete;

    std::size_t size() const { return ends_.size(); }

private:
    friend class CrossLoopFarEnd;
    Loop& loop_;
    std::unordered_map<CrossLoopFarEnd*, std::unique_ptr<CrossLoopFarEnd>> ends_;
};

// Runs on the far loop and opens the real stream there.
using OpenFarStream = std::move_only_function<Result<StreamPtr>(Stream::Owner&)>;

// Called on the near loop. A stream that can't be opened tells so later: on_stream_refused (503) where the tunnel has no
// room, on_stream_reset for all else. `far_ends` and both loops outlive the stream.
StreamPtr open_cross_loop_stream(Loop& near, Loop& far, CrossLoopFarEnds& far_ends, OpenFarStream open, Stream::Owner& owner);

}  // namespace sallyport::relay
