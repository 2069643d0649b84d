#include "config/ssh_config.h"

#include <algorithm>
#include <array>

#include "wire/host_name.h"

namespace sallyport {
namespace {

constexpr std::string_view kUser = "autossh";  // the autossh add-on's default
constexpr std::string_view kBind = "127.0.0.1";
constexpr std::uint16_t kHomeAssistantPort = 8123;

// What belongs to the other transport.
constexpr std::array<std::string_view, 10> kRelayKeys = {"relay_url", "server_url", "api_key", "device_id", "secret",
                                                         "enroll",    "enroll_file", "ca_file", "pin",       "allow_any_target"};

bool is_user_name(std::string_view text) {
    return !text.empty() && text.size() <= 255 && text.front() != '-' &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

Result<std::string> parse_user(std::string_view text) {
    if (!is_user_name(text)) return fail(Errc::invalid_argument, Reader::quoted(text) + " is no user name");
    return std::string(text);
}

// A name or an address; IPv6 with or without brackets.
Result<std::string> parse_host(std::string_view text) {
    const bool bare_v6 = !text.starts_with('[') && std::ranges::count(text, ':') > 1;
    const auto host = parse_authority(bare_v6 ? "[" + std::string(text) + "]" : std::string(text));
    if (!host) return fail(Errc::invalid_argument, Reader::quoted(text) + " is neither a name nor an address");
    if (host->port) return fail(Errc::invalid_argument, Reader::quoted(text) + ": the port has a key of its own");
    return host->host;
}

Result<std::string> parse_host_key(std::string_view text) {
    const auto blank = text.find(' ');
    const bool fingerprint = text.starts_with("SHA256:") && text.size() == 50;
    const bool key = blank != std::string_view::npos && text.substr(blank + 1).starts_with("AAAA");
    if (!fingerprint && !key) return fail(Errc::invalid_argument, Reader::quoted(text) + " is neither a key like ssh-ed25519 AAAA… nor a fingerprint like SHA256:…");
    return std::string(text);
}

// What the keys of one server say; of the file's top level, or of an entry of `servers` on top of that.
struct Written {
    std::string name, hostname, username;
    std::optional<std::uint16_t> ssh_port, remote_port, local_port;
    std::optional<std::string> bind, local_host;
    std::optional<std::vector<RemoteForward>> lines;
    std::optional<SshOptions> options;
    Secret private_key;
    std::filesystem::path private_key_file;
    std::vector<std::string> host_keys;
    std::string known_hosts;
    std::filesystem::path known_hosts_file;
};

void read_port(Reader& reader, std::string_view key, std::optional<std::uint16_t>& out, std::uint32_t least) {
    if (!reader.has(key)) return;
    std::uint32_t port = 0;
    reader.read_integer(key, port, least, 65535);
    out = static_cast<std::uint16_t>(port);
}

template <class T, class Parse>
void read_list(Reader& reader, std::string_view key, std::vector<T>& out, std::string_view separators, Parse parse) {
    for (const Reader::Item& item : reader.read_items(key)) {
        const auto text = reader.scalar(item);
        if (!text) continue;
        std::string_view rest = *text;
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find_first_of(separators), rest.size());
            std::string_view piece = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            while (piece.starts_with(' ')) piece.remove_prefix(1);
            while (piece.ends_with(' ')) piece.remove_suffix(1);
            if (piece.empty()) continue;
            if (auto value = parse(piece)) out.push_back(std::move(*value));
            else reader.refuse(item, value.error().detail);
        }
    }
}

void read_known_hosts(Reader& reader, Written& written) {
    std::optional<std::string> text;
    reader.read_parsed("known_hosts", text, [](std::string_view value) -> Result<std::string> { return std::string(value); });
    if (!text) return;
    // A file's name has no blank in it, a line always has.
    if (text->find_first_of(" \t\n") == std::string::npos) written.known_hosts_file = *text;
    else written.known_hosts = std::move(*text);
}

void read_private_key(Reader& reader, Written& written) {
    std::optional<std::string> text;
    reader.read_parsed("private_key", text, [](std::string_view value) -> Result<std::string> {
        std::string key = unfold_private_key(value);
        if (!key.starts_with("-----BEGIN ")) return fail(Errc::invalid_config, "is no private key: it begins with -----BEGIN");
        return key;
    });
    if (text) {
        written.private_key = Secret(std::move(*text));
        written.private_key_file.clear();
    }
    const bool has_file = reader.has("private_key_file");
    reader.read_path("private_key_file", written.private_key_file);
    if (has_file && text) reader.refuse("private_key_file", "use either private_key or private_key_file, not both");
    else if (has_file) written.private_key = Secret();
    if (reader.has("password"))
        reader.refuse("password", "the agent logs in by key, never by password: leave it empty, and add the line that the agent prints at its start to authorized_keys on the server");
}

// What both an entry of `servers` and the top level may hold.
void read_written(Reader& reader, Written& written) {
    std::optional<std::string> text;
    reader.read_parsed("hostname", text, parse_host);
    if (text) written.hostname = std::move(*text);
    text.reset();
    reader.read_parsed("username", text, parse_user);
    if (text) written.username = std::move(*text);
    read_port(reader, "ssh_port", written.ssh_port, 1);
    read_port(reader, "remote_port", written.remote_port, 0);
    read_port(reader, "local_port", written.local_port, 1);
    reader.read_parsed("remote_ip_address", written.bind, parse_bind_address);
    reader.read_parsed("local_ip_address", written.local_host, parse_host);
    std::vector<RemoteForward> lines;
    read_list(reader, "remote_forwarding", lines, ", \n", parse_remote_forward);
    if (!lines.empty()) written.lines = std::move(lines);
    std::optional<SshOptions> options;
    reader.read_parsed("other_ssh_options", options, parse_ssh_options);
    if (options) written.options = std::move(options);
    read_private_key(reader, written);
    std::vector<std::string> keys;
    read_list(reader, "host_key", keys, ",\n", parse_host_key);
    if (!keys.empty()) written.host_keys = std::move(keys);
    read_known_hosts(reader, written);
}

// server: {host: …, port: …}: the port is the one that the server opens.
void read_nested(Reader& reader, Written& written) {
    const bool named = reader.has("hostname"), opened = reader.has("remote_port");
    std::vector<Reader::Item> items = reader.read_items("server");
    if (items.empty()) return;
    if (items.front().name.empty()) return reader.refuse("server", "write host and port below it");
    for (const Reader::Item& item : items) {
        const bool blank = item.value->kind == Node::Kind::null || item.value->text.empty();
        if (item.name != "host" && item.name != "port") {
            reader.refuse(item, "unknown key (host and port are known)");
        } else if (blank) {
            continue;
        } else if (item.name == "host" && named) {
            reader.refuse(item, "hostname names the server, too; keep one of them");
        } else if (item.name == "port" && opened) {
            reader.refuse(item, "remote_port is the same in another dialect; keep one of them");
        } else if (const auto text = reader.scalar(item); text && item.name == "host") {
            auto host = parse_host(*text);
            if (host) written.hostname = std::move(*host);
            else reader.refuse(item, host.error().detail);
        } else if (text) {
            const auto port = *text == "0" ? Result<std::uint16_t>(0) : parse_port(*text);
            if (port) written.remote_port = *port;
            else reader.refuse(item, Reader::quoted(*text) + " is no port");
        }
    }
}

// The forward that most people have, then the list. A list alone means only what it says; so it was before
// remote_ip_address and the rest existed.
std::vector<SshForward> forwards_of(const Written& written) {
    std::vector<SshForward> forwards;
    std::vector<RemoteForward> lines = written.lines.value_or(std::vector<RemoteForward>{});
    if (written.options) lines.insert(lines.end(), written.options->forwards.begin(), written.options->forwards.end());
    const bool main = lines.empty() || written.remote_port || written.bind || written.local_host || written.local_port;
    if (main) {
        SshForward forward;
        forward.line.bind = written.bind.value_or(std::string(kBind));
        forward.line.port = written.remote_port.value_or(kHomeAssistantPort);
        forward.to_home_assistant = !written.local_host && written.local_port.value_or(kHomeAssistantPort) == kHomeAssistantPort;
        if (!forward.to_home_assistant) {
            forward.line.host = written.local_host.value_or("127.0.0.1");
            forward.line.host_port = written.local_port.value_or(kHomeAssistantPort);
        }
        forwards.push_back(std::move(forward));
    }
    for (RemoteForward& line : lines) forwards.push_back({std::move(line), false});
    return forwards;
}

// Tells what can't be.
bool are_sound(Reader& reader, const SshServerConfig& server) {
    std::string_view key = "remote_forwarding";
    if (server.forwards.size() > kMaxSshForwards) {
        reader.refuse(key, "more than 64 forwards");
        return false;
    }
    for (std::size_t at = 0; at < server.forwards.size(); ++at) {
        for (std::size_t before = 0; before < at; ++before) {
            const RemoteForward &a = server.forwards[before].line, &b = server.forwards[at].line;
            if (a.port == 0 || a.port != b.port || a.bind != b.bind) continue;
            if (!reader.has(key)) key = "other_ssh_options";
            reader.refuse(key, "the server can't listen on " + b.listen_text() + " twice" +
                                   (server.forwards[before].to_home_assistant || before == 0 ? " (remote_ip_address and remote_port, or their defaults, say the same)" : ""));
            return false;
        }
    }
    return true;
}

std::optional<SshServerConfig> finish(Reader& reader, Written written) {
    SshServerConfig server;
    if (written.options) server.options = *written.options;
    const SshOptions& options = server.options;
    if (written.hostname.empty()) {
        reader.require("hostname", "the SSH server's name or address");
        return std::nullopt;
    }
    if (options.port && written.ssh_port && *options.port != *written.ssh_port) reader.refuse("other_ssh_options", "its port is another one than ssh_port");
    if (!options.user.empty() && !written.username.empty() && options.user != written.username) reader.refuse("other_ssh_options", "its user is another one than username");
    server.hostname = std::move(written.hostname);
    server.name = written.name;
    server.port = written.ssh_port.value_or(options.port.value_or(22));
    server.username = !written.username.empty() ? written.username : !options.user.empty() ? options.user : std::string(kUser);
    server.forwards = forwards_of(written);
    server.private_key = std::move(written.private_key);
    server.private_key_file = std::move(written.private_key_file);
    if (!options.identity_file.empty()) {
        if (server.private_key.empty() && server.private_key_file.empty()) server.private_key_file = options.identity_file;
        else reader.refuse("other_ssh_options", "its key file and private_key contradict each other");
    }
    server.host_keys = std::move(written.host_keys);
    server.known_hosts = std::move(written.known_hosts);
    server.known_hosts_file = std::move(written.known_hosts_file);
    if (!options.known_hosts_file.empty() && !server.has_given_keys()) server.known_hosts_file = options.known_hosts_file;
    if (options.host_keys == HostKeyPolicy::known_only && !server.has_given_keys())
        reader.refuse("other_ssh_options", "StrictHostKeyChecking=yes needs host_key or known_hosts");
    const bool fingerprint = std::ranges::any_of(server.host_keys, [](const std::string& key) { return key.starts_with("SHA256:"); });
    if (fingerprint && !options.only_ssh.empty())
        reader.refuse("host_key", "the system's ssh, which " + options.only_ssh.front() + " of other_ssh_options asks for, needs the whole key: ssh-ed25519 AAAA…");
    if (!are_sound(reader, server)) return std::nullopt;
    return server;
}

// "user@host:port", as people write it.
bool take_short(Reader& reader, const Reader::Item& item, std::string_view text, Written& written) {
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        auto user = parse_user(text.substr(0, at));
        if (!user) return reader.refuse(item, user.error().detail), false;
        written.username = std::move(*user);
        text.remove_prefix(at + 1);
    }
    const bool bare_v6 = !text.starts_with('[') && std::ranges::count(text, ':') > 1;
    const auto host = parse_authority(bare_v6 ? "[" + std::string(text) + "]" : std::string(text));
    if (!host) return reader.refuse(item, Reader::quoted(text) + " is no server like home@relay.example.org:2222"), false;
    written.hostname = host->host;
    if (host->port) written.ssh_port = host->port;
    return true;
}

