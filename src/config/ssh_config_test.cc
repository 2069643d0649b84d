#include "config/ssh_config.h"

#include <gmock/gmock.h>

#include "config/agent_config.h"

namespace sallyport {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

ConfigSources file(std::string text, std::string name = "agent.yaml") {
    return {.file_name = std::move(name), .file_text = std::move(text), .environment = {{"HOME", "/home/a"}}};
}

SshConfig load(const ConfigSources& sources) {
    auto config = load_agent_config(sources);
    EXPECT_TRUE(config) << config.error().detail;
    EXPECT_TRUE(!config || config->ssh);
    return config && config->ssh ? std::move(*config->ssh) : SshConfig{};
}

SshServerConfig load_one(const ConfigSources& sources) {
    SshConfig config = load(sources);
    EXPECT_THAT(config.servers, SizeIs(1));
    return config.servers.empty() ? SshServerConfig{} : std::move(config.servers.front());
}

std::string error_of(std::string text) {
    auto config = load_agent_config(file(std::move(text)));
    return config ? "" : config.error().detail;
}

SshForward to(std::string_view line) { return {*parse_remote_forward(line), false}; }
SshForward to_home_assistant(std::string bind, std::uint16_t port) { return {{std::move(bind), port, "", 0}, true}; }

TEST(SshConfig, IsNotThereUnlessAsked) {
    const auto config = load_agent_config(file("relay_url: wss://relay.example.org\nusername: ''\nhostname: ''\nssh_port: 22\nremote_port: 8123\n"));
    ASSERT_TRUE(config) << config.error().detail;
    EXPECT_FALSE(config->ssh);
}

TEST(SshConfig, HasTheDefaultsOfTheAutosshAddOn) {
    const SshServerConfig server = load_one(file("hostname: Relay.example.org\n"));
    EXPECT_EQ(server.hostname, "relay.example.org");
    EXPECT_EQ(server.name, "relay.example.org");
    EXPECT_EQ(server.port, 22);
    EXPECT_EQ(server.username, "autossh");
    EXPECT_THAT(server.forwards, ElementsAre(to_home_assistant("127.0.0.1", 8123)));
    EXPECT_EQ(server.url(), "ssh://autossh@relay.example.org");
    EXPECT_FALSE(server.has_given_keys());
}

TEST(SshConfig, TakesTheOptionsOfTheAutosshAddOn) {
    const SshConfig config = load(file(R"({"hostname": "192.0.2.7", "ssh_port": 2222, "username": "home", "remote_ip_address": "0.0.0.0",
        "remote_port": 9000, "local_ip_address": "172.30.32.1", "local_port": 80, "remote_forwarding": ["127.0.0.1:1883:core-mosquitto:1883"],
        "other_ssh_options": "-v", "force_keygen": true, "skip_remote_host_checks": true})", "options.json"));
    EXPECT_TRUE(config.force_keygen);
    EXPECT_TRUE(config.skip_remote_host_checks);
    ASSERT_THAT(config.servers, SizeIs(1));
    const SshServerConfig& server = config.servers.front();
    EXPECT_EQ(server.url(), "ssh://home@192.0.2.7:2222");
    EXPECT_THAT(server.forwards, ElementsAre(to("0.0.0.0:9000:172.30.32.1:80"), to("127.0.0.1:1883:core-mosquitto:1883")));
    EXPECT_THAT(server.options.only_ssh, IsEmpty());
}

TEST(SshConfig, AListAloneMeansOnlyWhatItSays) {
    EXPECT_THAT(load_one(file("hostname: a.example\nremote_forwarding: [127.0.0.1:8123:172.17.0.1:8123]")).forwards, ElementsAre(to("127.0.0.1:8123:172.17.0.1:8123")));
    EXPECT_THAT(load_one(file("hostname: a.example\nremote_port: 9000\nremote_forwarding: [127.0.0.1:8123:172.17.0.1:8123]")).forwards,
                ElementsAre(to_home_assistant("127.0.0.1", 9000), to("127.0.0.1:8123:172.17.0.1:8123")));
    EXPECT_THAT(load_one(file("hostname: a.example\nother_ssh_options: -R 80:web:80")).forwards, ElementsAre(to("localhost:80:web:80")));
}

TEST(SshConfig, AnotherLocalPortIsOnThisMachine) {
    EXPECT_THAT(load_one(file("hostname: a.example\nlocal_port: 8443")).forwards, ElementsAre(to("127.0.0.1:8123:127.0.0.1:8443")));
    EXPECT_THAT(load_one(file("hostname: a.example\nlocal_port: 8123")).forwards, ElementsAre(to_home_assistant("127.0.0.1", 8123)));
    EXPECT_THAT(load_one(file("hostname: a.example\nlocal_ip_address: homeassistant")).forwards, ElementsAre(to("127.0.0.1:8123:homeassistant:8123")));
}

TEST(SshConfig, TakesTheOptionsOfTheReverseTunnelAddOn) {
    const SshServerConfig server = load_one(file(R"({"username": "homeproxy", "password": null, "ssh_port": 2200,
        "private_key": "-----BEGIN OPENSSH PRIVATE KEY----- YWFh YmJi -----END OPENSSH PRIVATE KEY-----", "server": {"host": "ha.example.net", "port": 9090}})", "options.json"));
    EXPECT_EQ(server.url(), "ssh://homeproxy@ha.example.net:2200");
    EXPECT_THAT(server.forwards, ElementsAre(to_home_assistant("127.0.0.1", 9090)));
    EXPECT_EQ(server.private_key.reveal(), "-----BEGIN OPENSSH PRIVATE KEY-----\nYWFhYmJi\n-----END OPENSSH PRIVATE KEY-----\n");
}

TEST(SshConfig, UnfoldsPrivateKeys) {
    const std::string key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nQUJD\nREVG\n-----END RSA PRIVATE KEY-----\n";
    EXPECT_EQ(unfold_private_key(key), key);
    EXPECT_EQ(unfold_private_key("  -----BEGIN RSA PRIVATE KEY-----\\nQUJD\\nREVG\\n-----END RSA PRIVATE KEY-----\\n"),
              "-----BEGIN RSA PRIVATE KEY-----\nQUJD\nREVG\n-----END RSA PRIVATE KEY-----\n");
    EXPECT_EQ(unfold_private_key("-----BEGIN X-----\r\n  QUJD\r\n  REVG\r\n-----END X-----"), "-----BEGIN X-----\nQUJD\nREVG\n-----END X-----\n");
    EXPECT_EQ(unfold_private_key("nothing of the kind"), "nothing of the kind");
}

TEST(SshConfig, TakesSeveralServers) {
    const SshConfig config = load(file(R"(username: home
remote_port: 9000
servers_up: one
servers:
  - a.example
  - other@b.example:2222
  - {hostname: c.example, remote_port: 9001, host_key: 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}
  - {name: spare, hostname: a.example, ssh_port: 222}
)"));
    EXPECT_EQ(config.up, ServersUp::one);
    ASSERT_THAT(config.servers, SizeIs(4));
    EXPECT_EQ(config.servers[0].url(), "ssh://home@a.example");
    EXPECT_EQ(config.servers[0].name, "a.example:22");
    EXPECT_EQ(config.servers[1].url(), "ssh://other@b.example:2222");
    EXPECT_THAT(config.servers[1].forwards, ElementsAre(to_home_assistant("127.0.0.1", 9000)));
    EXPECT_THAT(config.servers[2].forwards, ElementsAre(to_home_assistant("127.0.0.1", 9001)));
    EXPECT_TRUE(config.servers[2].has_given_keys());
    EXPECT_EQ(config.servers[3].name, "spare");
}

TEST(SshConfig, TakesVariablesAndFlags) {
    ConfigSources sources{.environment = {{"HOME", "/home/a"}, {"SALLYPORT_SERVERS", "home@a.example,b.example"}, {"SALLYPORT_HOST_KEY", "ssh-ed25519 AAAAC3Nz a,ssh-rsa AAAAB3 b"},
                                          {"SALLYPORT_REMOTE_FORWARDING", "127.0.0.1:1883:mqtt:1883, 8080:web:80"}}};
    const SshConfig config = load(sources);
    ASSERT_THAT(config.servers, SizeIs(2));
    EXPECT_THAT(config.servers[1].forwards, ElementsAre(to("127.0.0.1:1883:mqtt:1883"), to("8080:web:80")));
    EXPECT_THAT(config.servers[1].host_keys, SizeIs(2));
    const SshServerConfig nested = load_one({.environment = {{"HOME", "/home/a"}, {"SALLYPORT_SERVER", "{host: a.example, port: 0}"}}, .flags = {{"username", "me"}}});
    EXPECT_EQ(nested.url(), "ssh://me@a.example");
    EXPECT_THAT(nested.forwards, ElementsAre(to_home_assistant("127.0.0.1", 0)));
}

TEST(SshConfig, KnownHostsIsAFileOrLines) {
    EXPECT_EQ(load_one(file("hostname: a.example\nknown_hosts: /etc/ssh/known")).known_hosts_file, "/etc/ssh/known");
    EXPECT_EQ(load_one(file("hostname: a.example\nknown_hosts: |\n  a.example ssh-ed25519 AAAA\n")).known_hosts, "a.example ssh-ed25519 AAAA\n");
}

TEST(SshConfig, SaysWhereItIsWrong) {
    EXPECT_EQ(error_of("transport: ssh\n"), "agent.yaml: hostname: missing: the SSH server's name or address (set it in the configuration, with --hostname or as environment SALLYPORT_HOSTNAME)");
    EXPECT_THAT(error_of("hostname: ''\nusername: home\n"), HasSubstr("agent.yaml:1: hostname: missing"));
    EXPECT_THAT(error_of("hostname: a.example\nrelay_url: wss://b.example\n"), AllOf(HasSubstr("agent.yaml:2: relay_url: belongs to transport wss"), HasSubstr("hostname is set")));
    EXPECT_THAT(error_of("transport: wss\nhostname: a.example\n"), HasSubstr("agent.yaml:2: hostname: means transport ssh"));
    EXPECT_THAT(error_of("hostname: a.example\nserver:\n  host: b.example\n  port: 90\n"), HasSubstr("agent.yaml:3: server.host: hostname names the server, too"));
    EXPECT_THAT(error_of("remote_port: 80\nserver:\n  host: b.example\n  port: 90\n"), HasSubstr("agent.yaml:4: server.port: remote_port is the same"));
    EXPECT_THAT(error_of("server: b.example\n"), HasSubstr("agent.yaml:1: server: write host and port below it"));
    EXPECT_THAT(error_of("server: {host: b.example, prot: 90}\n"), HasSubstr("server.prot: unknown key"));
    EXPECT_THAT(error_of("servers: [a.example]\nhostname: b.example\n"), HasSubstr("agent.yaml:2: hostname: servers lists the servers"));
    EXPECT_THAT(error_of("servers: [a.example, a.example]\n"), HasSubstr("agent.yaml:1: servers: two are called \"a.example:22\""));
    EXPECT_THAT(error_of("servers:\n  - {hostnam: a.example}\n"), HasSubstr("servers[0].hostnam"));
    EXPECT_THAT(error_of("servers:\n  - {hostname: a.example, ssh_port: 0}\n"), HasSubstr("agent.yaml:2: servers[0].ssh_port: "));
    EXPECT_THAT(error_of("hostname: a.example\nremote_forwarding:\n  - 1:a:1\n  - nonsense\n"), HasSubstr("agent.yaml:4: remote_forwarding[1]: \"nonsense\" is no forwarding"));
    EXPECT_THAT(error_of("hostname: a.example\nremote_port: 80\nremote_forwarding: [127.0.0.1:80:b:80]\n"), HasSubstr("agent.yaml:3: remote_forwarding: the server can't listen on 127.0.0.1:80 twice"));
    EXPECT_THAT(error_of("hostname: a.example\npassword: hunter2\n"), AllOf(HasSubstr("agent.yaml:2: password: the agent logs in by key"), testing::Not(HasSubstr("hunter2"))));
    EXPECT_THAT(error_of("hostname: a.example\nprivate_key: hunter2\n"), AllOf(HasSubstr("private_key: is no private key"), testing::Not(HasSubstr("hunter2"))));
    EXPECT_THAT(error_of("hostname: a.example\nother_ssh_options: -f\n"), HasSubstr("agent.yaml:2: other_ssh_options: \"-f\" would take ssh"));
    EXPECT_THAT(error_of("hostname: a.example\nssh_port: 22\nother_ssh_options: -p 23\n"), HasSubstr("other_ssh_options: its port is another one"));
    EXPECT_THAT(error_of("hostname: a.example\nother_ssh_options: -o StrictHostKeyChecking=yes\n"), HasSubstr("needs host_key or known_hosts"));
    EXPECT_THAT(error_of("hostname: a.example\nhost_key: nonsense\n"), HasSubstr("host_key: \"nonsense\" is neither"));
    EXPECT_THAT(error_of("hostname: a.example:22\n"), HasSubstr("the port has a key of its own"));
    EXPECT_THAT(error_of("hostname: -oProxyCommand=x\n"), HasSubstr("hostname"));
    EXPECT_THAT(error_of("hostname: a.example\nusername: -l\n"), HasSubstr("is no user name"));
    EXPECT_THAT(error_of("transport: smoke\n"), HasSubstr("agent.yaml:1: transport: \"smoke\" is none of wss, ssh"));
}

}  // namespace
}  // namespace sallyport
