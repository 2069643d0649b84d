#include "config/agent_config.h"

#include <gmock/gmock.h>

#include <set>

#include "config/keys.h"
#include "config/service_config.h"

namespace sallyport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::string_view kPin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

ConfigSources file(std::string text, std::string name = "agent.yaml") {
    return {.file_name = std::move(name), .file_text = std::move(text), .environment = {{"HOME", "/home/a"}}};
}

AgentConfig load(const ConfigSources& sources) {
    auto config = load_agent_config(sources);
    EXPECT_TRUE(config) << config.error().detail;
    return config ? std::move(*config) : AgentConfig{};
}

ServiceConfig service(std::string name, std::string_view url) { return {.name = std::move(name), .url = parse_target_url(url).value()}; }

TEST(AgentConfig, HasDefaults) {
    const AgentConfig config = load({.environment = {{"HOME", "/home/a"}}});
    EXPECT_FALSE(config.state_dir.empty());
    EXPECT_EQ(config.relay_url, std::nullopt);
    EXPECT_TRUE(config.api_key.empty());
    EXPECT_EQ(config.log_level, LogLevel::info);
    EXPECT_EQ(config.heartbeat_interval, 30s);
    EXPECT_EQ(config.heartbeat_timeout, 10s);
    EXPECT_EQ(config.reconnect_base, 1s);
    EXPECT_EQ(config.reconnect_max, 60s);
    EXPECT_EQ(config.request_timeout, 30s);
    EXPECT_EQ(config.concurrency_limit, 100u);
    EXPECT_THAT(config.services, ElementsAre(ServiceConfig{.name = "homeassistant"}));
    EXPECT_FALSE(config.allow_any_target);
    EXPECT_TRUE(config.warnings.empty());
}

TEST(AgentConfig, ReadsTheFileOfAnAddOn) {
    const AgentConfig config = load(file(R"({
  "server_url": "wss://relay.example.org/",
  "api_key": "",
  "device_id": "abc",
  "secret": "def",
  "enroll": "",
  "pin": "",
  "ca_file": "",
  "log_level": "debug",
  "heartbeat_interval": "15s",
  "heartbeat_timeout": "5s",
  "reconnect_base": "500ms",
  "reconnect_max": "1m",
  "request_timeout": "1m30s",
  "concurrency_limit": 20,
  "services": [
    {"name": "homeassistant", "url": "http://homeassistant:8123"},
    {"name": "nas", "url": "https://10.0.0.2:443", "tls_server_name": "", "trust": ""}
  ],
  "allow_any_target": false
})", "/data/options.json"));
    EXPECT_EQ(config.relay_url->host, "relay.example.org");
    EXPECT_TRUE(config.api_key.empty());
    EXPECT_EQ(config.device_id, "abc");
    EXPECT_EQ(config.secret.reveal(), "def");
    EXPECT_TRUE(config.enroll.empty());
    EXPECT_EQ(config.log_level, LogLevel::debug);
    EXPECT_EQ(config.heartbeat_interval, 15s);
    EXPECT_EQ(config.heartbeat_timeout, 5s);
    EXPECT_EQ(config.reconnect_base, 500ms);
    EXPECT_EQ(config.reconnect_max, 60s);
    EXPECT_EQ(config.request_timeout, 90s);
    EXPECT_EQ(config.concurrency_limit, 20u);
    EXPECT_THAT(config.services, ElementsAre(service("homeassistant", "http://homeassistant:8123"), service("nas", "https://10.0.0.2:443")));
}