void read_servers(Reader& reader, const Written& common, SshConfig& config) {
    const auto add = [&](const Reader::Item& item, std::optional<SshServerConfig> server) {
        if (!server) return;
        if (config.servers.size() == kMaxSshServers) return reader.refuse(item, "more than 16 servers");
        config.servers.push_back(std::move(*server));
    };
    for (const Reader::Item& item : reader.read_items("servers")) {
        if (item.value->kind == Node::Kind::mapping) {
            reader.read_section(item, [&](Reader& section) {
                Written written = common;
                if (!item.name.empty()) written.name = item.name;
                else section.read_text("name", written.name);
                read_written(section, written);
                add(item, finish(section, std::move(written)));
            });
        } else if (const auto text = reader.scalar(item)) {
            std::string_view rest = *text;
            while (!rest.empty()) {
                const std::size_t end = std::min(rest.find(','), rest.size());
                Written written = common;
                written.name = item.name;
                if (take_short(reader, item, rest.substr(0, end), written)) add(item, finish(reader, std::move(written)));
                rest.remove_prefix(std::min(end + 1, rest.size()));
            }
        }
    }
}

// Each server's name is one of a kind, since `agent trust` and the state folder go by it.
void name_servers(Reader& reader, std::vector<SshServerConfig>& servers) {
    for (SshServerConfig& server : servers) {
        if (!server.name.empty()) continue;
        const bool alone = std::ranges::count(servers, server.hostname, &SshServerConfig::hostname) == 1;
        server.name = alone ? server.hostname : server.hostname + ":" + std::to_string(server.port);
    }
    for (std::size_t at = 0; at < servers.size(); ++at)
        for (std::size_t before = 0; before < at; ++before)
            if (servers[before].name == servers[at].name) return reader.refuse("servers", "two are called " + Reader::quoted(servers[at].name) + ": give them a name");
}

}  // namespace

