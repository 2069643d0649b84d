#include "relay/admin_api.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/random.h"
#include "relay/openapi.h"
#include "relay/state_dir.h"
#include "store/credential.h"
#include "wire/enrolment_code.h"

namespace sallyport::relay {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class Host final : public AdminHost {
public:
    Facts facts() override { return given; }
    std::size_t open_connections() override { return 3; }
    void refresh(store::Store&, const std::vector<store::AgentId>&) override { ++refreshed; }
    Result<> bind_tcp(const std::string& listen) override {
        if (listen == busy) return fail(Errc::address_in_use, "listen " + listen + ": the port is in use");
        return {};
    }
    Result<> need_ssh() override { return ssh_off ? Result<>(fail(Errc::invalid_argument, "ssh_listen is off")) : Result<>{}; }
    bool ssh_off = false;
    TcpRouteListeners::Shown tcp_listener(const std::string& listen) override { return {"127.0.0.1" + listen, ""}; }
    std::vector<BanShield::Ban> bans() override { return banned; }
    std::size_t lift_ban(const IpAddress& address) override {
        return std::erase_if(banned, [&](const BanShield::Ban& ban) { return ban.address == address.text(); });
    }
    std::vector<BanShield::Ban> banned;
    Result<std::vector<std::string>> reload(store::Store&) override {
        if (broken) return fail(Errc::invalid_config, "relay.yaml:1: broken");
        return std::vector<std::string>{"threads changes at the next start"};
    }
    Result<std::vector<store::BackupFile>> backup_files() override { return std::vector<store::BackupFile>{}; }
    void upgrade(Upgrade::Done done) override { done(fail(Errc::refused, "test")); }

    std::optional<RouteHealth> route_health(const store::RouteId& route, const store::AgentId&) override {
        const auto found = health.find(route.text);
        return found == health.end() ? std::nullopt : std::optional(found->second);
    }
    void prefer_newcomer(const store::AgentId&, const std::string& peer) override { preferred = peer; }

    Facts given;
    std::string preferred;
    std::map<std::string, RouteHealth> health;
    int refreshed = 0;
    bool broken = false;
    std::string busy;  // a port that can't be taken
};

class AdminApiTest : public testing::Test {
protected:
    AdminApiTest() {
        EXPECT_TRUE(prepare_state_dir(folder_));
        store_ = std::move(store::Store::open(folder_ / "relay.db", {"test", wall_now()}).value());
        host_.given.public_url = "https://relay.example.org";
        host_.given.pin = std::string(43, 'A');
        host_.given.ssh.address = *SocketAddress::parse("127.0.0.1", 2222);
        host_.given.ssh.host_key = ssh_key_of_ed25519({std::byte{7}});
        host_.given.state_dir = folder_;
    }
    ~AdminApiTest() override {
        store_.reset();
        fs::remove_all(folder_);
    }
    LocalResponse ask(std::string method, std::string path, std::string content = {}) {
        return answer_admin({std::move(method), "/api/v1/" + path, "", std::move(content)}, *store_, live_, host_);
    }
    json::object ask_json(std::string method, std::string path, std::string content = {}) {
        const LocalResponse response = ask(std::move(method), std::move(path), std::move(content));
        EXPECT_LT(response.status, 300) << response.content;
        return json::parse(response.content).as_object();
    }

    fs::path folder_ = fs::temp_directory_path() / ("admin-" + random_token(8));
    std::unique_ptr<store::Store> store_;
    Host host_;
    std::vector<LiveAgent> live_;
};

TEST_F(AdminApiTest, AddsAnAgentWithARouteAndACodeThatNamesTheRelay) {
    const auto answer = ask_json("POST", "agents", R"({"name":"home","hostnames":["home.example.org"],
        "targets":[{"name":"web","url":"http://127.0.0.1:8123"}]})");
    const auto code = parse_enrolment_code(std::string_view(answer.at("enroll").as_string()));
    ASSERT_TRUE(code) << code.error().detail;
    EXPECT_EQ(code->public_url, "https://relay.example.org");
    EXPECT_EQ(code->pin, host_.given.pin);
    ASSERT_EQ(code->targets.size(), 1u);
    EXPECT_EQ(code->targets[0].url, "http://127.0.0.1:8123");
    const auto& route = answer.at("agent").at("routes").at(0).as_object();
    EXPECT_EQ(route.at("target").as_string(), "web") << "the first proposed target";
    EXPECT_EQ(host_.refreshed, 1);
    EXPECT_TRUE(store_->redeem_enrolment({code->agent_id}, code->secret.reveal(), store::AgentKey{std::byte{1}}, wall_now()));
}

