// upgrade_message.h: what an old relay process and the new one that replaces it say to each other: one JSON object a message, with a
// `kind`. Unknown kinds and members are skipped, since the two are of different releases. In order:
//
//   new: hello      pid, version
//   old: listener   name, configured; the descriptor beside it. Once for each
//   old: listeners_end
//   new: prepared   all that can fail without the store is done
//   old: store      the database is closed and its lock given up: take it
//   new: accepting  the store is open, connections are taken
//   old: farewell   the old process takes no more
// At any step, new: failed, detail. The old process then goes on as before, as it does when the channel ends.
// Afterwards, until the old one has ended, new: revoked, agents, credentials (lists of ids).
#pragma once
#include <boost/json.hpp>

#include <string>
#include <string_view>

#include "net/message_channel.h"

namespace sallyport::relay {

struct UpgradeMessage {
    std::string kind;
    boost::json::object members;
    Descriptor descriptor;

    std::string text(std::string_view member) const;  // "" if absent
};

Result<> send_upgrade_message(MessageChannel& channel, TimePoint deadline, std::string_view kind, boost::json::object members = {},
                              int descriptor = -1);

// Errc::protocol: no JSON object with a kind.
Result<UpgradeMessage> receive_upgrade_message(MessageChannel& channel, TimePoint deadline);

}  // namespace sallyport::relay
