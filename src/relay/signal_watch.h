// signal_watch.h: signals as events on a loop. The signals are blocked in every thread from the constructor on, so make it before
// any thread; they stay blocked.
#pragma once
#include <functional>
#include <initializer_list>

#include "base/result.h"
#include "net/descriptor.h"
#include "net/loop.h"

namespace sallyport::relay {

// Blocks the signals for this thread and those it starts; SIGPIPE and SIGXFSZ are ignored besides. Gives a descriptor that tells of them.
Result<Descriptor> block_signals(std::initializer_list<int> signals);

class SignalWatch final : private Watch::Owner {
public:
    using OnSignal = std::function<void(int signal)>;
    SignalWatch(Loop& loop, Descriptor blocked, OnSignal on_signal);

private:
    void on_readable() override;
    void on_writable() override {}
    Descriptor descriptor_;
    OnSignal on_signal_;
    Watch watch_;
};

}  // namespace sallyport::relay