TEST_F(AdminApiTest, GivesTokensAndDeviceSecretsThatProve) {
    const auto token = ask_json("POST", "agents", R"({"name":"a","credential":"token"})");
    EXPECT_TRUE(store_->check_token(std::string_view(token.at("api_key").as_string())));
    const auto device = ask_json("POST", "agents", R"({"name":"b","credential":"device"})");
    EXPECT_TRUE(store_->check_device({std::string(device.at("device_id").as_string())}, std::string_view(device.at("secret").as_string())));
    EXPECT_FALSE(device.contains("enroll"));
}

TEST_F(AdminApiTest, EnrolsAPastedKeyWithoutACode) {
    const auto answer = ask_json("POST", "agents", R"({"name":"home","public_key":")" + std::string(43, 'A') + R"("})");
    EXPECT_FALSE(answer.contains("enroll"));
    EXPECT_TRUE(store_->find_key(store::AgentKey{}));
}

const std::string kSshKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMgMPKg6VcGO0Fd8zP7lZ1FprZHMWnodl+TgUPxmtWh/ anna@home";

TEST_F(AdminApiTest, EnrolsSshKeysAndRevokesThemOneByOne) {
    const auto added = ask_json("POST", "agents", json::serialize(json::object{{"name", "home"}, {"hostnames", json::array{"home.example.org"}}, {"ssh_keys", json::array{kSshKey}}}));
    EXPECT_FALSE(added.contains("enroll"));
    EXPECT_EQ(added.at("ssh").at("command"), "ssh -N -R home.example.org:80:localhost:8123 home@relay.example.org -p 2222");
    EXPECT_TRUE(std::string_view(added.at("ssh").at("known_hosts").as_string()).starts_with("[relay.example.org]:2222 ssh-ed25519 AAAA"));
    const auto credentials = [this] { return ask_json("GET", "agents/home").at("agent").at("credentials").as_array(); };
    const auto usable = [&] {
        json::array found;
        for (const json::value& credential : credentials())
            if (!credential.at("revoked").as_bool()) found.push_back(credential);
        return found;
    };
    ASSERT_EQ(usable().size(), 1u);
    EXPECT_EQ(usable()[0].at("kind"), "ssh_key");
    EXPECT_EQ(usable()[0].at("fingerprint"), "SHA256:4nWQesIX4ZO4sUTrierzfomFprnQ2plhTzyL/Ih0BKE");
    EXPECT_EQ(usable()[0].at("ssh_key").as_string(), kSshKey);

    EXPECT_EQ(ask("POST", "agents/home/keys", json::serialize(json::object{{"ssh_keys", json::array{kSshKey}}})).status, 409);
    const json::value refused = json::parse(ask("POST", "agents/home/keys", json::serialize(json::object{{"ssh_keys", json::array{"restrict " + kSshKey}}})).content);
    EXPECT_EQ(refused.at("error").at("field"), "ssh_keys");
    EXPECT_NE(std::string_view(refused.at("error").at("detail").as_string()).find("port-forwarding"), std::string_view::npos);
    EXPECT_EQ(ask("POST", "agents/home/keys", R"({"ssh_keys":[]})").status, 422);
    host_.ssh_off = true;
    EXPECT_EQ(ask("POST", "agents", json::serialize(json::object{{"name", "shed"}, {"ssh_keys", json::array{kSshKey}}})).status, 422);
    host_.ssh_off = false;
    const std::string ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBOHSGZWcc5bFlzfpbtY+MQbSqC1pHGcNNN1scrDibPsNN8GbeGWSo3xMoUsM6AhnSV0Fr4JI/N5Hs1a+Wi7KWOs=";
    EXPECT_EQ(ask("POST", "agents/home/keys", json::serialize(json::object{{"ssh_keys", json::array{ecdsa}}})).status, 200);
    EXPECT_EQ(usable().size(), 2u);

    const std::string id(usable()[0].at("id").as_string());
    EXPECT_EQ(ask("DELETE", "agents/home/credentials/" + id).status, 200);
    EXPECT_EQ(ask("DELETE", "agents/home/credentials/nothing").status, 404);
    EXPECT_EQ(usable().size(), 1u);
    // That it was enrolled, or was revoked, says the refusal; the agent isn't added.
    EXPECT_GE(ask("POST", "agents", json::serialize(json::object{{"name", "barn"}, {"ssh_keys", json::array{kSshKey}}})).status, 400);
    EXPECT_EQ(ask("GET", "agents/barn").status, 404);
}

