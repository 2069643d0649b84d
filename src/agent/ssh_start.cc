#include "agent/ssh_start.h"

#include <algorithm>

#include "agent/agent_start.h"
#include "agent/child_process.h"
#include "agent/identity.h"
#include "agent/ssh_advice.h"
#include "ssh/key_file.h"

namespace sallyport {
namespace {

constexpr std::string_view kComment = "sallyport";
constexpr std::string_view kOwnKeyFile = "ssh.key";  // agent.key in the format that ssh(1) reads

std::string given_key_file(std::size_t number) { return "ssh-given-" + std::to_string(number) + ".key"; }

// force_keygen makes a new key when it is switched on, not at each start while it is.
Result<Identity> own_identity(bool force, SshMemory& memory, const StateFolder& folder, Log& log) {
    const bool had = folder.has(kIdentityFile);
    if (force && had && !memory.force_keygen_seen()) {
        auto fresh = Ed25519PrivateKey::generate();
        if (const auto written = folder.write(kIdentityFile, to_pem(fresh).reveal()); !written) return std::unexpected(written.error());
        log.warn("agent.key_replaced", {{"why", "force_keygen"}, {"advice", "the server has to be given the new line; force_keygen may stay, or go"}});
    }
    if (const auto noted = memory.set_force_keygen_seen(force); !noted) return std::unexpected(noted.error());
    return load_or_make_identity(folder);
}

// Where a stream of this forward leads: an entry of the target table.
std::string target_of(const SshForward& forward, std::vector<ServiceConfig>& services) {
    if (forward.to_home_assistant) {
        if (std::ranges::find(services, kBuiltInService, &ServiceConfig::name) == services.end()) services.push_back({.name = std::string(kBuiltInService)});
        return std::string(kBuiltInService);
    }
    const std::string name = forward.line.destination();
    ServiceConfig service{.name = name};
    auto url = parse_target_url("tcp://" + name);
    if (url) service.url = std::move(*url);
    if (std::ranges::find(services, name, &ServiceConfig::name) == services.end()) services.push_back(std::move(service));
    return name;
}

struct ServerKey {
    ssh::PrivateKey key;
    std::filesystem::path file;  // for ssh(1)
};

// The agent's own, or the one that the configuration gives; for ssh(1) as a file in the form that every OpenSSH reads.
Result<ServerKey> key_of_server(const SshServerConfig& server, const std::optional<Identity>& own, const StateFolder& folder, std::size_t number) {
    const bool given = !server.private_key.empty() || !server.private_key_file.empty();
    const bool in_file = !server.private_key_file.empty();
    auto key = in_file ? ssh::load_key(server.private_key_file, ssh::FileMode::shared_ok) : ssh::PrivateKey::parse(given ? server.private_key : to_pem(own->key));
    if (!key && !given) return std::unexpected(key.error());
    if (!key) return fail(Errc::invalid_config, (in_file ? "private_key_file: " : "private_key: ") + key.error().detail);
    const std::string file = given ? given_key_file(number) : std::string(kOwnKeyFile);
    if (const auto written = folder.write(file, key->text().reveal()); !written) return std::unexpected(written.error());
    return ServerKey{std::move(*key), folder.path() / file};
}

void show(const SshServer& server, bool worked, Log& log, std::FILE* out) {
    if (worked) return;
    const SshServerConfig& config = server.config;
    std::fprintf(out,
                 "To let this agent into %s, add this line to ~%s/.ssh/authorized_keys there:\n\n%s\n\n"
                 "It allows this agent to be reached at %s, and nothing else. Until then the agent waits, and tries again.\n",
                 config.hostname.c_str(), config.username.c_str(), server.authorized_line.c_str(), [&] {
                     std::string all;
                     for (const SshForward& forward : config.forwards) all += (all.empty() ? "" : ", ") + forward.line.listen_text();
                     return all;
                 }().c_str());
    log.info("agent.ssh_key", {{"relay", config.url()}, {"authorized_keys", server.authorized_line}});
}

}  // namespace

const SshServerConfig* find_ssh_server(const SshConfig& config, std::string_view name) {
    for (const SshServerConfig& server : config.servers)
        if (server.name == name) return &server;
    const auto has_name = [name](const SshServerConfig& server) { return server.hostname == name; };
    if (std::ranges::count_if(config.servers, has_name) != 1) return nullptr;
    return &*std::ranges::find_if(config.servers, has_name);
}

Result<SshAgentSetup> prepare_ssh_agent(const AgentConfig& config, const StateFolder& folder, Log& log, std::FILE* out) {
    auto memory = SshMemory::load(folder);
    if (!memory) return std::unexpected(memory.error());
    const bool own_needed = std::ranges::any_of(config.ssh->servers, [](const SshServerConfig& server) { return server.private_key.empty() && server.private_key_file.empty(); });
    std::optional<Identity> identity;
    if (own_needed) {
        auto own = own_identity(config.ssh->force_keygen, *memory, folder, log);
        if (!own) return std::unexpected(own.error());
        if (own->made_now) log.info("agent.key_made", {{"public_key", public_key_text(own->key)}});
        identity = std::move(*own);
    }
    AgentConfig with_forwards = config;
    std::vector<ServiceConfig>& services = with_forwards.services;
    SshAgentSetup setup{.servers = {}, .memory = std::move(*memory)};
    for (const SshServerConfig& of : config.ssh->servers) {
        auto key = key_of_server(of, identity, folder, setup.servers.size());
        if (!key) return std::unexpected(key.error());
        SshPublicKey public_key = key->key.public_key();
        public_key.comment = kComment;
        SshServer server{.config = of, .host_keys = SshHostKeys(folder, of), .key = std::move(key->key), .key_file = std::move(key->file)};
        if (const auto sound = server.host_keys.check(); !sound) return std::unexpected(sound.error());
        server.authorized_line = authorized_keys_line(of.forwards, public_key);
        if (!of.options.only_ssh.empty()) {
            auto program = find_program("ssh");
            if (!program) return fail(Errc::not_found, "other_ssh_options: " + of.options.only_ssh.front() + " is for the system's ssh only, and " + program.error().detail);
            server.program = std::move(*program);
        }
        server.alive_interval = of.options.alive_interval.value_or(config.heartbeat_interval / 2);
        server.alive_count = of.options.alive_count.value_or(3);
        server.connect_timeout = of.options.connect_timeout.value_or(std::chrono::seconds(10));
        for (const SshForward& forward : of.forwards) server.targets.push_back(target_of(forward, services));
        show(server, setup.memory.has_worked(SshKeeper::memory_of(of)), log, out);
        setup.servers.push_back(std::move(server));
    }
    setup.up = config.ssh->up;
    setup.targets = make_target_table(with_forwards, {});
    setup.state = folder;
    setup.keeper.reconnect_base = config.reconnect_base;
    setup.keeper.reconnect_max = config.reconnect_max;
    setup.keeper.look_first = !config.ssh->skip_remote_host_checks;
    return setup;
}

}  // namespace sallyport
