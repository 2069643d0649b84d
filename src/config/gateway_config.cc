#include "config/gateway_config.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/password_hash.h"
#include "config/keys.h"
#include "config/reader.h"
#include "config/state_dir.h"
#include "wire/host_name.h"
#include "wire/ip_network.h"

namespace sallyport {
namespace {

constexpr std::array kKeys = {
    KeyInfo{"remote_host", "HOST", "the one host that users get to (REMOTE_HOST; required)"},
    KeyInfo{"remote_port", "PORT", "of its sshd (REMOTE_PORT; default 22)"},
    KeyInfo{"remote_known_hosts", "FILE", "known_hosts file with its key (default: the key of first use, kept in the state folder)"},
    KeyInfo{"remote_ignore_host_key", "BOOL", "takes any key for the remote's: whoever is in between reads everything (default false)"},
    KeyInfo{"ignore_remote_host_key", "BOOL", "another name of remote_ignore_host_key"},
    KeyInfo{"authorized_keys_path", "FILE", "keys that may log in, in the format of sshd(8)"},
    KeyInfo{"authorized_keys", "FILE", "another name of authorized_keys_path"},
    KeyInfo{"authorized_keys_content", "LINES", "the same as text, or as base64 of it"},
    KeyInfo{"password_auth", "BOOL", "lets users in passwords log in with theirs (default false)"},
    KeyInfo{"passwords", "USER:PASSWORD,...", "passwords or their hashes ($2b$, $y$); in a file a map", false},
    KeyInfo{"accept_any_key", "BOOL", "lets everybody in who has any key (default false)"},
    KeyInfo{"ssh_key_path", "FILE", "private key with which the gateway logs in to the remote"},
    KeyInfo{"ssh_key_content", "BASE64", "the same as base64 of the file", false},
    KeyInfo{"host", "ADDR", "where to listen, several with commas (default: 0.0.0.0 and ::)"},
    KeyInfo{"port", "PORT", "where to listen (default 2222)"},
    KeyInfo{"host_key_path", "FILE", "the gateway's host key, made if missing (default /etc/gateway/host_key, else in the state folder)"},
    KeyInfo{"metrics_listen", "ADDR:PORT", "Prometheus metrics; or off (default off)"},
    KeyInfo{"state_dir", "DIR", "where noted keys are (default: /var/lib/sallyport, else the XDG state folder)"},
    KeyInfo{"log_level", "LEVEL", "trace, debug, info, warn or error (default info)"},
    KeyInfo{"log_format", "FORMAT", "key_value or json (default key_value)"},
    KeyInfo{"mosh", "WHEN", "auto: terminals go over mosh where it works; off (default auto)"},
    KeyInfo{"mosh_server", "PATH", "mosh-server at the remote (default mosh-server)"},
    KeyInfo{"mosh_ports", "FIRST:LAST", "UDP ports of the remote that it may use (default 60001:60999)"},
    KeyInfo{"mosh_patience", "DURATION", "how long to wait for the first datagram before taking SSH (default 5s)"},
    KeyInfo{"mosh_server_timeout", "DURATION", "after so long without the gateway a mosh-server ends itself (default 2h)"},
    KeyInfo{"prediction", "WHEN", "local echo: adaptive, always, never or experimental (default adaptive)"},
    KeyInfo{"resume", "HOW", "waiting sessions are offered: ask, auto or off (default ask)"},
    KeyInfo{"detach_timeout", "DURATION", "how long a session waits for its user (default 1h; 0s: not at all)"},
    KeyInfo{"scrollback_lines", "N", "lines kept of a session (default 10000)"},
    KeyInfo{"escape_key", "KEY", "begins a command to the gateway in a terminal: ^X for Ctrl-X, or none (default ^^)"},
    KeyInfo{"key_cache", "DURATION", "how long the remote's authorized_keys are believed (default 60s)"},
    KeyInfo{"warm_timeout", "DURATION", "how long a spare connection to the remote is kept (default 5m; 0s: none is)"},
    KeyInfo{"warm_connections", "N", "spare connections of a user's key (default 1)"},
    KeyInfo{"connect_timeout", "DURATION", "for connecting and logging in to the remote (default 60s)"},
    KeyInfo{"keepalive_interval", "DURATION", "between signs of life; three unanswered ones end a connection (default 15s)"},
    KeyInfo{"login_grace_time", "DURATION", "for logging in (default 60s)"},
    KeyInfo{"idle_timeout", "DURATION", "ends connections that carry nothing for so long (default 0s: never)"},
    KeyInfo{"drain_timeout", "DURATION", "how long commands and transfers may take when the gateway stops (default 10s)"},
    KeyInfo{"max_login_attempts", "N", "of a connection (default 6)"},
    KeyInfo{"max_login_failures", "N", "of an address in a minute, before it has to wait (default 10)"},
    KeyInfo{"max_unauthenticated", "N", "connections that have not logged in yet (default 100)"},
    KeyInfo{"max_connections", "N", "in all (default 1000)"},
    KeyInfo{"max_connections_per_user", "N", "of a user name (default 200)"},
    KeyInfo{"max_connections_per_address", "N", "of an address (default 200)"},
    KeyInfo{"max_channels", "N", "of a connection (default 100)"},
};

constexpr std::array kOlderVariables = {VariablePrefix{"REMOTE_", "remote_"}, VariablePrefix{"GATEWAY_", ""}};

constexpr std::size_t kLongestUser = 64;
constexpr std::size_t kMostPasswords = 10'000;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string without_space(std::string_view text) {
    std::string out{text};
    std::erase_if(out, is_space);
    return out;
}

// What a shell at the remote gets as the name of a program, unquoted.
Result<std::string> parse_program(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("._/-").contains(c);
    };
    if (text.empty() || text.size() > 255 || text.front() == '-' || !std::ranges::all_of(text, fits))
        return fail(Errc::invalid_config, "use a path of letters, digits and . _ / - (it stands in a command for the remote's shell)");
    return std::string(text);
}