TEST_F(AdminApiTest, GivesABaseDomainsNameWhereNoneIsGiven) {
    host_.given.base_domain = "example.org";
    const auto answer = ask_json("POST", "agents", R"({"name":"home"})");
    EXPECT_EQ(answer.at("agent").at("routes").at(0).at("hostname").as_string(), "home.example.org");
}

TEST_F(AdminApiTest, TellsWhatIsWrongAndWhere) {
    ASSERT_EQ(ask("POST", "agents", R"({"name":"home","hostnames":["home.example.org"]})").status, 201);
    struct {
        std::string method, path, content;
        int status;
        std::string reason, field;
    } const rows[] = {
        {"POST", "agents", "{broken", 400, "protocol", ""},
        {"POST", "agents", "[]", 400, "protocol", ""},
        {"POST", "agents", "{}", 422, "invalid_argument", "name"},
        {"POST", "agents", R"({"name":7})", 422, "invalid_argument", "name"},
        {"POST", "agents", R"({"name":"bad name"})", 422, "invalid_argument", "name"},
        {"POST", "agents", R"({"name":"x","hostname":"h"})", 422, "invalid_argument", "hostname"},
        {"POST", "agents", R"({"name":"x","hostnames":["no_host!"]})", 422, "invalid_argument", "hostnames"},
        {"POST", "agents", R"({"name":"x","targets":[{"name":"t","url":"ftp://a"}]})", 422, "invalid_argument", "targets"},
        {"POST", "agents", R"({"name":"x","targets":[{"name":"T t","url":"http://a:1"}]})", 422, "invalid_argument", "targets"},
        {"POST", "agents", R"({"name":"x","targets":[{"name":"t"}]})", 422, "invalid_argument", "url"},
        {"POST", "agents", R"({"name":"x","credential":"password"})", 422, "invalid_argument", "credential"},
        {"POST", "agents", R"({"name":"x","public_key":"short"})", 422, "invalid_argument", "public_key"},
        {"POST", "agents", R"({"name":"home"})", 409, "conflict", ""},
        {"POST", "agents", R"({"name":"x","hostnames":["home.example.org"]})", 409, "conflict", ""},
        {"GET", "agents/nobody", "", 404, "not_found", ""},
        {"DELETE", "agents/nobody", "", 404, "not_found", ""},
        {"PATCH", "agents/home", R"({"enabled":"yes"})", 422, "invalid_argument", "enabled"},
        {"POST", "routes", R"({"hostname":"a.example.org","agent":"nobody"})", 404, "not_found", "agent"},
        {"POST", "routes", R"({"hostname":"home.example.org","agent":"home"})", 409, "conflict", ""},
        {"POST", "routes", R"({"hostname":"a.example.org","agent":"home","path_prefix":"x"})", 422, "invalid_argument", "path_prefix"},
        {"POST", "routes", R"({"hostname":"a.example.org","agent":"home","request_timeout":"30"})", 422, "invalid_argument", "request_timeout"},
        {"POST", "routes", R"({"hostname":"a.example.org","agent":"home","forward_client_ip":"maybe"})", 422, "invalid_argument", "forward_client_ip"},
        {"PATCH", "routes/nothing", "{}", 404, "not_found", ""},
        {"PUT", "agents", "{}", 405, "method_not_allowed", ""},
        {"GET", "nothing", "", 404, "not_found", ""},
        {"GET", "agents/", "", 404, "not_found", ""},
        {"GET", "agents/home/x/y", "", 404, "not_found", ""},
    };
    const auto before = store_->load_snapshot();
    for (const auto& row : rows) {
        const LocalResponse response = ask(row.method, row.path, row.content);
        EXPECT_EQ(response.status, row.status) << row.method << " " << row.path << " " << row.content;
        const auto error = json::parse(response.content).at("error").as_object();
        EXPECT_EQ(error.at("reason").as_string(), row.reason) << row.path << " " << row.content;
        EXPECT_EQ(error.contains("field") ? std::string(error.at("field").as_string()) : "", row.field) << row.content;
        EXPECT_FALSE(error.at("detail").as_string().empty());
    }
    const auto after = store_->load_snapshot();
    EXPECT_EQ(before->agents, after->agents);
    EXPECT_EQ(before->routes, after->routes);
    EXPECT_EQ(host_.refreshed, 1) << "only the first request changed anything";
}

TEST_F(AdminApiTest, ChangesARouteMemberByMember) {
    (void)ask_json("POST", "agents", R"({"name":"home"})");
    const auto added = ask_json("POST", "routes", R"({"hostname":"a.example.org","agent":"home","path_prefix":"/p","request_timeout":"2m"})");
    const auto& route = added.at("route").as_object();
    EXPECT_EQ(route.at("request_timeout").as_string(), "2m0s");
    EXPECT_EQ(route.at("url").as_string(), "https://a.example.org/p/");
    const std::string path = "routes/" + std::string(route.at("id").as_string());
    const auto changed = ask_json("PATCH", path, R"({"enabled":false,"preserve_host":false,"request_timeout":null})").at("route").as_object();
    EXPECT_FALSE(changed.at("enabled").as_bool());
    EXPECT_FALSE(changed.at("preserve_host").as_bool());
    EXPECT_TRUE(changed.at("request_timeout").is_null());
    EXPECT_EQ(changed.at("path_prefix").as_string(), "/p");
    EXPECT_EQ(ask_json("GET", "routes").at("routes").as_array().size(), 1u);
    (void)ask_json("DELETE", path);
    EXPECT_EQ(ask_json("GET", "routes").at("routes").as_array().size(), 0u);
}

TEST_F(AdminApiTest, KeepsTcpRoutesInOneForm) {
    ask_json("POST", "agents", R"({"name":"home","hostnames":["home.example.org"]})");
    const auto added = ask_json("POST", "tcp-routes", R"({"listen":"*:1883","agent":"home","target":"mqtt","allow":["::ffff:192.0.2.0/120"]})");
    const auto& route = added.at("tcp_route").as_object();
    EXPECT_EQ(route.at("listen").as_string(), ":1883");
    EXPECT_EQ(route.at("address").as_string(), "127.0.0.1:1883");
    EXPECT_EQ(route.at("allow").at(0).as_string(), "192.0.2.0/24");
    const std::string id(route.at("id").as_string());
    EXPECT_TRUE(ask_json("PATCH", "tcp-routes/" + id, R"({"tls":true})").at("tcp_route").at("tls").as_bool());
    EXPECT_EQ(ask_json("GET", "tcp-routes").at("tcp_routes").as_array().size(), 1u);
    EXPECT_EQ(ask("POST", "tcp-routes", R"({"listen":":1883","agent":"home","target":"x"})").status, 409);
    EXPECT_EQ(ask("POST", "tcp-routes", R"({"listen":"mqtt","agent":"home","target":"x"})").status, 422);
    EXPECT_EQ(ask("POST", "tcp-routes", R"({"listen":":1","agent":"home","target":"x","allow":["10.0.0.1/8"]})").status, 422);
    EXPECT_EQ(ask("POST", "tcp-routes", R"({"listen":":1","agent":"nobody","target":"x"})").status, 404);
    host_.busy = ":2";
    EXPECT_EQ(ask("POST", "tcp-routes", R"({"listen":":2","agent":"home","target":"x"})").status, 409);
    EXPECT_EQ(ask("DELETE", "tcp-routes/" + id).status, 200);
    EXPECT_EQ(ask("DELETE", "tcp-routes/" + id).status, 404);
}

TEST_F(AdminApiTest, ChangesARoutesPolicyMemberByMember) {
    (void)ask_json("POST", "agents", R"({"name":"home"})");
    const auto route = ask_json("POST", "routes", R"({"hostname":"a.example.org","agent":"home","policy":{"max_body":"1MiB","deny_ips":["192.0.2.1"]}})").at("route").as_object();
    EXPECT_EQ(route.at("policy"), json::parse(R"({"max_body":"1MiB","deny_ips":["192.0.2.1"]})"));
    const std::string path = "routes/" + std::string(route.at("id").as_string());
    const auto change = [&](std::string_view policy) {
        return ask_json("PATCH", path, R"({"policy":)" + std::string(policy) + "}").at("route").as_object().at("policy");
    };
    EXPECT_EQ(change(R"({"max_body":null,"basic_auth":{"anna":"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}})"),
              json::parse(R"({"deny_ips":["192.0.2.1"],"basic_auth":["anna"]})"))
        << "no hash is shown";
    EXPECT_EQ(change(R"({"maintenance":true})"), json::parse(R"({"deny_ips":["192.0.2.1"],"basic_auth":["anna"],"maintenance":true})"));
    EXPECT_NE(store_->load_snapshot()->routes.front().policy.find("$2b$05$"), std::string::npos);
    EXPECT_EQ(ask_json("GET", path).at("route").as_object().at("policy").as_object().at("maintenance"), true);
    for (const std::string wrong : {R"({"policy":{"deny_ip":[]}})", R"({"policy":{"idle_timeout":"1m"}})", R"({"policy":[]})", R"({"policy":{"nothing":null}})"})
        EXPECT_EQ(ask("PATCH", path, wrong).status, 422) << wrong;
    EXPECT_EQ(ask_json("PATCH", path, R"({"policy":null})").at("route").as_object().at("policy"), json::object{});
    EXPECT_NE(ask("PATCH", path, R"({"policy":{"deny_ips":["x"]}})").content.find(R"("field":"policy.deny_ips")"), std::string::npos);
}

