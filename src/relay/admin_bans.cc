#include "relay/admin_bans.h"

namespace sallyport::relay {

namespace json = boost::json;

AdminAnswered list_bans(AdminCall& call) {
    json::array listed;
    for (const BanShield::Ban& ban : call.host.bans())
        listed.push_back({{"address", ban.address},
                          {"agent", ban.home.empty() ? json::value(nullptr) : json::value(ban.home)},
                          {"kind", name_of(ban.kind)},
                          {"cross_site", ban.foreign},
                          {"times", ban.times},
                          {"left_s", ban.left.count()}});
    return AdminAnswer{200, json::object{{"bans", std::move(listed)}}};
}

AdminAnswered lift_ban(AdminCall& call) {
    const auto address = parse_ip_address(call.arguments[0]);
    if (!address) return told(address, "address");
    return AdminAnswer{200, json::object{{"lifted", call.host.lift_ban(*address)}}};
}

}  // namespace sallyport::relay
