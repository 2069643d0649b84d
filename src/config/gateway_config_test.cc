#include "config/gateway_config.h"

#include <gmock/gmock.h>

#include <fstream>
#include <set>

#include "base/encoding.h"
#include "base/password_hash.h"
#include "config/keys.h"

namespace sallyport {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

const std::filesystem::path kNoKeys = "/nonexistent/keys";
constexpr std::string_view kPem = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n";

ConfigSources file(std::string text) {
    return {.file_name = "gateway.yaml", .file_text = std::move(text), .environment = {{"HOME", "/home/a"}}};
}
ConfigSources variables(Environment environment) {
    environment.emplace("HOME", "/home/a");
    environment.emplace("REMOTE_HOST", "remote.example");
    return {.environment = std::move(environment)};
}

GatewayConfig load(const ConfigSources& sources) {
    auto config = load_gateway_config(sources, kNoKeys);
    EXPECT_TRUE(config) << config.error().detail;
    return config ? std::move(*config) : GatewayConfig{};
}
std::string refusal(const ConfigSources& sources) {
    const auto config = load_gateway_config(sources, kNoKeys);
    return config ? "accepted" : config.error().detail;
}

TEST(GatewayConfig, NeedsARemoteAndNothingElse) {
    EXPECT_THAT(refusal({.environment = {{"HOME", "/h"}}}), HasSubstr("environment REMOTE_HOST"));
    const GatewayConfig config = load(variables({}));
    EXPECT_EQ(config.remote_host, "remote.example");
    EXPECT_EQ(config.remote_port, 22);
    EXPECT_FALSE(config.remote_ignore_host_key);
    EXPECT_FALSE(config.password_auth);
    EXPECT_FALSE(config.accept_any_key);
    EXPECT_EQ(config.listen, std::vector<ListenAddress>({{"", 2222}}));
    EXPECT_EQ(config.host_key_path, "/etc/gateway/host_key");
    EXPECT_FALSE(config.host_key_path_is_set);
    EXPECT_EQ(config.detach_timeout, 1h);
    EXPECT_EQ(config.key_cache, 60s);
    EXPECT_EQ(config.scrollback_lines, 10'000u);
    EXPECT_EQ(config.escape_key, 0x1E);
    EXPECT_EQ(config.prediction, Prediction::adaptive);
    EXPECT_TRUE(config.warnings.empty());
}

TEST(GatewayConfig, TakesTheVariablesOfOlderGateways) {
    const GatewayConfig config = load(variables({
        {"REMOTE_HOST", "10.0.0.9"}, {"REMOTE_PORT", "2022"}, {"REMOTE_KNOWN_HOSTS", "/k/known_hosts"}, {"REMOTE_IGNORE_HOST_KEY", "true"},
        {"GATEWAY_AUTHORIZED_KEYS_PATH", "/k/authorized_keys"}, {"GATEWAY_AUTHORIZED_KEYS_CONTENT", "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b\n"},
        {"GATEWAY_PASSWORD_AUTH", "true"}, {"GATEWAY_PASSWORDS", "alice:pw,bob:x:y"}, {"GATEWAY_ACCEPT_ANY_KEY", "true"},
        {"GATEWAY_SSH_KEY_PATH", "/k/id"}, {"GATEWAY_HOST", "0.0.0.0"}, {"GATEWAY_PORT", "2223"}, {"GATEWAY_HOST_KEY_PATH", "/k/host_key"},
        {"GATEWAY_LOG_LEVEL", "debug"}}));
    EXPECT_EQ(config.remote_host, "10.0.0.9");
    EXPECT_EQ(config.remote_port, 2022);
    EXPECT_EQ(config.remote_known_hosts, "/k/known_hosts");
    EXPECT_TRUE(config.remote_ignore_host_key);
    EXPECT_EQ(config.authorized_keys_path, "/k/authorized_keys");
    EXPECT_EQ(config.authorized_keys_content, "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b\n");
    EXPECT_TRUE(config.password_auth);
    EXPECT_EQ(config.passwords.at("alice").text.reveal(), "pw");
    EXPECT_EQ(config.passwords.at("bob").text.reveal(), "x:y");
    EXPECT_TRUE(config.accept_any_key);
    EXPECT_EQ(config.ssh_key_path, "/k/id");
    EXPECT_EQ(config.listen, std::vector<ListenAddress>({{"0.0.0.0", 2223}}));
    EXPECT_EQ(config.host_key_path, "/k/host_key");
    EXPECT_TRUE(config.host_key_path_is_set);
    EXPECT_EQ(config.log_level, LogLevel::debug);
}

TEST(GatewayConfig, TakesTheFlagsOfOlderGateways) {
    std::set<std::string> names;
    for (const KeyInfo& key : gateway_keys())
        if (key.has_flag) names.insert(flag_of(key.name));
    for (const auto* const flag : {"--host", "--port", "--remote-host", "--remote-port", "--authorized-keys", "--accept-any-key",
                                   "--remote-known-hosts", "--ignore-remote-host-key", "--log-level"})
        EXPECT_TRUE(names.contains(flag)) << flag;
    ConfigSources sources = variables({});
    sources.flags = {{"authorized_keys", "/a"}, {"ignore_remote_host_key", "true"}, {"remote_host", "other"}};
    const GatewayConfig config = load(sources);
    EXPECT_EQ(config.authorized_keys_path, "/a");
    EXPECT_TRUE(config.remote_ignore_host_key);
    EXPECT_EQ(config.remote_host, "other");
}

TEST(GatewayConfig, PutsOurOwnVariablesBeforeOlderOnes) {
    EXPECT_EQ(load(variables({{"SALLYPORT_REMOTE_HOST", "b.example"}})).remote_host, "b.example");
    EXPECT_EQ(load(variables({{"GATEWAY_PORT", "1"}, {"SALLYPORT_PORT", "2"}})).listen.front().port, 2);
}

TEST(GatewayConfig, TakesPasswordsWithAnyCharacterFromAMap) {
    const GatewayConfig config = load(file("remote_host: r\npassword_auth: true\npasswords:\n  alice: \"a,b:c\"\n  bob: \" x \"\n"));
    EXPECT_EQ(config.passwords.at("alice").text.reveal(), "a,b:c");
    EXPECT_EQ(config.passwords.at("bob").text.reveal(), " x ");
    EXPECT_EQ(load(variables({{"GATEWAY_PASSWORDS", R"({"alice": "a,b"})"}})).passwords.at("alice").text.reveal(), "a,b");
}

TEST(GatewayConfig, TakesHashesOfPasswords) {
    for (const auto scheme : {PasswordScheme::bcrypt, PasswordScheme::yescrypt}) {
        const std::string hash = make_password_hash(scheme, Secret("pw"), scheme == PasswordScheme::bcrypt ? 4 : 1).value();
        const GatewayConfig config = load(variables({{"GATEWAY_PASSWORDS", "alice:" + hash + ",bob:pw"}}));
        EXPECT_TRUE(config.passwords.at("alice").text.empty());
        EXPECT_TRUE(password_fits("pw", config.passwords.at("alice").hash));
        EXPECT_TRUE(config.passwords.at("bob").hash.empty());
    }
    const std::string wrong = refusal(variables({{"GATEWAY_PASSWORDS", "alice:$2b$99$abc"}}));
    EXPECT_THAT(wrong, HasSubstr("alice"));
    EXPECT_THAT(wrong, Not(HasSubstr("abc")));
}

TEST(GatewayConfig, ReadsTheEscapeKeyAsPeopleWriteIt) {
    EXPECT_EQ(load(variables({{"GATEWAY_ESCAPE_KEY", "^A"}})).escape_key, 1);
    EXPECT_EQ(load(variables({{"GATEWAY_ESCAPE_KEY", "^b"}})).escape_key, 2);
    EXPECT_EQ(load(variables({{"GATEWAY_ESCAPE_KEY", "none"}})).escape_key, -1);
    for (const char* key : {"^M", "^[", "^", "a", "^^^"}) EXPECT_THAT(refusal(variables({{"GATEWAY_ESCAPE_KEY", key}})), HasSubstr("is no key like")) << key;
}

TEST(GatewayConfig, NeverShowsASecretItRefuses) {
    EXPECT_THAT(refusal(variables({{"GATEWAY_PASSWORDS", "hunter2"}})), Not(HasSubstr("hunter2")));
    EXPECT_THAT(refusal(variables({{"GATEWAY_SSH_KEY_CONTENT", "hunter2"}})), Not(HasSubstr("hunter2")));
}

TEST(GatewayConfig, DecodesKeys) {
    EXPECT_EQ(load(variables({{"GATEWAY_SSH_KEY_CONTENT", to_base64(as_octets(kPem))}})).ssh_key_content.reveal(), kPem);
    std::string wrapped = to_base64(as_octets(kPem));
    wrapped.insert(20, "\n");
    EXPECT_EQ(load(variables({{"GATEWAY_SSH_KEY_CONTENT", wrapped}})).ssh_key_content.reveal(), kPem);
    EXPECT_EQ(load(variables({{"GATEWAY_AUTHORIZED_KEYS_CONTENT", to_base64(as_octets("ssh-ed25519 AAAA a\n"))}})).authorized_keys_content,
              "ssh-ed25519 AAAA a\n");
    EXPECT_THAT(refusal(variables({{"GATEWAY_SSH_KEY_PATH", "/a"}, {"GATEWAY_SSH_KEY_CONTENT", to_base64(as_octets(kPem))}})), HasSubstr("not both"));
}

TEST(GatewayConfig, TakesTheFilesOfAVolumeWhereNothingElseIsSaid) {
    const auto folder = std::filesystem::path(testing::TempDir()) / "gateway_config_keys";
    std::filesystem::create_directories(folder);
    for (const auto* const name : {"id_ed25519", "authorized_keys", "known_hosts"}) std::ofstream(folder / name) << "x\n";
    const auto taken = load_gateway_config(variables({}), folder);
    EXPECT_EQ(taken->ssh_key_path, folder / "id_ed25519");
    EXPECT_EQ(taken->authorized_keys_path, folder / "authorized_keys");
    EXPECT_EQ(taken->remote_known_hosts, folder / "known_hosts");
    const auto said = load_gateway_config(variables({{"GATEWAY_SSH_KEY_PATH", "/a"}, {"REMOTE_KNOWN_HOSTS", "/b"}}), folder);
    EXPECT_EQ(said->ssh_key_path, "/a");
    EXPECT_EQ(said->remote_known_hosts, "/b");
    std::filesystem::remove_all(folder);
}

TEST(GatewayConfig, RefusesWhatARemoteShellCouldMisread) {
    for (const auto* const program : {"-x", "mosh server", "mosh;id", "$(id)", "a'b"})
        EXPECT_THAT(refusal(file("remote_host: r\nmosh_server: \"" + std::string(program) + "\"\n")), HasSubstr("mosh_server")) << program;
    EXPECT_EQ(load(file("remote_host: r\nmosh_server: /opt/bin/mosh-server\n")).mosh_server, "/opt/bin/mosh-server");
}

TEST(GatewayConfig, ReadsRangesAndAddresses) {
    const GatewayConfig config = load(file("remote_host: \"[2001:db8::9]\"\nmosh_ports: 61000:61010\nhost: \"127.0.0.1, ::1\"\n"));
    EXPECT_EQ(config.listen, std::vector<ListenAddress>({{"127.0.0.1", 2222}, {"::1", 2222}}));
    EXPECT_EQ(config.remote_host, "2001:db8::9");
    EXPECT_EQ(config.mosh_port_first, 61'000);
    EXPECT_EQ(config.mosh_port_last, 61'010);
    for (const auto* const range : {"0", "5:4", "1:70000", "a:b", ""}) EXPECT_NE(refusal(file("remote_host: r\nmosh_ports: \"" + std::string(range) + "\"\n")), "accepted") << range;
    EXPECT_NE(refusal(file("remote_host: \"-oProxyCommand=x\"\n")), "accepted");
    EXPECT_NE(refusal(file("remote_host: r\nhost: example.org\n")), "accepted");
}

TEST(GatewayConfig, KnowsWhatAUserMayBeCalled) {
    for (const auto* const name : {"alice", "a", "a.b-c_D9", "_x", ".x"}) EXPECT_TRUE(is_gateway_user(name)) << name;
    for (const std::string& name : {std::string(), std::string("-x"), std::string("a b"), std::string("a;b"), std::string("a\nb"), std::string("a\0b", 3),
                                    std::string("a/b"), std::string("ä"), std::string("a@b"), std::string(65, 'a')})
        EXPECT_FALSE(is_gateway_user(name)) << name;
    EXPECT_TRUE(is_gateway_user(std::string(64, 'a')));
}

}  // namespace
}  // namespace sallyport