TEST_F(AdminApiTest, RotatesDisablesAndRemoves) {
    const auto first = ask_json("POST", "agents", R"({"name":"home","credential":"token"})");
    const auto second = ask_json("POST", "agents/home/rotate", R"({"credential":"token"})");
    EXPECT_FALSE(store_->check_token(std::string_view(first.at("api_key").as_string())));
    EXPECT_TRUE(store_->check_token(std::string_view(second.at("api_key").as_string())));
    (void)ask_json("PATCH", "agents/home", R"({"enabled":false})");
    EXPECT_EQ(store_->check_token(std::string_view(second.at("api_key").as_string())).error().code, Errc::refused);
    (void)ask_json("DELETE", "agents/home");
    EXPECT_TRUE(ask_json("GET", "agents").at("agents").as_array().empty());
    EXPECT_GE(ask_json("GET", "audit").at("audit").as_array().size(), 4u);
}

TEST_F(AdminApiTest, RevokesNothingWhenTheNewCodeCouldNotBeShown) {
    const auto added = ask_json("POST", "agents", R"({"name":"home","credential":"token"})");
    host_.given.public_url.clear();
    EXPECT_EQ(ask("POST", "agents/home/rotate", R"({"credential":"enrolment"})").status, 422);
    EXPECT_TRUE(store_->check_token(std::string_view(added.at("api_key").as_string())));
}

