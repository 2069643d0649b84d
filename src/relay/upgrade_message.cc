#include "relay/upgrade_message.h"

namespace sallyport::relay {

namespace json = boost::json;

std::string UpgradeMessage::text(std::string_view member) const {
    const json::value* value = members.if_contains(member);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

Result<> send_upgrade_message(MessageChannel& channel, TimePoint deadline, std::string_view kind, json::object members, int descriptor) {
    members["kind"] = kind;
    return channel.send(json::serialize(members), deadline, descriptor);
}

Result<UpgradeMessage> receive_upgrade_message(MessageChannel& channel, TimePoint deadline) {
    auto received = channel.receive(deadline);
    if (!received) return std::unexpected(received.error());
    boost::system::error_code failed;
    json::value value = json::parse(received->text, failed);
    UpgradeMessage message;
    if (!failed && value.is_object()) message.members = std::move(value.get_object());
    message.kind = message.text("kind");
    if (message.kind.empty()) return fail(Errc::protocol, "the other process said what is not understood");
    message.descriptor = std::move(received->descriptor);
    return message;
}

}  // namespace sallyport::relay