Result<std::string> parse_remote_host(std::string_view text) {
    std::string_view bare = text;
    if (bare.starts_with('[') && bare.ends_with(']')) bare = bare.substr(1, bare.size() - 2);
    if (const auto address = parse_ip_address(bare)) return address->text();
    auto name = parse_host_name(text);
    if (!name) return fail(Errc::invalid_config, Reader::quoted(text) + " is neither a host name nor an address");
    return name;
}

Result<std::string> parse_key_lines(std::string_view text) {
    const bool one_word = std::ranges::none_of(text.substr(0, text.find_last_not_of(" \t\r\n") + 1), [](char c) { return c == ' ' || c == '\t'; });
    if (!one_word) return std::string(text);
    auto decoded = from_base64(without_space(text));
    if (!decoded) return fail(Errc::invalid_config, "neither lines of an authorized_keys file nor base64 of them");
    return decoded;
}

// Never shows what it read.
Result<std::string> parse_private_key_text(std::string_view text) {
    if (text.contains("-----BEGIN ")) return std::string(text);  // unambiguous, so taken as it is
    auto decoded = from_base64(without_space(text));
    if (!decoded || !decoded->contains("-----BEGIN ")) return fail(Errc::invalid_config, "no base64 of a private key file (base64 -w0 FILE)");
    return decoded;
}

struct PortRange {
    std::uint16_t first = 0, last = 0;
};
Result<PortRange> parse_port_range(std::string_view text) {
    const auto colon = std::min(text.find(':'), text.size());
    const auto port = [](std::string_view digits) -> std::uint16_t {
        unsigned value = 0;
        for (const char c : digits) value = c >= '0' && c <= '9' && value < 100'000 ? value * 10 + static_cast<unsigned>(c - '0') : 100'000;
        return value > 65'535 ? 0 : static_cast<std::uint16_t>(value);
    };
    PortRange range{.first = port(text.substr(0, colon))};
    range.last = colon == text.size() ? range.first : port(text.substr(colon + 1));
    if (range.first == 0 || range.last < range.first) return fail(Errc::invalid_config, Reader::quoted(text) + " is no range of ports like 60001:60999");
    return range;
}

// "^X" as people write Ctrl-X, or "none".
Result<int> parse_escape_key(std::string_view text) {
    if (text == "none") return -1;
    if (text.size() == 2 && text[0] == '^') {
        const int key = text[1] >= 'a' && text[1] <= 'z' ? text[1] - 'a' + 'A' : text[1];
        // Not Ctrl-M (Return), Ctrl-J, Ctrl-I (Tab) and Ctrl-[ (Escape), which begin or are other keys.
        if (key > '@' && key <= '_' && !std::string_view("MJI[").contains(static_cast<char>(key))) return key - '@';
    }
    return fail(Errc::invalid_config, Reader::quoted(text) + " is no key like ^^ or ^A, and not none");
}

class PasswordReader {
public:
    PasswordReader(Reader& reader, GatewayConfig& config) : reader_(reader), out_(config.passwords) {}

    void read() {
        for (const Reader::Item& item : reader_.read_items("passwords")) {
            const auto text = reader_.scalar(item);
            if (!text) continue;
            if (item.name.empty()) add_pairs(item, *text);
            else add(item, item.name, *text);
        }
    }

private:
    // user:password,user:password; a password with a comma or a colon needs the map, or its hash.
    void add_pairs(const Reader::Item& item, std::string_view text) {
        while (!text.empty()) {
            const auto comma = std::min(text.find(','), text.size());
            const std::string_view pair = text.substr(0, comma);
            const auto colon = pair.find(':');
            if (colon == std::string_view::npos) reader_.refuse(item, "write user:password,user:password (with commas in a password: a map)");
            else add(item, pair.substr(0, colon), pair.substr(colon + 1));
            text.remove_prefix(std::min(comma + 1, text.size()));
        }
    }

