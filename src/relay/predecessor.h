// predecessor.h: the relay process that this one replaces in an upgrade: where the listening sockets come from, and the store.
// upgrade_message.h has what is said. Blocking, before the loops run; each answer has 60 s, twice what the other side gives us. Afterwards
// on the first loop.
#pragma once
#include <memory>
#include <vector>

#include "relay/open_listeners.h"
#include "relay/revoked.h"
#include "relay/upgrade_message.h"

namespace sallyport::relay {

class Predecessor {
public:
    // Says hello. `channel`: the descriptor behind kUpgradeFlag. invalid_argument: it is none of an upgrade.
    static Result<std::unique_ptr<Predecessor>> meet(int channel);

    Result<> take_listeners();  // receives what it listens on

    // Those whose name fits and that serve `configured`; the others stay.
    std::vector<Descriptor> take(std::string_view name, std::string_view configured);
    bool has(std::string_view name, std::string_view configured) const;
    // All of a name, whatever they serve.
    std::vector<OpenListener> take(std::string_view name);
    // Whether it listens on that port, so that ours beside is no mistake.
    bool listens_on(std::uint16_t port) const;

    Result<> ask_for_store();  // when it returns, the store may be opened
    void tell_accepting();     // returns when the old process has stopped accepting, or is gone
    void tell_failed(std::string_view detail);

    bool drains();  // it has not ended yet
    // While it still drains. Doesn't wait: what it doesn't take is lost, and it ends soon anyway.
    void tell_revoked(const Revoked& revoked);

private:
    explicit Predecessor(MessageChannel channel) : channel_(std::move(channel)) {}

    MessageChannel channel_;
    std::vector<OpenListener> listeners_;
};

}  // namespace sallyport::relay
