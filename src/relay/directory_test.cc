#include "relay/directory.h"

#include <gtest/gtest.h>

namespace sallyport::relay {
namespace {

store::Snapshot snapshot() {
    store::Snapshot snapshot;
    snapshot.agents = {{.id = {"a1"}, .name = "home"}, {.id = {"a2"}, .name = "cabin", .enabled = store::Enabled::no}};
    store::Credential key{.id = {"c1"}, .agent = {"a1"}};
    key.public_key = store::AgentKey{std::byte{7}};
    snapshot.credentials = {key, {.id = {"c2"}, .agent = {"a2"}, .kind = store::CredentialKind::token}};
    store::Route radio{.id = {"r2"}, .hostname = "home.example.org", .path_prefix = "/radio", .agent = {"a1"}, .target = "radio"};
    store::Route off{.id = {"r3"}, .hostname = "off.example.org", .agent = {"a1"}, .enabled = store::Enabled::no};
    snapshot.routes = {{.id = {"r1"}, .hostname = "home.example.org", .agent = {"a1"}}, radio, off, {.id = {"r4"}, .hostname = "*.cabin.example.org", .agent = {"a2"}}};
    return snapshot;
}

TEST(Directory, FindsAgentsAndCredentials) {
    const Directory directory(snapshot(), {});
    ASSERT_TRUE(directory.agent("a1"));
    EXPECT_EQ(directory.agent("a1")->name, "home");
    EXPECT_FALSE(directory.agent("home"));
    const store::AgentKey key{std::byte{7}};
    ASSERT_TRUE(directory.credential_of_key(key));
    EXPECT_EQ(directory.credential_of_key(key)->id.text, "c1");
    EXPECT_FALSE(directory.credential_of_key(store::AgentKey{}));
    EXPECT_EQ(directory.credential("c2")->kind, store::CredentialKind::token);
    EXPECT_FALSE(directory.credential("c3"));
}

TEST(Directory, TellsAgentsTheirEnabledRoutesWithThePublicPort) {
    const Directory directory(snapshot(), {8443});
    const std::vector<RouteNotice> expected{{"https://home.example.org:8443/", "homeassistant"},
                                            {"https://home.example.org:8443/radio/", "radio"}};
    EXPECT_EQ(directory.notices("a1"), expected);
    EXPECT_EQ(Directory(snapshot(), {443}).notices("a1").front().url, "https://home.example.org/");
    EXPECT_TRUE(directory.notices("nobody").empty());
}

TEST(Directory, KeepsDisabledRoutesSoThatTheyDontFallThrough) {
    const Directory directory(snapshot(), {});
    const Route* off = directory.routes()->find("off.example.org", "/");
    ASSERT_TRUE(off);
    EXPECT_FALSE(off->enabled);
    const Route* radio = directory.routes()->find("home.example.org", "/radio/x");
    ASSERT_TRUE(radio);
    EXPECT_EQ(radio->target, "radio");
    EXPECT_EQ(radio->agent_name, "home");
}

TEST(Directory, NamesEachHostnameOnce) {
    const std::vector<std::string> expected{"*.cabin.example.org", "home.example.org", "off.example.org"};
    EXPECT_EQ(Directory(snapshot(), {}).hostnames(), expected);
}

}  // namespace
}  // namespace sallyport::relay
