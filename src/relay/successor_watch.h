// successor_watch.h: the process that has replaced this one, as long as this one still drains: what it revokes is cut here, too, and
// if it ends, that is told. On one loop.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "net/loop.h"
#include "relay/revoked.h"
#include "relay/upgrade_message.h"

namespace sallyport::relay {

class SuccessorWatch final : private Watch::Owner {
public:
    using OnRevoked = std::function<void(const Revoked&)>;
    SuccessorWatch(Loop& loop, MessageChannel channel, OnRevoked on_revoked);

private:
    void on_readable() override;
    void on_writable() override {}
    MessageChannel channel_;
    OnRevoked on_revoked_;
    Watch watch_;
};

}  // namespace sallyport::relay