TEST(AgentConfig, ReadsServicesInEveryShape) {
    const std::vector<ServiceConfig> expected = {service("radio", "http://radio.lan:8000"), service("nas", "tcp://10.0.0.2:22")};
    const ConfigSources shapes[] = {
        file("services:\n  radio: http://radio.lan:8000\n  nas: tcp://10.0.0.2:22\n"),
        file("services:\n  radio:\n    url: http://radio.lan:8000\n  nas: {url: tcp://10.0.0.2:22}\n"),
        file("services:\n  - radio: http://radio.lan:8000\n  - nas: {url: tcp://10.0.0.2:22}\n"),
        file("services:\n  - radio=http://radio.lan:8000\n  - nas=tcp://10.0.0.2:22\n"),
        file("services:\n  - {name: radio, url: http://radio.lan:8000}\n  - url: tcp://10.0.0.2:22\n    name: nas\n"),
        file("services: radio=http://radio.lan:8000,nas=tcp://10.0.0.2:22\n"),
        {.environment = {{"HOME", "/h"}, {"SALLYPORT_SERVICES", "radio=http://radio.lan:8000,nas=tcp://10.0.0.2:22"}}},
        {.environment = {{"HOME", "/h"}, {"SALLYPORT_SERVICES", R"({"radio": "http://radio.lan:8000", "nas": {"url": "tcp://10.0.0.2:22"}})"}}},
        {.environment = {{"HOME", "/h"}}, .flags = {{"services", "radio=http://radio.lan:8000,nas=tcp://10.0.0.2:22"}}},
    };
    for (const ConfigSources& sources : shapes) EXPECT_EQ(load(sources).services, expected) << sources.file_text.value_or("");
}

TEST(AgentConfig, ReadsHowToTrustAService) {
    const auto services = load(file("services:\n"
                                    "  homeassistant: auto\n"
                                    "  a: {url: https://10.0.0.1:443, tls_server_name: Camera.lan, trust: ca}\n"
                                    "  b: {url: https://10.0.0.1:443, trust: sha256:" + std::string(kPin) + "}\n")).services;
    ASSERT_EQ(services.size(), 3u);
    EXPECT_EQ(services[0], ServiceConfig{.name = "homeassistant"});
    EXPECT_EQ(services[1].tls_server_name, "camera.lan");
    EXPECT_EQ(services[1].trust, TargetTrust::system_ca);
    EXPECT_EQ(services[2].trust, TargetTrust::pin);
    EXPECT_EQ(services[2].pin, kPin);
}

TEST(AgentConfig, TakesBothNamesOfTheRelay) {
    EXPECT_EQ(load(file("relay_url: wss://a.example\n")).relay_url->host, "a.example");
    EXPECT_EQ(load(file("server_url: ws://127.0.0.1:80\n")).relay_url->scheme, "ws");
    ConfigSources sources = file("server_url: wss://a.example\n");
    sources.environment.emplace("SALLYPORT_RELAY_URL", "wss://b.example");
    EXPECT_EQ(load(sources).relay_url->host, "b.example") << "the higher layer wins, whatever the name";
    sources = file("relay_url: wss://a.example\n");
    sources.environment.emplace("SALLYPORT_SERVER_URL", "wss://b.example");
    EXPECT_EQ(load(sources).relay_url->host, "b.example");
    sources = file("relay_url: wss://a.example\nserver_url: ''\n");
    EXPECT_EQ(load(sources).relay_url->host, "a.example");
}

TEST(AgentConfig, TakesAnEnrolmentCodeThatWasWrapped) {
    EXPECT_EQ(load(file("enroll: |\n  sallyport1_abc\n  def\n")).enroll.reveal(), "sallyport1_abcdef");
    EXPECT_EQ(load(file("enroll_file: /run/code\n")).enroll_file, "/run/code");
}

TEST(AgentConfig, ReadsAPin) {
    EXPECT_EQ(load(file("pin: " + std::string(kPin))).pin, kPin);
    EXPECT_FALSE(parse_pin("sha256:"));
    EXPECT_FALSE(parse_pin(std::string(kPin) + "A"));
}

TEST(AgentConfig, WarnsOfAnyTarget) {
    EXPECT_THAT(load(file("allow_any_target: true\n")).warnings, ElementsAre(HasSubstr("every host and port")));
}

TEST(AgentConfig, NamesFileLineAndKey) {
    const struct {
        std::string_view text, error;
    } rows[] = {
        {"\nrelay_ulr: wss://a", "agent.yaml:2: unknown key \"relay_ulr\" (did you mean \"relay_url\"?)"},
        {"relay_url: http://a.example", "agent.yaml:1: relay_url: \"http://a.example\": must begin with "},
        {"server_url: a.example", "agent.yaml:1: server_url: \"a.example\": must begin with "},
        {"relay_url: ws://a.example", "agent.yaml:1: relay_url: \"ws://a.example\": ws:// is allowed to loopback (this machine) only: write wss://"},
        {"relay_url: wss://a\nserver_url: wss://b", "agent.yaml:2: server_url: is another name of relay_url; keep one of them"},
        {"api_key: x", "agent.yaml: relay_url: missing: the relay's address, like wss://relay.example.org (set it in the configuration, "
                       "with --relay-url or as environment SALLYPORT_RELAY_URL)"},
        {"relay_url: wss://a\ndevice_id: x", "agent.yaml: secret: missing: device_id needs it (set it in the configuration, "},
        {"relay_url: wss://a\nsecret: x", "agent.yaml: device_id: missing: secret needs it"},
        {"relay_url: wss://a\nsecret: x\ndevice_id: y\napi_key: z", "agent.yaml:4: api_key: use either api_key or device_id with secret, not both"},
        {"enroll: x\nenroll_file: y", "agent.yaml:2: enroll_file: use either enroll or enroll_file, not both"},
        {"heartbeat_interval: 30", "agent.yaml:1: heartbeat_interval: \"30\" is no duration: a unit is missing (write 30s, 1m30s or 500ms)"},
        {"heartbeat_interval: 30 s", "agent.yaml:1: heartbeat_interval: \"30 s\" is no duration: the unit must be ns, us, ms, s, m or h"},
        {"heartbeat_interval: ''", "agent.yaml:1: heartbeat_interval: has no value"},
        {"heartbeat_timeout: 0s", "agent.yaml:1: heartbeat_timeout: \"0s\" is outside of 100ms to 1h0m0s"},
        {"request_timeout: -1s", "agent.yaml:1: request_timeout: \"-1s\" is no duration: it is negative"},
        {"reconnect_base: 2m", "agent.yaml:1: reconnect_base: reconnect_max is less than reconnect_base"},
        {"reconnect_base: 2s\nreconnect_max: 1s", "agent.yaml:2: reconnect_max: reconnect_max is less than reconnect_base"},
        {"concurrency_limit: 0", "agent.yaml:1: concurrency_limit: \"0\" is no whole number from 1 to 100000"},
        {"log_level: verbose", "agent.yaml:1: log_level: "},
        {"pin: abc", "agent.yaml:1: pin: a pin is 43 characters"},
        {"services:\n  - radio", "agent.yaml:2: services[0]: \"radio\": write it as name=http://host:port"},
        {"services:\n  radio:", "agent.yaml:2: services.radio: has no value"},
        {"services:\n  radio: [1]", "agent.yaml:2: services.radio: one value is expected, not a list or map"},
        {"services:\n  radio: auto", "agent.yaml:2: services.radio: \"auto\": must begin with "},
        {"services:\n  radio: ftp://a:21", "agent.yaml:2: services.radio: \"ftp://a:21\": must begin with "},
        {"services:\n  Radio: http://a:80", "agent.yaml:2: services.Radio: service name \"Radio\": use 1 to 64 of a-z, 0-9, '-', '_' and '.'"},
        {"services:\n  radio:\n    tls_servername: x\n    url: http://a:80",
         "agent.yaml:3: unknown key \"services.radio.tls_servername\" (did you mean \"tls_server_name\"?)"},
        {"services:\n  radio: {trust: ca}", "agent.yaml:2: services.radio.url: missing: like http://radio.lan:8000 (set it here)"},
        {"services:\n  - url: http://a:80", "agent.yaml:2: services[0].name: missing: what the relay asks for (set it here)"},
        {"services:\n  radio: {url: 'http://a:80', trust: ca}", "agent.yaml:2: services.radio.trust: means something for https only"},
        {"services:\n  radio: {url: 'https://a:80', trust: maybe}", "agent.yaml:2: services.radio.trust: \"maybe\" is neither auto, ca nor a pin"},
        {"services: a=http://b:1,a=http://b:2", "agent.yaml:1: services: service \"a\" stands here for the second time"},
        {"allow_any_target: 1", "agent.yaml:1: allow_any_target: \"1\" is none of true, false, yes, no, on, off"},
    };
    for (const auto& row : rows) {
        const auto config = load_agent_config(file(std::string(row.text)));
        ASSERT_FALSE(config) << row.text;
        EXPECT_EQ(config.error().code, Errc::invalid_config) << row.text;
        EXPECT_THAT(config.error().detail, testing::StartsWith(row.error));
        EXPECT_FALSE(config.error().detail.contains('\n')) << config.error().detail;
    }
}

TEST(AgentConfig, NeverShowsASecret) {
    const auto config = load_agent_config(file("api_key: \"hush\\n\"\ndevice_id: x\nsecret: {hush: 1}\nenroll: [hush]\n"));
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().detail, testing::Not(HasSubstr("hush")));
}

TEST(AgentConfig, KnowsTheKeysOfItsHelp) {
    std::set<std::string_view> names;
    ConfigSources sources{.environment = {{"HOME", "/h"}}};
    for (const KeyInfo& key : agent_keys()) {
        EXPECT_TRUE(names.insert(key.name).second) << key.name;
        EXPECT_EQ(key.has_flag, !std::set<std::string_view>({"api_key", "secret", "private_key", "password"}).contains(key.name)) << key.name;
        sources.flags.emplace_back(key.name, "{");
    }
    const auto config = load_agent_config(sources);
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().detail, testing::Not(HasSubstr("unknown")));
}

}  // namespace
}  // namespace sallyport
