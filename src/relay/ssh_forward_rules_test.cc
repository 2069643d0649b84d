#include "relay/ssh_forward_rules.h"

#include <gtest/gtest.h>

namespace sallyport::relay {
namespace {

OwnedRoute web(std::string hostname, std::string target, std::string prefix = "/") {
    return {.id = hostname + prefix, .hostname = hostname, .path_prefix = prefix, .target = target, .target_port = port_of_target(target), .url = "https://" + hostname + prefix};
}
OwnedRoute tcp(std::string listen, std::string target) {
    return {.id = "tcp " + listen, .listen = *parse_listen_address(listen), .target = target, .target_port = port_of_target(target), .url = "port " + listen};
}

const std::vector<OwnedRoute> kOne{web("home.example.org", "homeassistant")};
const std::vector<OwnedRoute> kTwoNames{web("home.example.org", "homeassistant"), web("www.example.org", "homeassistant")};
const std::vector<OwnedRoute> kMany{web("home.example.org", "homeassistant"), web("home.example.org", "camera:8081", "/cam"), web("wiki.example.org", "wiki"),
                                    web("*.lab.example.org", "lab:3000"), tcp(":1883", "mqtt:1884"), tcp("192.0.2.5:22", "nas:22")};

// The ids of the routes that are meant, or what the refusal begins with.
std::string meant(const std::vector<OwnedRoute>& owned, std::string_view address, std::uint16_t port) {
    const auto places = routes_meant(owned, {std::string(address), port});
    if (!places) return places.error().detail.substr(0, 20);
    std::string ids;
    for (const std::size_t place : *places) ids += (ids.empty() ? "" : " ") + owned[place].id;
    return ids;
}

TEST(SshForwardRules, AnyLocalAddressMeansTheOnlyTarget) {
    for (const char* address : {"", "localhost", "LOCALHOST", "127.0.0.1", "127.0.1.1", "::1", "[::1]", "*", "0.0.0.0", "::"})
        for (const std::uint16_t port : std::initializer_list<std::uint16_t>{0, 8123, 9}) EXPECT_EQ(meant(kOne, address, port), "home.example.org/") << address;
    EXPECT_EQ(meant(kTwoNames, "localhost", 8123), "home.example.org/ www.example.org/");
    EXPECT_EQ(meant(kTwoNames, "", 0), "home.example.org/ www.example.org/");
}

TEST(SshForwardRules, OfSeveralTargetsThePortSaysWhich) {
    EXPECT_EQ(meant(kMany, "localhost", 8123), "home.example.org/");
    EXPECT_EQ(meant(kMany, "127.0.0.1", 8081), "home.example.org/cam");
    EXPECT_EQ(meant(kMany, "", 1883), "tcp :1883");
    EXPECT_EQ(meant(kMany, "", 1884), "tcp :1883");
    EXPECT_EQ(meant(kMany, "", 3000), "*.lab.example.org/");
    EXPECT_EQ(meant(kMany, "", 80), "this agent has sever");
    EXPECT_EQ(meant(kMany, "", 0), "this agent has sever");
    const auto refused = routes_meant(kMany, {"", 80});
    EXPECT_NE(refused.error().detail.find("-R home.example.org:80:localhost:8123 for https://home.example.org/"), std::string::npos) << refused.error().detail;
    EXPECT_NE(refused.error().detail.find("-R wiki.example.org:80:localhost:PORT for"), std::string::npos) << refused.error().detail;
    EXPECT_NE(refused.error().detail.find("-R localhost:1883:localhost:1884 for port :1883"), std::string::npos) << refused.error().detail;
}

TEST(SshForwardRules, ANameMeansItsRoute) {
    EXPECT_EQ(meant(kMany, "wiki.example.org", 80), "wiki.example.org/");
    EXPECT_EQ(meant(kMany, "Wiki.Example.org.", 0), "wiki.example.org/");
    EXPECT_EQ(meant(kMany, "home.example.org", 80), "home.example.org/");
    EXPECT_EQ(meant(kMany, "home.example.org", 8081), "home.example.org/cam");
    EXPECT_EQ(meant(kMany, "a.lab.example.org", 80), "*.lab.example.org/");
    EXPECT_EQ(meant(kMany, "*.lab.example.org", 80), "*.lab.example.org/");
    EXPECT_EQ(meant(kMany, "lab.example.org", 80), "no route of this age");
    EXPECT_EQ(meant(kMany, "other.example.org", 80), "no route of this age");
    EXPECT_EQ(meant(kMany, "a b", 80), "\"a?b:80\" names no ho");
    EXPECT_EQ(meant({web("h.example", "a", "/a"), web("h.example", "b", "/b")}, "h.example", 80), "h.example has severa");
}

TEST(SshForwardRules, NothingOfTheMachineIsBound) {
    EXPECT_EQ(meant(kMany, "192.0.2.5", 22), "tcp 192.0.2.5:22");
    EXPECT_EQ(meant(kMany, "192.0.2.9", 1883), "tcp :1883");
    EXPECT_EQ(meant(kMany, "192.0.2.5", 23), "no address of the re");
    EXPECT_EQ(meant(kMany, "2001:db8::1", 80), "no address of the re");
    EXPECT_EQ(meant(kMany, "", 22), "tcp 192.0.2.5:22") << "the target's own port is 22";
    EXPECT_EQ(meant({}, "", 22), "this agent has no ro");
}

TEST(SshForwardRules, NarrowForwardsTakeRoutesFromWideOnes) {
    using Assigned = std::vector<std::optional<std::size_t>>;
    EXPECT_EQ(assign_routes(kTwoNames, {{"", 8123}}), (Assigned{0, 0}));
    EXPECT_EQ(assign_routes(kTwoNames, {{"", 8123}, {"www.example.org", 80}}), (Assigned{0, 1}));
    EXPECT_EQ(assign_routes(kTwoNames, {{"www.example.org", 80}, {"", 8123}}), (Assigned{1, 0}));
    EXPECT_EQ(assign_routes(kTwoNames, {{"", 1}, {"", 2}}), (Assigned{1, 1}));
    EXPECT_EQ(assign_routes(kTwoNames, {{"other", 1}}), (Assigned{std::nullopt, std::nullopt}));
}

TEST(SshForwardRules, Port0GetsThePublicOneUnlessItIsTaken) {
    EXPECT_EQ(choose_port(kOne[0], 443, {}), 443);
    EXPECT_EQ(choose_port(kOne[0], 443, {{"", 443}, {"", 444}}), 445);
    EXPECT_EQ(choose_port(kMany[4], 443, {}), 1883);
    EXPECT_EQ(choose_port(kOne[0], 65535, {{"", 65535}}), 1);
}

TEST(SshForwardRules, ShowsWhatWasAskedWithoutControls) {
    EXPECT_EQ(shown({"127.0.0.1", 80}), "127.0.0.1:80");
    EXPECT_EQ(shown({"::1", 80}), "[::1]:80");
    EXPECT_EQ(shown({"a\x1b[2J", 0}), "a?[2J:0");
}

}  // namespace
}  // namespace sallyport::relay