TEST_F(AdminApiTest, ShowsWhoIsConnectedAndWhatToMind) {
    (void)ask_json("POST", "agents", R"({"name":"home","hostnames":["home.example.org"]})");
    auto view = std::make_shared<AgentView>();
    view->name = "home";
    view->targets = {{.name = "homeassistant", .forwarded_for = AgentView::ForwardedFor::refused, .trusted_networks = true, .home_assistant = true}};
    live_.push_back({.agent_id = store_->find_agent("home")->id.text, .peer = "192.0.2.1", .version = "0.1.0", .connected_at = wall_now(), .round_trip = std::chrono::microseconds(1500), .open_streams = 2, .requests_in_flight = 1, .view = view});
    const auto agent = ask_json("GET", "agents/home").at("agent").as_object();
    EXPECT_TRUE(agent.at("online").as_bool());
    EXPECT_DOUBLE_EQ(agent.at("tunnel").at("round_trip_ms").as_double(), 1.5);
    const auto status = ask_json("GET", "status");
    EXPECT_EQ(status.at("agents").at("online").as_int64(), 1);
    ASSERT_EQ(status.at("warnings").as_array().size(), 1u);
    EXPECT_NE(status.at("warnings").at(0).as_string().find("trusted_networks"), json::string::npos);
}