    void add(const Reader::Item& item, std::string_view user, std::string_view text) {
        if (!is_gateway_user(user)) return reader_.refuse(item, Reader::quoted(user) + " is no name that users can have here");
        if (out_.size() >= kMostPasswords) return reader_.refuse(item, "more than 10000 users");
        GatewayPassword password;
        if (text.starts_with("$2") || text.starts_with("$y$")) {
            auto hash = check_password_hash(text);
            if (!hash) return reader_.refuse(item, std::string(user) + ": " + hash.error().detail);
            password.hash = std::move(*hash);
        } else if (text.empty() || text.size() > kLongestPassword) {
            return reader_.refuse(item, std::string(user) + ": a password has 1 to 511 octets");
        } else {
            password.text = Secret(std::string(text));
        }
        if (!out_.emplace(std::string(user), std::move(password)).second) reader_.refuse(item, std::string(user) + " stands here for the second time");
    }

    Reader& reader_;
    std::map<std::string, GatewayPassword, std::less<>>& out_;
};

void read_remote(Reader& reader, GatewayConfig& config) {
    std::optional<std::string> host;
    reader.read_parsed("remote_host", host, parse_remote_host);
    config.remote_host = host.value_or("");
    if (!reader.has("remote_host"))
        reader.refuse("remote_host", "missing: the host that users get to (set it in the configuration, with --remote-host or as environment REMOTE_HOST)");
    std::uint32_t port = config.remote_port;
    reader.read_integer("remote_port", port, 1, 65'535);
    config.remote_port = static_cast<std::uint16_t>(port);
    reader.read_path("remote_known_hosts", config.remote_known_hosts);
    reader.read_bool(reader.either("remote_ignore_host_key", "ignore_remote_host_key"), config.remote_ignore_host_key);
}

void read_who_gets_in(Reader& reader, GatewayConfig& config) {
    reader.read_path(reader.either("authorized_keys_path", "authorized_keys"), config.authorized_keys_path);
    std::optional<std::string> text;
    reader.read_parsed("authorized_keys_content", text, parse_key_lines);
    config.authorized_keys_content = text.value_or("");
    reader.read_bool("password_auth", config.password_auth);
    PasswordReader(reader, config).read();
    if (config.password_auth && config.passwords.empty()) reader.refuse("password_auth", "passwords names no user, so nobody could log in with one");
    reader.read_bool("accept_any_key", config.accept_any_key);
    reader.read_path("ssh_key_path", config.ssh_key_path);
    std::optional<std::string> key;
    reader.read_parsed("ssh_key_content", key, parse_private_key_text);
    if (key) config.ssh_key_content = Secret(std::move(*key));
    if (reader.has("ssh_key_path") && reader.has("ssh_key_content")) reader.refuse("ssh_key_content", "use either ssh_key_path or ssh_key_content, not both");
}

void read_listeners(Reader& reader, GatewayConfig& config) {
    std::uint32_t port = 2'222;
    reader.read_integer("port", port, 0, 65'535);
    std::optional<std::string> hosts;
    reader.read_parsed("host", hosts, [](std::string_view text) -> Result<std::string> { return without_space(text); });
    if (!hosts) config.listen.push_back({"", static_cast<std::uint16_t>(port)});
    for (std::string_view left = hosts ? *hosts : std::string_view(); !left.empty();) {
        const auto comma = std::min(left.find(','), left.size());
        std::string_view host = left.substr(0, comma);
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        if (host == "localhost") host = "127.0.0.1";
        if (parse_ip_address(host)) config.listen.push_back({std::string(host), static_cast<std::uint16_t>(port)});
        else reader.refuse("host", Reader::quoted(host) + " is no address");
        left.remove_prefix(std::min(comma + 1, left.size()));
    }
    if (config.listen.empty()) reader.refuse("host", "names no address");
    config.host_key_path_is_set = reader.has("host_key_path");
    reader.read_path("host_key_path", config.host_key_path);
    reader.read_value("metrics_listen", config.metrics_listen, [](std::string_view text) -> Result<std::optional<ListenAddress>> {
        if (text == "off" || text == "false") return std::nullopt;
        auto address = parse_listen_address(text);
        if (!address) return std::unexpected(address.error());
        return std::optional(std::move(*address));
    });
}

void read_terminals(Reader& reader, GatewayConfig& config) {
    using namespace std::chrono_literals;
    reader.read_choice<MoshUse>("mosh", config.mosh, {{"auto", MoshUse::automatic}, {"off", MoshUse::off}, {"false", MoshUse::off}, {"true", MoshUse::automatic}});
    reader.read_value("mosh_server", config.mosh_server, parse_program);
    PortRange ports{config.mosh_port_first, config.mosh_port_last};
    reader.read_value("mosh_ports", ports, parse_port_range);
    config.mosh_port_first = ports.first;
    config.mosh_port_last = ports.last;
    reader.read_duration("mosh_patience", config.mosh_patience, 100ms, 5min);
    reader.read_duration("mosh_server_timeout", config.mosh_server_timeout, 10s, 30 * 24h);
    reader.read_value("escape_key", config.escape_key, parse_escape_key);
    reader.read_choice<Prediction>("prediction", config.prediction,
                                   {{"adaptive", Prediction::adaptive}, {"always", Prediction::always}, {"never", Prediction::never}, {"experimental", Prediction::experimental}});
    reader.read_choice<ResumeUse>("resume", config.resume, {{"ask", ResumeUse::ask}, {"auto", ResumeUse::automatic}, {"off", ResumeUse::off}, {"false", ResumeUse::off}});
    reader.read_duration("detach_timeout", config.detach_timeout, 0ms, 30 * 24h);
    reader.read_integer("scrollback_lines", config.scrollback_lines, 0, 1'000'000);
}

void read_limits(Reader& reader, GatewayConfig& config) {
    using namespace std::chrono_literals;
    reader.read_duration("key_cache", config.key_cache, 0ms, 1h);
    reader.read_duration("warm_timeout", config.warm_timeout, 0ms, 24h);
    reader.read_integer("warm_connections", config.warm_connections, 0, 16);
    reader.read_duration("connect_timeout", config.connect_timeout, 100ms, 10min);
    reader.read_duration("keepalive_interval", config.keepalive_interval, 1s, 1h);
    reader.read_duration("login_grace_time", config.login_grace_time, 1s, 1h);
    reader.read_duration("idle_timeout", config.idle_timeout, 0ms, 30 * 24h);
    reader.read_duration("drain_timeout", config.drain_timeout, 0ms, 1h);
    reader.read_integer("max_login_attempts", config.max_login_attempts, 1, 100);
    reader.read_integer("max_login_failures", config.max_login_failures, 1, 100'000);
    reader.read_integer("max_unauthenticated", config.max_unauthenticated, 1, 100'000);
    reader.read_integer("max_connections", config.max_connections, 1, 100'000);
    reader.read_integer("max_connections_per_user", config.max_connections_per_user, 1, 100'000);
    reader.read_integer("max_connections_per_address", config.max_connections_per_address, 1, 100'000);
    reader.read_integer("max_channels", config.max_channels, 1, 10'000);
}

// Files of a container's volume, where nothing else is said.
void take_present_files(GatewayConfig& config, const std::filesystem::path& keys) {
    const auto take = [&](std::filesystem::path& out, const char* name) {
        std::error_code ignored;
        if (out.empty() && std::filesystem::is_regular_file(keys / name, ignored)) out = keys / name;
    };
    if (config.ssh_key_content.empty()) take(config.ssh_key_path, "id_ed25519");
    if (config.authorized_keys_content.empty()) take(config.authorized_keys_path, "authorized_keys");
    if (!config.remote_ignore_host_key) take(config.remote_known_hosts, "known_hosts");
}

}  // namespace

std::span<const KeyInfo> gateway_keys() { return kKeys; }

bool is_gateway_user(std::string_view name) {
    return !name.empty() && name.size() <= kLongestUser && name.front() != '-' && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

Result<GatewayConfig> load_gateway_config(const ConfigSources& sources, const std::filesystem::path& keys) {
    const auto document = Document::load(sources, kOlderVariables);
    if (!document) return std::unexpected(document.error());
    Reader reader(*document);
    GatewayConfig config;
    reader.read_path("state_dir", config.state_dir);
    reader.read_value("log_level", config.log_level, parse_log_level);
    reader.read_choice<LogFormat>("log_format", config.log_format, {{"key_value", LogFormat::key_value}, {"json", LogFormat::json}});
    read_remote(reader, config);
    read_who_gets_in(reader, config);
    read_listeners(reader, config);
    read_terminals(reader, config);
    read_limits(reader, config);
    if (config.state_dir.empty()) config.state_dir = default_state_dir(sources.environment);
    if (config.state_dir.empty()) reader.require("state_dir", "there is neither /var/lib/sallyport nor a home folder");
    if (auto finished = reader.finish(); !finished) return std::unexpected(finished.error());
    config.warnings = reader.warnings();
    take_present_files(config, keys);
    return config;
}

}  // namespace sallyport
