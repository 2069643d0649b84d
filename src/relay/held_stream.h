// held_stream.h: a stream that is not opened yet: its owner waits for it as for one that is being opened, until open() is called. From then on
// all goes straight through. Lives on one loop.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "net/loop.h"
#include "tunnel/stream.h"

namespace sallyport::relay {

class HeldStream final : public Stream {
public:
    using Open = std::function<Result<StreamPtr>(Owner& owner)>;
    // Those that wait for the same thing; each leaves by itself.
    using Queue = std::shared_ptr<std::vector<HeldStream*>>;

    // Opened after `longest` at the latest.
    HeldStream(Loop& loop, Owner& owner, Open open, Queue queue, std::chrono::milliseconds longest);
    ~HeldStream() override { leave(); }

    void open();  // now; not inside a call of the owner's
    static void open_all(const Queue& queue);

    void wake() override;
    void consumed(ByteCount octets) override;
    void reset() override;

private:
    void leave();
    Owner* owner_;
    Open open_;
    Queue queue_;
    bool woken_ = false;
    StreamPtr stream_;
    Timer deadline_;
};

}  // namespace sallyport::relay
