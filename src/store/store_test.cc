#include "store/store.h"

#include <gmock/gmock.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "store/credential.h"
#include "store/rules.h"
#include "store/testing.h"

namespace sallyport::store {
namespace {

using namespace std::chrono_literals;

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

class StoreTest : public testing::Test {
protected:
    TempFolder folder;
    std::unique_ptr<Store> store = open_store(folder.path());

    AddedAgent add(std::string name, CredentialKind kind = CredentialKind::enrolment, std::vector<RouteSpec> routes = {}) {
        auto added = store->add_agent({.name = std::move(name), .routes = std::move(routes), .credential = kind}, kOwner);
        EXPECT_TRUE(added) << added.error().detail;
        return added ? *added : AddedAgent{};
    }
    void reopen() {
        store.reset();
        store = open_store(folder.path());
    }
};

TEST_F(StoreTest, KeepsAnAgentWithItsRoutesOverAReopen) {
    auto added = store->add_agent({.name = "Home",
                                   .concurrency_limit = 7,
                                   .proposed_targets = {{"radio", "http://radio:8000"}, {"camera", "https://10.0.0.2:443"}},
                                   .routes = {{.hostname = "Home.Example.org"}, {.hostname = "*.home.example.org", .path_prefix = "/x/"}}},
                                  kOwner);
    EXPECT_OK(added);
    EXPECT_EQ(added->agent.name, "home");
    reopen();
    EXPECT_EQ(store->find_agent("home").value(), added->agent);
    EXPECT_EQ(store->find_agent(added->agent.id).value(), added->agent);
    EXPECT_THAT(store->list_routes().value(), testing::UnorderedElementsAreArray(added->routes));
    EXPECT_EQ(store->find_route("*.home.example.org", "/x").value(), added->routes[1]);
}

TEST_F(StoreTest, AddingAnAgentIsAllOrNothing) {
    add("first", CredentialKind::token, {{.hostname = "a.example.org"}});
    const AgentSpec clashing{.name = "second", .routes = {{.hostname = "b.example.org"}, {.hostname = "a.example.org"}}};
    EXPECT_FAILS(store->add_agent(clashing, kOwner), Errc::conflict, "a.example.org/ exists already");
    EXPECT_FAILS(store->find_agent("second"), Errc::not_found, "no agent");
    EXPECT_THAT(store->list_routes().value(), SizeIs(1));
    EXPECT_THAT(store->load_snapshot()->credentials, SizeIs(1));
}

TEST_F(StoreTest, RefusesWhatTheRulesForbid) {
    add("home");
    EXPECT_FAILS(store->add_agent({.name = "home"}, kOwner), Errc::conflict, "home exists already");
    EXPECT_FAILS(store->add_agent({.name = "no good"}, kOwner), Errc::invalid_argument, "agent name");
    EXPECT_FAILS(store->add_agent({.name = "x", .credential = CredentialKind::ed25519}, kOwner), Errc::invalid_argument, "key");
    EXPECT_FAILS(store->add_agent({.name = "x", .proposed_targets = {{"a", "http://a:1"}, {"a", "http://a:2"}}}, kOwner),
                 Errc::invalid_argument, "twice");
    EXPECT_FAILS(store->add_route("home", {.hostname = "a:1"}, kOwner), Errc::invalid_argument, "DNS name");
    EXPECT_FAILS(store->add_route("home", {.hostname = "a.b", .request_timeout = std::chrono::seconds(0)}, kOwner),
                 Errc::invalid_argument, "request_timeout");
    EXPECT_FAILS(store->add_route("nobody", {.hostname = "a.b"}, kOwner), Errc::not_found, "no agent");
}

TEST_F(StoreTest, KeepsTcpRoutes) {
    add("home");
    add("barn");
    const auto mqtt = store->add_tcp_route("home", {.listen = ":1883", .target = "mqtt", .tls = true, .proxy_protocol = true, .allow = {"192.0.2.0/24", "::1"}}, kOwner);
    EXPECT_OK(mqtt);
    EXPECT_OK(store->add_tcp_route("barn", {.listen = "127.0.0.1:22", .target = "ssh"}, kOwner));
    EXPECT_FAILS(store->add_tcp_route("barn", {.listen = ":1883", .target = "x"}, kOwner), Errc::conflict, ":1883");
    EXPECT_FAILS(store->add_tcp_route("barn", {.listen = ":1", .target = "x", .allow = {"a b"}}, kOwner), Errc::invalid_argument, "network");
    reopen();
    EXPECT_EQ(store->list_tcp_routes()->back(), *mqtt);
    const auto changed = store->set_tcp_route(mqtt->id, {.agent = "barn", .enabled = Enabled::no, .tls = false, .allow = std::vector<std::string>{}}, kOwner);
    EXPECT_OK(changed);
    EXPECT_EQ(changed->allow.size(), 0u);
    EXPECT_EQ(store->list_tcp_routes()->back(), *changed);
    EXPECT_OK(store->remove_tcp_route(mqtt->id, kOwner));
    EXPECT_FAILS(store->remove_tcp_route(mqtt->id, kOwner), Errc::not_found, "TCP route");
    EXPECT_OK(store->remove_agent("barn", kOwner));
    EXPECT_THAT(store->list_tcp_routes().value(), IsEmpty());
}

TEST_F(StoreTest, ChangesAndRemovesAgents) {
    const auto home = add("home", CredentialKind::token, {{.hostname = "home.example.org"}});
    add("barn", CredentialKind::device);
    EXPECT_EQ(store->set_agent_enabled("home", Enabled::no, kOwner)->enabled, Enabled::no);
    EXPECT_EQ(store->set_agent_limit("home", 5, kOwner)->concurrency_limit, 5u);
    const AgentId ids[] = {home.agent.id, AgentId{"unknown"}};
    EXPECT_OK(store->note_agents_seen(ids, kNoon + std::chrono::hours(1)));
    reopen();
    EXPECT_EQ(store->find_agent("home")->last_seen_at, kNoon + std::chrono::hours(1));
    EXPECT_EQ(store->find_agent("home")->enabled, Enabled::no);

    EXPECT_EQ(store->remove_agent("home", kOwner)->id, home.agent.id);
    const auto left = store->load_snapshot();
    EXPECT_THAT(left->agents, ElementsAre(Field(&Agent::name, "barn")));
    EXPECT_THAT(left->credentials, SizeIs(1));
    EXPECT_THAT(left->routes, IsEmpty());
    EXPECT_FAILS(store->remove_agent("home", kOwner), Errc::not_found, "no agent");
}

TEST_F(StoreTest, LoadsWhatItHasOfOneAgent) {
    const auto home = store->add_agent(
        {.name = "home", .proposed_targets = {{"radio", "http://r:80"}}, .routes = {{.hostname = "h.example.org"}}}, kOwner);
    const auto barn = store->add_agent({.name = "barn", .proposed_targets = {{"cam", "http://c:80"}}}, kOwner);
    EXPECT_OK(store->rotate_agent("home", CredentialKind::token, 0s, kOwner));
    const auto whole = store->load_snapshot();
    const auto part = store->load_snapshot(home->agent.id);
    EXPECT_THAT(part->agents, ElementsAre(whole->agents[1])) << "barn comes first";
    EXPECT_THAT(part->agents[0].proposed_targets, ElementsAre(ProposedTarget{"radio", "http://r:80"}));
    EXPECT_THAT(part->credentials, ElementsAre(Field(&Credential::kind, CredentialKind::token)));
    EXPECT_EQ(part->routes, whole->routes);
    EXPECT_EQ(store->list_routes(home->agent.id).value(), whole->routes);
    EXPECT_THAT(store->list_routes(barn->agent.id).value(), IsEmpty());
    EXPECT_OK(store->remove_agent("home", kOwner));
    const auto none = store->load_snapshot(home->agent.id);
    EXPECT_THAT(none->agents, IsEmpty());
    EXPECT_THAT(none->credentials, IsEmpty());
}

TEST_F(StoreTest, ChangesAndRemovesRoutes) {
    add("home");
    const auto barn = add("barn");
    const auto route = store->add_route("home", {.hostname = "a.example.org"}, kOwner);
    EXPECT_OK(route);
    const auto changed = store->set_route(route->id,
                                          {.target = "radio",
                                           .agent = "barn",
                                           .enabled = Enabled::no,
                                           .strip_prefix = true,
                                           .preserve_host = false,
                                           .forward_client_ip = ForwardClientIp::never,
                                           .request_timeout = std::optional(std::chrono::milliseconds(1500))},
                                          kOwner);
    EXPECT_OK(changed);
    reopen();
    const auto kept = store->find_route(route->id).value();
    EXPECT_EQ(kept, *changed);
    EXPECT_EQ(kept.agent, barn.agent.id);
    EXPECT_EQ(kept.request_timeout, std::chrono::milliseconds(1500));
    EXPECT_EQ(store->set_route(route->id, {.request_timeout = std::optional<std::chrono::milliseconds>()}, kOwner)->request_timeout,
              std::nullopt);
    EXPECT_FAILS(store->set_route(route->id, {.target = "no good"}, kOwner), Errc::invalid_argument, "target");
    EXPECT_FAILS(store->set_route({"unknown"}, {}, kOwner), Errc::not_found, "no route");
    EXPECT_OK(store->remove_route(route->id, kOwner));
    EXPECT_FAILS(store->find_route(route->id), Errc::not_found, "no route");
}

TEST_F(StoreTest, TradesAnEnrolmentCodeForTheFirstKeyOnly) {
    const auto home = add("home");
    const auto& [code, secret] = home.issued;
    EXPECT_EQ(code.expires_at, kNoon + std::chrono::hours(24));
    const auto redeem = [&](std::string_view with, int key, WallTime at) {
        return store->redeem_enrolment(code.id, with, key_of(key), at);
    };
    EXPECT_FAILS(redeem("wrong", 1, kNoon), Errc::unauthorized, "unknown enrolment code");
    EXPECT_FAILS(store->redeem_enrolment({"unknown"}, secret.reveal(), key_of(1), kNoon), Errc::unauthorized, "unknown enrolment code");
    EXPECT_FAILS(redeem(secret.reveal(), 1, kNoon + std::chrono::hours(24)), Errc::timeout, "expired");
    EXPECT_FAILS(store->find_key(key_of(1)), Errc::unauthorized, "unknown key");

    EXPECT_EQ(redeem(secret.reveal(), 1, kNoon + std::chrono::hours(23)).value(), home.agent.id);
    EXPECT_EQ(store->find_key(key_of(1)).value(), home.agent.id);
    reopen();
    EXPECT_EQ(redeem(secret.reveal(), 1, kNoon + std::chrono::hours(48)).value(), home.agent.id) << "the answer was lost: once more";
    EXPECT_FAILS(redeem(secret.reveal(), 2, kNoon), Errc::conflict, "another key");
    EXPECT_FAILS(store->find_key(key_of(2)), Errc::unauthorized, "unknown key");
    EXPECT_THAT(store->list_credentials(home.agent.id).value(), SizeIs(2));
}

TEST_F(StoreTest, RefusesAKeyThatIsEnrolledElsewhereOrRevoked) {
    const auto home = add("home"), barn = add("barn");
    EXPECT_OK(store->redeem_enrolment(home.issued.credential.id, home.issued.secret.reveal(), key_of(1), kNoon));
    const auto& other = barn.issued;
    EXPECT_FAILS(store->redeem_enrolment(other.credential.id, other.secret.reveal(), key_of(1), kNoon), Errc::conflict, "enrolled already");
    const auto again = store->rotate_agent("home", CredentialKind::enrolment, 0s, kOwner);
    EXPECT_OK(again);
    EXPECT_FAILS(store->find_key(key_of(1)), Errc::unauthorized, "unknown key");
    EXPECT_FAILS(store->redeem_enrolment(home.issued.credential.id, home.issued.secret.reveal(), key_of(1), kNoon), Errc::refused, "revoked");
    EXPECT_FAILS(store->redeem_enrolment(again->credential.id, again->secret.reveal(), key_of(1), kNoon), Errc::refused, "new one");
    EXPECT_OK(store->redeem_enrolment(again->credential.id, again->secret.reveal(), key_of(2), kNoon));
}

TEST_F(StoreTest, RotatesWithAnOverlapThatOutlivesAReopening) {
    const auto home = add("home"), unused = add("barn");
    EXPECT_OK(store->redeem_enrolment(home.issued.credential.id, home.issued.secret.reveal(), key_of(1), kNoon));
    EXPECT_THAT(store->list_retiring().value(), SizeIs(0));
    const auto again = store->rotate_agent("home", CredentialKind::token, 1h, kOwner);
    EXPECT_OK(again);
    EXPECT_EQ(store->find_key(key_of(1)).value(), home.agent.id) << "side by side";
    EXPECT_OK(store->check_token(format_api_key(*again).reveal()));
    EXPECT_OK(store->rotate_agent("home", CredentialKind::token, 2h, kOwner));  // the first deadline stays
    reopen();
    const auto retiring = store->list_retiring().value();
    ASSERT_THAT(retiring, SizeIs(2));
    EXPECT_EQ(retiring[0].kind, CredentialKind::ed25519);
    EXPECT_EQ(retiring[0].retires_at, kOwner.at + 1h);
    EXPECT_EQ(retiring[1].retires_at, kOwner.at + 2h);
    EXPECT_OK(store->revoke_credential(retiring[0].id, kOwner));
    EXPECT_THAT(store->list_retiring().value(), SizeIs(1));
    EXPECT_FAILS(store->find_key(key_of(1)), Errc::unauthorized, "unknown key");
    EXPECT_FAILS(store->rotate_agent("home", CredentialKind::token, 721h, kOwner), Errc::invalid_argument, "30 days");
    // A code that nobody has used yet is replaced at once.
    EXPECT_OK(store->rotate_agent("barn", CredentialKind::enrolment, 1h, kOwner));
    EXPECT_FAILS(store->redeem_enrolment(unused.issued.credential.id, unused.issued.secret.reveal(), key_of(2), kNoon), Errc::refused, "revoked");
}

TEST_F(StoreTest, AnSshKeyIsOneAgentsAndNeverComesBack) {
    const auto home = add("home"), barn = add("barn");
    const SshKey key{"SHA256:one", "restrict,port-forwarding ssh-ed25519 AAAA anna"};
    EXPECT_EQ(store->has_ssh_keys().value(), false);
    const auto enrolled = store->enrol_ssh_key("home", key, key_of(5), kOwner);
    EXPECT_OK(enrolled);
    EXPECT_EQ(store->has_ssh_keys().value(), true);
    EXPECT_FAILS(store->enrol_ssh_key("barn", key, std::nullopt, kOwner), Errc::conflict, "enrolled already");
    EXPECT_OK(store->enrol_key("barn", key_of(6), kOwner));
    EXPECT_FAILS(store->enrol_ssh_key("home", {"SHA256:two", "x"}, key_of(6), kOwner), Errc::conflict, "enrolled already");
    EXPECT_FAILS(store->enrol_ssh_key("nobody", {"SHA256:two", "x"}, std::nullopt, kOwner), Errc::not_found, "");
    EXPECT_FAILS(store->enrol_ssh_key("home", {"SHA256:two", std::string(kMaxSshKeyLine + 1, 'x')}, std::nullopt, kOwner), Errc::too_large, "too long");
    reopen();
    const auto known = store->load_snapshot(home.agent.id)->credentials;
    ASSERT_THAT(known, SizeIs(2));
    EXPECT_EQ(known[known[0].kind == CredentialKind::ssh_key ? 0 : 1].ssh_key, key);
    EXPECT_OK(store->revoke_credential(enrolled->id, kOwner));
    EXPECT_EQ(store->has_ssh_keys().value(), false);
    EXPECT_FAILS(store->enrol_ssh_key("home", key, std::nullopt, kOwner), Errc::refused, "was revoked");
    for (std::size_t i = 0; i < kMaxSshKeys; ++i) EXPECT_OK(store->enrol_ssh_key("barn", {"SHA256:" + std::to_string(i), "x"}, std::nullopt, kOwner));
    EXPECT_FAILS(store->enrol_ssh_key("barn", {"SHA256:more", "x"}, std::nullopt, kOwner), Errc::too_large, "at most 64");
}

TEST_F(StoreTest, ADisabledAgentProvesNothing) {
    const auto home = add("home"), token = add("token", CredentialKind::token);
    EXPECT_OK(store->enrol_key("home", key_of(3), kOwner));
    EXPECT_FAILS(store->enrol_key("token", key_of(3), kOwner), Errc::conflict, "enrolled already");
    for (const auto* const name : {"home", "token"}) EXPECT_OK(store->set_agent_enabled(name, Enabled::no, kOwner));
    EXPECT_FAILS(store->find_key(key_of(3)), Errc::refused, "home is disabled");
    EXPECT_FAILS(store->check_token(format_api_key(token.issued).reveal()), Errc::refused, "token is disabled");
    EXPECT_FAILS(store->redeem_enrolment(home.issued.credential.id, home.issued.secret.reveal(), key_of(4), kNoon), Errc::refused, "disabled");
    EXPECT_OK(store->set_agent_enabled("home", Enabled::yes, kOwner));
    EXPECT_OK(store->find_key(key_of(3)));
}

TEST_F(StoreTest, ChecksSharedSecrets) {
    const auto token = add("token", CredentialKind::token), device = add("device", CredentialKind::device);
    const Secret api_key = format_api_key(token.issued);
    EXPECT_EQ(store->check_token(api_key.reveal()).value(), token.agent.id);
    EXPECT_EQ(store->check_device(device.issued.credential.id, device.issued.secret.reveal()).value(), device.agent.id);

    EXPECT_FAILS(store->check_token(std::string(api_key.reveal()) + "x"), Errc::unauthorized, "api_key");
    EXPECT_FAILS(store->check_token(""), Errc::unauthorized, "api_key");
    EXPECT_FAILS(store->check_token(format_api_key(device.issued).reveal()), Errc::unauthorized, "token");
    EXPECT_FAILS(store->check_device(token.issued.credential.id, token.issued.secret.reveal()), Errc::unauthorized, "device");
    EXPECT_FAILS(store->check_device(device.issued.credential.id, token.issued.secret.reveal()), Errc::unauthorized, "wrong secret");

    EXPECT_OK(store->revoke_credential(token.issued.credential.id, kOwner));
    EXPECT_FAILS(store->check_token(api_key.reveal()), Errc::unauthorized, "token");
    EXPECT_THAT(store->load_snapshot()->credentials, SizeIs(1)) << "revoked ones are not for the relay";
    EXPECT_FAILS(store->revoke_credential({"unknown"}, kOwner), Errc::not_found, "no credential");
}

TEST_F(StoreTest, KeepsNoSecretInTheFile) {
    const auto token = add("token", CredentialKind::token);
    store.reset();
    EXPECT_FALSE(read_file(folder / kDatabaseName).contains(token.issued.secret.reveal()));
}

TEST_F(StoreTest, WritesAnAuditTrail) {
    add("home", CredentialKind::token, {{.hostname = "home.example.org"}});
    const auto trail = store->list_audit(10).value();
    EXPECT_THAT(trail, ElementsAre(Field(&AuditEntry::action, "credential.issue"), Field(&AuditEntry::action, "route.add"),
                                   Field(&AuditEntry::action, "agent.add")));
    EXPECT_EQ(trail[1].subject, "home.example.org/");
    EXPECT_EQ(trail[1].actor, "test");
    EXPECT_EQ(trail[1].at, kNoon);
    EXPECT_THAT(store->list_audit(1).value(), SizeIs(1));
}

TEST_F(StoreTest, KeepsTheLastTenThousandAuditEntries) {
    store.reset();
    {
        soci::session sql(soci::sqlite3, (folder / kDatabaseName).string());
        for (const auto* const id : {"1", "2", "3", "10001"})
            sql << "insert into audit (id, at, actor, action, subject, detail) values (" << id << ", 0, '', '', '', '')";
    }
    store = open_store(folder.path());
    EXPECT_OK(store->set_agent_enabled(add("home", CredentialKind::token).agent.name, Enabled::no, kOwner));
    std::vector<std::int64_t> ids;
    for (const AuditEntry& entry : store->list_audit(100).value()) ids.push_back(entry.id);
    EXPECT_THAT(ids, ElementsAre(10004, 10003, 10002, 10001));
}

TEST_F(StoreTest, RemembersFacts) {
    EXPECT_EQ(store->get_meta("relay").value(), std::nullopt);
    EXPECT_OK(store->set_meta("relay", "one"));
    EXPECT_OK(store->set_meta("relay", "two"));
    reopen();
    EXPECT_EQ(store->get_meta("relay").value(), "two");
}

TEST(Rules, ForwardClientIpComesBackFromItsText) {
    for (const auto value : {ForwardClientIp::automatic, ForwardClientIp::always, ForwardClientIp::never})
        EXPECT_EQ(parse_forward_client_ip(name_of(value)).value(), value);
    EXPECT_FALSE(parse_forward_client_ip("yes"));
}

}  // namespace
}  // namespace sallyport::store
