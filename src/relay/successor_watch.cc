#include "relay/successor_watch.h"

namespace sallyport::relay {
namespace {

std::vector<std::string> texts(const UpgradeMessage& message, std::string_view member) {
    std::vector<std::string> found;
    const auto* list = message.members.if_contains(member);
    if (list && list->is_array())
        for (const auto& item : list->get_array())
            if (item.is_string()) found.emplace_back(item.get_string());
    return found;
}

}  // namespace

SuccessorWatch::SuccessorWatch(Loop& loop, MessageChannel channel, OnRevoked on_revoked)
    : channel_(std::move(channel)), on_revoked_(std::move(on_revoked)), watch_(loop, channel_.get(), *this) {
    watch_.want_read(true);
}

void SuccessorWatch::on_readable() {
    for (;;) {
        const auto message = receive_upgrade_message(channel_, Clock::now());
        if (message && message->kind == "revoked") on_revoked_({texts(*message, "agents"), texts(*message, "credentials")});
        if (message || message.error().code == Errc::protocol) continue;
        if (message.error().code != Errc::timeout) watch_.want_read(false);  // it is gone
        return;
    }
}

}  // namespace sallyport::relay