std::string SshServerConfig::url() const {
    return "ssh://" + username + "@" + (hostname.contains(':') ? "[" + hostname + "]" : hostname) + (port == 22 ? "" : ":" + std::to_string(port));
}

std::string unfold_private_key(std::string_view text) {
    std::string key;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == 'n') key += '\n', ++at;
        else if (text[at] != '\r') key += text[at];
    }
    const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
    while (!key.empty() && blank(key.front())) key.erase(0, 1);
    while (!key.empty() && blank(key.back())) key.pop_back();
    const std::size_t head_end = key.find("-----", 5);
    const std::size_t foot = key.rfind("-----END ");
    if (!key.starts_with("-----BEGIN ") || head_end == std::string::npos || foot == std::string::npos || foot < head_end + 5) return key;
    std::string out = key.substr(0, head_end + 5) + "\n";
    const std::string body = key.substr(head_end + 5, foot - head_end - 5);
    // Lines stay as they are (the old PEM has header lines); a key on one line gets its breaks back.
    if (body.find('\n', 1) != std::string::npos && body.find('\n', 1) + 1 < body.size()) {
        std::size_t begin = 0;
        while (begin < body.size()) {
            const std::size_t end = std::min(body.find('\n', begin), body.size());
            std::string_view line = std::string_view(body).substr(begin, end - begin);
            while (!line.empty() && blank(line.front())) line.remove_prefix(1);
            while (!line.empty() && blank(line.back())) line.remove_suffix(1);
            if (!line.empty() || (begin > 0 && end < body.size())) out += std::string(line) + "\n";
            begin = end + 1;
        }
    } else {
        std::string packed;
        for (const char c : body)
            if (!blank(c)) packed += c;
        for (std::size_t at = 0; at < packed.size(); at += 70) out += packed.substr(at, 70) + "\n";
    }
    return out + key.substr(foot) + "\n";
}

