// attempt_pace.h: how long an agent that is in a hurry waits for an attempt before it begins another beside it. Pure.
//
// A relay that comes back shakes hands with thousands of agents, one after the other; each further attempt would make all of them
// wait longer. So the more is known of an attempt, the longer it is waited for:
//   connecting     Nobody has answered: maybe the way is gone, and another attempt finds a new one. Not at all.
//   connected      TCP stands, what was sent since is not acknowledged: a slow line, or one that is gone since.
//   acknowledged   The relay's machine has all that was sent, so the way works and the relay is busy. Another attempt would stand
//                  behind this one in the same queue.
// Twice as long with each that is under way, since somebody else may stand in between, or the answer may be lost.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>

namespace sallyport {

enum class AttemptStage { connecting, connected, acknowledged };

// Since the attempt began; `attempts`: how many are under way, at least 1.
inline std::chrono::milliseconds attempt_patience(AttemptStage stage, std::size_t attempts) {
    using std::chrono::milliseconds;
    constexpr std::size_t kMostDoublings = 3;
    const auto doubled = [&](milliseconds first) { return first * (1u << std::min(attempts - 1, kMostDoublings)); };
    switch (stage) {
        case AttemptStage::connecting: return milliseconds(0);
        case AttemptStage::connected: return doubled(milliseconds(3000));
        case AttemptStage::acknowledged: return doubled(milliseconds(6000));
    }
    return milliseconds(0);
}

}  // namespace sallyport
