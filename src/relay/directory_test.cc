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

TEST(Directory, FindsSshKeysByFingerprintAndAgentsOwnKeys) {
    const SshPublicKey own = ssh_key_of_ed25519({std::byte{7}}), other = ssh_key_of_ed25519({std::byte{8}});
    store::Snapshot with_key = snapshot();
    store::Credential credential{.id = {"c4"}, .agent = {"a2"}, .kind = store::CredentialKind::ssh_key};
    credential.ssh_key = store::SshKey{other.fingerprint(), other.text()};
    with_key.credentials.push_back(credential);
    Directory directory(with_key, {});
    EXPECT_EQ(directory.credential_of_ssh_key(own)->id.text, "c1");
    EXPECT_EQ(directory.credential_of_ssh_key(other)->id.text, "c4");
    EXPECT_FALSE(directory.credential_of_ssh_key(ssh_key_of_ed25519({std::byte{9}})));
    directory.replace({"a2"}, {});
    EXPECT_FALSE(directory.credential_of_ssh_key(other));
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

// What the directory says of everything there is or was.
std::string all_said(const Directory& directory) {
    std::string said;
    for (const char* id : {"a1", "a2", "a3"}) {
        const store::Agent* agent = directory.agent(id);
        said += std::string(id) + "=" + (agent ? agent->name : "") + ":";
        for (const RouteNotice& notice : directory.notices(id)) said += notice.url + ">" + notice.target + ",";
        for (const std::string& hostname : directory.hostnames(id)) said += hostname + ",";
    }
    for (const char* id : {"c1", "c2", "c3"}) said += directory.credential(id) ? directory.credential(id)->agent.text : "-";
    for (const int octet : {7, 8}) {
        const store::AgentKey key{std::byte(octet)};
        said += directory.credential_of_key(key) ? directory.credential_of_key(key)->id.text : "-";
    }
    for (const char* host : {"home.example.org", "off.example.org", "x.cabin.example.org", "new.example.org"})
        for (const char* path : {"/", "/radio"}) {
            const Route* route = directory.routes()->find(host, path);
            said += " " + (route ? route->agent_id + route->id : "-");
        }
    for (const std::string& hostname : directory.hostnames()) said += hostname + ";";
    return said;
}

store::Snapshot part_of(const store::Snapshot& whole, const store::AgentId& agent) {
    store::Snapshot part = whole;
    std::erase_if(part.agents, [&](const auto& one) { return one.id != agent; });
    std::erase_if(part.credentials, [&](const auto& one) { return one.agent != agent; });
    std::erase_if(part.routes, [&](const auto& one) { return one.agent != agent; });
    return part;
}

TEST(Directory, IsTheSameMadeAtOnceOrAgentByAgent) {
    const store::Snapshot first = snapshot();
    store::Snapshot second = snapshot();
    second.agents[1].name = "hut";
    second.agents.push_back({.id = {"a3"}, .name = "boat"});
    second.credentials[0].id = {"c3"};
    second.credentials[0].public_key = store::AgentKey{std::byte{8}};
    second.routes[1].agent = {"a3"};  // a path of somebody else's host
    second.routes[2].hostname = "new.example.org";
    store::Snapshot third = second;
    third.agents.erase(third.agents.begin());
    std::erase_if(third.credentials, [](const auto& one) { return one.agent.text == "a1"; });
    std::erase_if(third.routes, [](const auto& one) { return one.agent.text == "a1"; });

    const Directory before(first, {8443});
    const std::string said_before = all_said(before);
    Directory directory = before;
    for (const store::Snapshot* next : std::initializer_list<const store::Snapshot*>{&second, &third, &first}) {
        for (const char* id : {"a1", "a2", "a3"}) directory.replace({id}, part_of(*next, {id}));
        EXPECT_EQ(all_said(directory), all_said(Directory(*next, {8443})));
    }
    EXPECT_EQ(all_said(before), said_before);
}

}  // namespace
}  // namespace sallyport::relay