std::optional<SshConfig> read_ssh(Reader& reader) {
    SshConfig config;
    enum class Transport { unsaid, wss, ssh } transport = Transport::unsaid;
    if (reader.has("transport")) reader.read_choice<Transport>("transport", transport, {{"wss", Transport::wss}, {"ssh", Transport::ssh}});
    else reader.is_set("transport");
    Written written;
    read_written(reader, written);
    const bool nested = reader.has("server");
    read_nested(reader, written);
    const bool listed = reader.has("servers");
    if (reader.has("servers_up")) reader.read_choice<ServersUp>("servers_up", config.up, {{"all", ServersUp::all}, {"one", ServersUp::one}});
    for (const auto& [key, out] : {std::pair<std::string_view, bool*>{"force_keygen", &config.force_keygen}, {"skip_remote_host_checks", &config.skip_remote_host_checks}})
        if (reader.has(key)) reader.read_bool(key, *out);

    const std::string_view sign = listed ? "servers" : !reader.has("hostname") && !written.hostname.empty() ? "server" : "hostname";
    const bool named = listed || !written.hostname.empty();
    if (transport == Transport::wss) {
        if (named) reader.refuse(sign, "means transport ssh, but transport is wss: remove one of them");
        return std::nullopt;
    }
    const bool speaks_of_relay = std::ranges::any_of(kRelayKeys, [&](std::string_view key) { return reader.has(key); });
    // Somebody who has filled in the rest has forgotten the server.
    const bool speaks_of_ssh = !speaks_of_relay && (reader.has("username") || reader.has("private_key") || reader.has("private_key_file") ||
                                                    reader.has("remote_forwarding") || reader.has("host_key") || reader.has("known_hosts"));
    if (transport == Transport::unsaid && !named && !speaks_of_ssh) return std::nullopt;
    for (const std::string_view key : kRelayKeys)
        if (reader.has(key))
            reader.refuse(key, "belongs to transport wss, but here the transport is ssh, since " + std::string(named ? sign : "transport") + (named ? " is set" : " says so") + ": remove one of them");
    if (listed && (reader.has("hostname") || nested)) reader.refuse(reader.has("hostname") ? "hostname" : "server", "servers lists the servers; keep one of them");
    if (listed) {
        read_servers(reader, written, config);
    } else if (auto server = finish(reader, std::move(written))) {
        config.servers.push_back(std::move(*server));
    }
    name_servers(reader, config.servers);
    return config;
}

}  // namespace sallyport
