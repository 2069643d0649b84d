#include "config/relay_config.h"

#include <gmock/gmock.h>

#include <set>

#include "config/keys.h"

namespace sallyport {
namespace {

using testing::ElementsAre;
using namespace std::chrono_literals;

ConfigSources file(std::string text) {
    return {.file_name = "relay.yaml", .file_text = std::move(text), .environment = {{"HOME", "/home/a"}}};
}

TEST(RelayConfig, HasDefaults) {
    const auto config = load_relay_config({.environment = {{"HOME", "/home/a"}}});
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_FALSE(config->state_dir.empty());
    EXPECT_EQ(config->https_listen.text(), ":443");
    EXPECT_EQ(config->http_listen->text(), ":80");
    EXPECT_EQ(config->metrics_listen->text(), "127.0.0.1:9464");
    EXPECT_EQ(config->public_url, std::nullopt);
    EXPECT_EQ(config->base_domain, "");
    EXPECT_TRUE(config->certificates.empty());
    EXPECT_EQ(config->log_level, LogLevel::info);
    EXPECT_TRUE(config->access_log);
    EXPECT_EQ(config->offline_grace, 5s);
    EXPECT_TRUE(config->ban_shield);
    EXPECT_EQ(config->ban_after, 10u);
    EXPECT_EQ(config->ban_time, 1min);
    EXPECT_EQ(config->ban_time_max, 1h);
    EXPECT_EQ(config->threads, 0u);
}

TEST(RelayConfig, ReadsEveryKey) {
    const auto config = load_relay_config(file(R"(
state_dir: /srv/sallyport
https_listen: 127.0.0.1:0
http_listen: off
metrics_listen: "[::1]:9000"
public_url: https://relay.example.org
base_domain: Example.org
certificates:
  - certificate: /etc/a.pem
    key: /etc/a.key
  - {certificate: b.pem, key: b.key}
tls_min_version: 1.3
log_level: debug
log_format: json
access_log: no
offline_grace: 1m30s
drain_timeout: 0s
threads: 4
max_agents: 7
)"));
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_EQ(config->state_dir, "/srv/sallyport");
    EXPECT_EQ(config->https_listen.text(), "127.0.0.1:0");
    EXPECT_EQ(config->http_listen, std::nullopt);
    EXPECT_EQ(config->metrics_listen->text(), "[::1]:9000");
    EXPECT_EQ(config->public_url->text(), "https://relay.example.org");
    EXPECT_EQ(config->base_domain, "example.org");
    EXPECT_THAT(config->certificates, ElementsAre(CertificateFiles{"/etc/a.pem", "/etc/a.key"}, CertificateFiles{"b.pem", "b.key"}));
    EXPECT_EQ(config->tls_min_version, TlsVersion::tls1_3);
    EXPECT_EQ(config->log_level, LogLevel::debug);
    EXPECT_EQ(config->log_format, LogFormat::json);
    EXPECT_FALSE(config->access_log);
    EXPECT_EQ(config->offline_grace, 90s);
    EXPECT_EQ(config->drain_timeout, 0s);
    EXPECT_EQ(config->threads, 4u);
    EXPECT_EQ(config->max_agents, 7u);
}

TEST(RelayConfig, TakesLoopbackForUnlimitedUnlessToldOtherwise) {
    const auto unset = load_relay_config(file("threads: 1\n"));
    ASSERT_TRUE(unset) << unset.error().detail;
    EXPECT_TRUE(contains(unset->unlimited_addresses, *parse_ip_address("127.1.2.3")));
    EXPECT_TRUE(contains(unset->unlimited_addresses, *parse_ip_address("::1")));
    EXPECT_FALSE(contains(unset->unlimited_addresses, *parse_ip_address("192.0.2.1")));
    const auto set = load_relay_config(file("unlimited_addresses: [192.0.2.0/24]\nmax_buffered: 2GiB\n"));
    ASSERT_TRUE(set) << set.error().detail;
    EXPECT_FALSE(contains(set->unlimited_addresses, *parse_ip_address("127.0.0.1")));
    EXPECT_TRUE(contains(set->unlimited_addresses, *parse_ip_address("192.0.2.1")));
    EXPECT_EQ(set->max_buffered, 2_GiB);
    const auto none = load_relay_config(file("unlimited_addresses: []\n"));
    ASSERT_TRUE(none) << none.error().detail;
    EXPECT_TRUE(none->unlimited_addresses.empty());
}

TEST(RelayConfig, FlagsWinOverVariablesOverFile) {
    ConfigSources sources = file("https_listen: :1\nhttp_listen: :1\nmetrics_listen: :1\n");
    sources.environment.insert({{"SALLYPORT_HTTP_LISTEN", ":2"}, {"SALLYPORT_METRICS_LISTEN", ":2"}});
    sources.flags = {{"metrics_listen", ":3"}};
    const auto config = load_relay_config(sources);
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_EQ(config->https_listen.port, 1);
    EXPECT_EQ(config->http_listen->port, 2);
    EXPECT_EQ(config->metrics_listen->port, 3);
}

TEST(RelayConfig, TakesAListFromAVariable) {
    const auto config = load_relay_config(
        {.environment = {{"HOME", "/h"}, {"SALLYPORT_CERTIFICATES", R"([{"certificate": "a.pem", "key": "a.key"}])"}}});
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_THAT(config->certificates, ElementsAre(CertificateFiles{"a.pem", "a.key"}));
}

TEST(RelayConfig, NamesFileLineAndKey) {
    const struct {
        std::string_view text, error;
    } rows[] = {
        {"\nhtps_listen: :443", "relay.yaml:2: unknown key \"htps_listen\" (did you mean \"https_listen\"?)"},
        {"colour: blue", "relay.yaml:1: unknown key \"colour\""},
        {"https_listen: 443", "relay.yaml:1: https_listen: \"443\" is no listen address: write :8443 or 127.0.0.1:8443"},
        {"https_listen: off", "relay.yaml:1: https_listen: \"off\" is no listen address: write :8443 or 127.0.0.1:8443"},
        {"https_listen: home:443", "relay.yaml:1: https_listen: \"home:443\" is no listen address: an IP address of this machine is needed, not a name"},
        {"https_listen:", "relay.yaml:1: https_listen: has no value"},
        {"https_listen: ''", "relay.yaml:1: https_listen: has no value"},
        {"https_listen: [1]", "relay.yaml:1: https_listen: one value is expected, not a list or map"},
        {"public_url: relay.example.org", "relay.yaml:1: public_url: \"relay.example.org\": must begin with https:// or http://"},
        {"base_domain: a..b", "relay.yaml:1: base_domain: "},
        {"log_level: loud", "relay.yaml:1: log_level: \"loud\" is none of trace, debug, info, warn, error"},
        {"tls_min_version: 1.1", "relay.yaml:1: tls_min_version: \"1.1\" is none of 1.2, 1.3"},
        {"log_format: xml", "relay.yaml:1: log_format: \"xml\" is none of key_value, json"},
        {"access_log: maybe", "relay.yaml:1: access_log: \"maybe\" is none of true, false, yes, no, on, off"},
        {"offline_grace: 5", "relay.yaml:1: offline_grace: \"5\" is no duration: a unit is missing (write 30s, 1m30s or 500ms)"},
        {"offline_grace: 6m", "relay.yaml:1: offline_grace: \"6m\" is outside of 0s to 5m0s"},
        {"max_buffered: 500KiB", "relay.yaml:1: max_buffered: \"500KiB\" is outside of 1MiB to 64TiB"},
        {"max_buffered: 1XB", "relay.yaml:1: max_buffered: "},
        {"unlimited_addresses: [10.0.0.1/24]", "relay.yaml:1: unlimited_addresses[0]: "},
        {"plain_listen: 8080", "relay.yaml:1: plain_listen: "},
        {"plain_listen: [\"127.0.0.1:8080\", nowhere]", "relay.yaml:1: plain_listen[1]: "},
        {"plain_listen: :8080", "relay.yaml: trusted_proxies: missing: who may connect to plain_listen and is believed who a visitor is (set it*TRUSTED_PROXIES)"},
        {"proxy_protocol: [https]", "relay.yaml: trusted_proxies: missing: who may send PROXY headers to https_listen (set it*TRUSTED_PROXIES)"},
        {"proxy_protocol: [http]", "relay.yaml: trusted_proxies: missing: who may send PROXY headers to http_listen (set it*TRUSTED_PROXIES)"},
        {"plain_listen: 127.0.0.1:8080\nproxy_protocol: [tcp]",
         "relay.yaml: trusted_proxies: missing: who may send PROXY headers to the ports of TCP routes (set it*TRUSTED_PROXIES)"},
        {"proxy_protocol: [udp]", "relay.yaml:1: proxy_protocol[0]: \"udp\" is no listener that takes PROXY headers (https, http, plain or tcp)"},
        {"trusted_proxies: [10.0.0.1/24]", "relay.yaml:1: trusted_proxies[0]: "},
        {"threads: -1", "relay.yaml:1: threads: \"-1\" is no whole number from 0 to 256"},
        {"threads: 257", "relay.yaml:1: threads: \"257\" is no whole number from 0 to 256"},
        {"threads: 1.5", "relay.yaml:1: threads: \"1.5\" is no whole number from 0 to 256"},
        {"state_dir: \"a\\nb\"", "relay.yaml:1: state_dir: holds control characters"},
        {"certificates: a.pem", "relay.yaml:1: certificates: \"key: value\" lines are expected"},
        {"certificates:\n  - certificate: a.pem", "relay.yaml:2: certificates[0].key: missing: the PEM file with the certificate's private key (set it here)"},
        {"certificates:\n  - certificate: a.pem\n    key: a.key\n    keys: x",
         "relay.yaml:4: unknown key \"certificates[0].keys\" (did you mean \"key\"?)"},
        {"threads: 2\nthreads: 3", "relay.yaml:2: key \"threads\" stands here for the second time (first in line 1)"},
        {"log_level: loud\nthreads: x\n", "relay.yaml:1: log_level: \"loud\" is none of trace, debug, info, warn, error*\nrelay.yaml:2: threads: \"x\" is no whole number from 0 to 256"},
    };
    for (const auto& row : rows) {
        const auto config = load_relay_config(file(std::string(row.text)));
        ASSERT_FALSE(config) << row.text;
        EXPECT_EQ(config.error().code, Errc::invalid_config) << row.text;
        const auto star = row.error.find('*');
        if (star == std::string_view::npos) {
            EXPECT_THAT(config.error().detail, testing::StartsWith(row.error));
            EXPECT_FALSE(config.error().detail.contains('\n')) << config.error().detail;
        } else {
            EXPECT_THAT(config.error().detail, testing::StartsWith(row.error.substr(0, star)));
            EXPECT_THAT(config.error().detail, testing::EndsWith(row.error.substr(star + 1)));
        }
    }
}

TEST(RelayConfig, TrustsLoopbackOnlyWhereThePlainListenerIsThere) {
    const auto plain = load_relay_config(file("plain_listen: 127.0.0.1:8080"));
    ASSERT_TRUE(plain) << plain.error().detail;
    ASSERT_EQ(plain->plain_listen.size(), 1u);
    EXPECT_EQ(plain->trusted_proxies.size(), 2u);
    EXPECT_FALSE(plain->proxies_on_https);
    const auto none = load_relay_config(file("plain_listen: off"));
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->plain_listen.empty());
    EXPECT_TRUE(none->trusted_proxies.empty());
    const auto open = load_relay_config(file("plain_listen: [\":8080\", \"[::1]:8081\"]\ntrusted_proxies: 10.0.0.2\nproxy_protocol: [https, plain, http, tcp]"));
    ASSERT_TRUE(open) << open.error().detail;
    EXPECT_EQ(open->plain_listen.size(), 2u);
    EXPECT_EQ(open->trusted_proxies, std::vector{*IpNetwork::parse("10.0.0.2")});
    EXPECT_TRUE(open->proxies_on_https && open->proxy_header_on_https && open->proxy_header_on_plain && open->proxy_header_on_http && open->proxy_header_on_tcp);
}

TEST(RelayConfig, NamesVariableAndFlag) {
    const auto variable = load_relay_config({.environment = {{"HOME", "/h"}, {"SALLYPORT_THREADS", "many"}}});
    EXPECT_EQ(variable.error().detail, "environment SALLYPORT_THREADS: \"many\" is no whole number from 0 to 256");
    const auto flag = load_relay_config({.environment = {{"HOME", "/h"}}, .flags = {{"offline_grace", "soon"}, {"thread", "1"}}});
    EXPECT_THAT(flag.error().detail, testing::StartsWith("--offline-grace: \"soon\" is no duration: "));
    EXPECT_THAT(flag.error().detail, testing::EndsWith("\n--thread: unknown flag (did you mean \"threads\"?)"));
    const auto list = load_relay_config({.environment = {{"HOME", "/h"}, {"SALLYPORT_CERTIFICATES", "[{certificate: a"}}});
    EXPECT_THAT(list.error().detail, testing::StartsWith("environment SALLYPORT_CERTIFICATES:1: "));
}

TEST(RelayConfig, WarnsOfAVariableItDoesNotKnow) {
    const auto config = load_relay_config({.environment = {{"HOME", "/h"}, {"SALLYPORT_THREDS", "1"}, {"SALLYPORT_CONFIG", "x"}}});
    ASSERT_TRUE(config);
    EXPECT_THAT(config->warnings, ElementsAre("environment SALLYPORT_THREDS: no key of this name (did you mean \"threads\"?)"));
}

TEST(RelayConfig, BoundsTheNumberOfProblemsTold) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "key" + std::to_string(i) + ": 1\n";
    const auto config = load_relay_config(file(text));
    ASSERT_FALSE(config);
    EXPECT_EQ(std::ranges::count(config.error().detail, '\n'), 20);
    EXPECT_THAT(config.error().detail, testing::EndsWith("\nand more"));
}

TEST(RelayConfig, KnowsTheKeysOfItsHelp) {
    std::set<std::string_view> names;
    ConfigSources sources{.environment = {{"HOME", "/h"}}};
    for (const KeyInfo& key : relay_keys()) {
        EXPECT_TRUE(names.insert(key.name).second) << key.name;
        sources.flags.emplace_back(key.name, "{");
    }
    const auto config = load_relay_config(sources);
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().detail, testing::Not(testing::HasSubstr("unknown")));
}

}  // namespace
}  // namespace sallyport