TEST_F(AdminApiTest, DecidesBetweenTwoWithOneCredential) {
    (void)ask_json("POST", "agents", R"({"name":"home"})");
    EXPECT_EQ(ask("POST", "agents/nobody/takeover").status, 404);
    EXPECT_EQ(ask("POST", "agents/home/takeover").status, 409) << "not connected";
    auto view = std::make_shared<AgentView>();
    view->name = "home";
    live_.push_back({.agent_id = store_->find_agent("home")->id.text, .peer = "192.0.2.1", .version = "", .connected_at = wall_now(), .round_trip = {}, .open_streams = 0, .requests_in_flight = 0, .view = view});
    EXPECT_EQ(ask("POST", "agents/home/takeover").status, 409) << "nobody was refused";
    EXPECT_EQ(host_.preferred, "");
    live_[0].refused = RefusedNewcomer{"192.0.2.2", wall_now(), wall_now(), 3, false};
    const auto agent = ask_json("POST", "agents/home/takeover").at("agent").as_object();
    EXPECT_EQ(host_.preferred, "192.0.2.2");
    EXPECT_EQ(agent.at("tunnel").at("refused_newcomer").at("attempts").as_int64(), 3);
    EXPECT_EQ(ask_json("GET", "audit").at("audit").at(0).at("action").as_string(), "agent.takeover");
    const std::string warning(ask_json("GET", "status").at("warnings").at(0).as_string());
    for (const char* part : {"192.0.2.1", "192.0.2.2", "admin agent takeover home", "admin agent rotate home"}) EXPECT_NE(warning.find(part), std::string::npos) << warning;
}

TEST_F(AdminApiTest, ReloadsOrSaysWhyNot) {
    EXPECT_EQ(ask_json("POST", "reload").at("notes").as_array().size(), 1u);
    host_.broken = true;
    const LocalResponse failed = ask("POST", "reload");
    EXPECT_EQ(failed.status, 422);
    EXPECT_NE(failed.content.find("relay.yaml:1"), std::string::npos);
}

TEST_F(AdminApiTest, HandsOutABackupAndLeavesNoCopy) {
    (void)ask_json("POST", "agents", R"({"name":"home"})");
    const LocalResponse response = ask("POST", "backup");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.content_type, "application/octet-stream");
    EXPECT_GT(response.content.size(), 1000u);
    for (const auto& entry : fs::directory_iterator(folder_)) EXPECT_FALSE(entry.path().filename().string().starts_with(".backup")) << entry.path();
}

TEST(EnrolmentUrl, IsTheBestAddressThatIsKnown) {
    const std::vector<store::Route> routes{{.hostname = "*.example.org"}, {.hostname = "home.example.org"}};
    AdminHost::Facts facts;
    EXPECT_EQ(enrolment_url(facts, {}).error().code, Errc::invalid_argument);
    facts.base_domain = "example.org";
    facts.port = {8443};
    EXPECT_EQ(enrolment_url(facts, {}).value(), "https://example.org:8443");
    EXPECT_EQ(enrolment_url(facts, routes).value(), "https://home.example.org:8443");
    facts.loopback_url = "https://127.0.0.1:8443";
    EXPECT_EQ(enrolment_url(facts, routes).value(), "https://127.0.0.1:8443");
    facts.public_url = "https://relay.example.org";
    EXPECT_EQ(enrolment_url(facts, routes).value(), "https://relay.example.org");
}

TEST_F(AdminApiTest, ListsAndLiftsBans) {
    host_.banned = {{.address = "192.0.2.1", .home = "home", .kind = BanKind::login, .foreign = false, .times = 2, .left = std::chrono::seconds(90)},
                    {.address = "192.0.2.2", .home = "", .kind = BanKind::unknown_host, .foreign = true, .times = 1, .left = std::chrono::seconds(1)}};
    EXPECT_EQ(json::serialize(ask_json("GET", "bans").at("bans")),
              R"([{"address":"192.0.2.1","agent":"home","kind":"login","cross_site":false,"times":2,"left_s":90},)"
              R"({"address":"192.0.2.2","agent":null,"kind":"unknown_host","cross_site":true,"times":1,"left_s":1}])");
    EXPECT_EQ(ask_json("DELETE", "bans/192.0.2.1").at("lifted").to_number<int>(), 1);
    EXPECT_EQ(ask_json("DELETE", "bans/192.0.2.1").at("lifted").to_number<int>(), 0);
    EXPECT_EQ(ask("DELETE", "bans/everybody").status, 422);
    EXPECT_EQ(host_.banned.size(), 1u);
}

TEST(OpenApi, IsJsonAndDescribesEachPath) {
    const auto document = json::parse(kOpenApiDocument);
    for (const char* path : {"/status", "/audit", "/reload", "/backup", "/agents", "/agents/{name}", "/agents/{name}/rotate", "/agents/{name}/takeover", "/agents/{name}/keys", "/agents/{name}/credentials/{id}", "/routes", "/routes/{id}", "/bans", "/bans/{address}"})
        EXPECT_TRUE(document.at("paths").as_object().contains(path)) << path;
}

}  // namespace
}  // namespace sallyport::relay
