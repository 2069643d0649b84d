#include "wire/authorized_keys.h"

#include <algorithm>
#include <ctime>

#include "wire/host_name.h"
#include "wire/ssh_pattern.h"

namespace sallyport {
namespace {

constexpr std::string_view kSpace = " \t";
constexpr std::size_t kMaxUnusable = 100;

std::unexpected<Error> refuse(std::string why) { return fail(Errc::invalid_argument, std::move(why)); }

std::string shown(std::string_view text) {
    std::string out(text.substr(0, 80));
    for (char& c : out)
        if (c < ' ' || c >= 0x7f) c = '?';
    return "\"" + out + "\"";
}

bool same_letters(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

// "[2001:db8::1]:80", "host:80", "host:*"; with a bare port any host.
std::optional<ForwardPermit> parse_permit(std::string_view text, bool bare_port) {
    std::string_view host = "*", port = text;
    if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
        else if (host.contains(':') || host.contains('[')) return std::nullopt;
    } else if (!bare_port) {
        return std::nullopt;
    }
    if (host.empty() || host.size() > kMaxHostName || host.find_first_of(" \t,\"") != std::string_view::npos) return std::nullopt;
    if (port == "*") return ForwardPermit{std::string(host), std::nullopt};
    const auto number = parse_port(port);
    if (!number) return std::nullopt;
    return ForwardPermit{std::string(host), *number};
}

// YYYYMMDD[HHMM[SS]][Z]
std::optional<WallTime> parse_expiry(std::string_view text) {
    const bool utc = text.ends_with('Z');
    if (utc) text.remove_suffix(1);
    if ((text.size() != 8 && text.size() != 12 && text.size() != 14) || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    const auto number = [&](std::size_t at, std::size_t count) {
        int value = 0;
        for (const char c : at < text.size() ? text.substr(at, count) : std::string_view{}) value = value * 10 + (c - '0');
        return value;
    };
    std::tm parts{};
    parts.tm_year = number(0, 4) - 1900;
    parts.tm_mon = number(4, 2) - 1;
    parts.tm_mday = number(6, 2);
    parts.tm_hour = number(8, 2);
    parts.tm_min = number(10, 2);
    parts.tm_sec = number(12, 2);
    parts.tm_isdst = -1;
    if (parts.tm_year < 70 || parts.tm_mon < 0 || parts.tm_mon > 11 || parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60) return std::nullopt;
    const std::time_t time = utc ? ::timegm(&parts) : std::mktime(&parts);
    if (time < 0) return std::nullopt;
    return WallTime{std::chrono::seconds(time)};
}

struct Switch {
    std::string_view name;
    void (*set)(AuthorizedKeyOptions&);
};
constexpr Switch kSwitches[] = {
    {"restrict", [](AuthorizedKeyOptions& o) { o.pty = o.port_forwarding = o.agent_forwarding = o.x11_forwarding = false; }},
    {"pty", [](AuthorizedKeyOptions& o) { o.pty = true; }},
    {"no-pty", [](AuthorizedKeyOptions& o) { o.pty = false; }},
    {"port-forwarding", [](AuthorizedKeyOptions& o) { o.port_forwarding = true; }},
    {"no-port-forwarding", [](AuthorizedKeyOptions& o) { o.port_forwarding = false; }},
    {"agent-forwarding", [](AuthorizedKeyOptions& o) { o.agent_forwarding = true; }},
    {"no-agent-forwarding", [](AuthorizedKeyOptions& o) { o.agent_forwarding = false; }},
    {"x11-forwarding", [](AuthorizedKeyOptions& o) { o.x11_forwarding = true; }},
    {"no-x11-forwarding", [](AuthorizedKeyOptions& o) { o.x11_forwarding = false; }},
    {"user-rc", [](AuthorizedKeyOptions&) {}},
    {"no-user-rc", [](AuthorizedKeyOptions&) {}},
    {"cert-authority", [](AuthorizedKeyOptions& o) { o.cert_authority = true; }},
    {"no-touch-required", [](AuthorizedKeyOptions& o) { o.touch_required = false; }},
    {"verify-required", [](AuthorizedKeyOptions& o) { o.verify_required = true; }},
};

Result<> apply_permit(std::vector<ForwardPermit>& permits, std::string_view name, std::string_view value, bool bare_port) {
    const auto permit = parse_permit(value, bare_port);
    if (!permit) return refuse(std::string(name) + "=" + shown(value) + " is malformed");
    if (permits.size() == kMaxPermits) return refuse("too many " + std::string(name) + "=");
    permits.push_back(*permit);
    return {};
}

Result<> apply(AuthorizedKeyOptions& options, std::string_view name, std::optional<std::string> value) {
    if (!value) {
        const auto* const found = std::ranges::find_if(kSwitches, [&](const Switch& s) { return same_letters(name, s.name); });
        if (found == std::end(kSwitches)) return refuse("option " + shown(name) + " is not known");
        found->set(options);
        return {};
    }
    if (same_letters(name, "from") || same_letters(name, "command")) {
        auto& kept = same_letters(name, "from") ? options.from : options.command;
        if (kept) return refuse("option " + shown(name) + " is there twice");
        kept = std::move(*value);
        return {};
    }
    if (same_letters(name, "permitopen")) return apply_permit(options.permit_open, "permitopen", *value, false);
    if (same_letters(name, "permitlisten")) return apply_permit(options.permit_listen, "permitlisten", *value, true);
    if (same_letters(name, "expiry-time")) {
        const auto time = parse_expiry(*value);
        if (!time) return refuse("expiry-time=" + shown(*value) + " is no time like 20271231 or 202712312359Z");
        options.expires = options.expires ? std::min(*options.expires, *time) : *time;
        return {};
    }
    // Names of certificates, a tunnel device, variables (which sshd ignores by default, too): nothing that is done here.
    for (const std::string_view ignored : {"environment", "principals", "tunnel"})
        if (same_letters(name, ignored)) return {};
    return refuse("option " + shown(name) + " is not known");
}

// Takes `"value"` off the front; \" stands for ".
std::optional<std::string> take_quoted(std::string_view& in) {
    if (!in.starts_with('"')) return std::nullopt;
    std::string value;
    for (std::size_t at = 1; at < in.size(); ++at) {
        if (in[at] == '"') {
            in.remove_prefix(at + 1);
            return value;
        }
        if (in[at] == '\\' && at + 1 < in.size() && in[at + 1] == '"') ++at;
        value += in[at];
    }
    return std::nullopt;
}

// Reads options up to the space behind them, and takes them off the front.
Result<AuthorizedKeyOptions> take_options(std::string_view& in) {
    AuthorizedKeyOptions options;
    for (;;) {
        const std::size_t end = std::min(in.find_first_of("=, \t"), in.size());
        const std::string_view name = in.substr(0, end);
        if (name.empty()) return refuse("the options in front of the key are malformed");
        in.remove_prefix(end);
        std::optional<std::string> value;
        if (in.starts_with('=')) {
            in.remove_prefix(1);
            value = take_quoted(in);
            if (!value) return refuse("the value of option " + shown(name) + " wants to stand in quotes");
        }
        if (auto applied = apply(options, name, std::move(value)); !applied) return std::unexpected(applied.error());
        if (!in.starts_with(',')) break;
        in.remove_prefix(1);
    }
    if (in.empty() || !kSpace.contains(in.front())) return refuse("there is no key behind the options");
    return options;
}

bool permits(const std::vector<ForwardPermit>& permits, std::string_view host, std::uint16_t port) {
    return permits.empty() || std::ranges::any_of(permits, [&](const ForwardPermit& permit) {
               return (!permit.port || *permit.port == port) && matches_ssh_pattern(host, permit.host);
           });
}

}  // namespace

bool AuthorizedKeyOptions::lets_in_from(const IpAddress& address) const { return !from || matches_ssh_from(address, *from); }

bool AuthorizedKeyOptions::may_open(std::string_view host, std::uint16_t port) const {
    const auto same = [&](const ForwardPermit& permit) {
        return (!permit.port || *permit.port == port) && (permit.host == "*" || permit.host == host);
    };
    return port_forwarding && (permit_open.empty() || std::ranges::any_of(permit_open, same));
}

bool AuthorizedKeyOptions::may_listen(std::string_view host, std::uint16_t port) const {
    return port_forwarding && permits(permit_listen, host, port);
}

const AuthorizedKey* AuthorizedKeys::find(const SshPublicKey& key) const {
    const auto found = std::ranges::find_if(keys, [&](const AuthorizedKey& entry) { return entry.key == key && !entry.options.cert_authority; });
    return found == keys.end() ? nullptr : &*found;
}

Result<AuthorizedKey> parse_authorized_key(std::string_view line) {
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    if (line.size() > kMaxAuthorizedKeysLine) return refuse("this line is too long");
    if (line.contains('\n') || line.contains('\0')) return refuse("this is more than one line");
    line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));

    auto key = parse_ssh_public_key(line);
    const std::string_view first = line.substr(0, line.find_first_of(kSpace));
    if (key) return AuthorizedKey{*key, {}};
    // What looks like no option can only be meant as a key.
    if (first.empty() || is_known_ssh_key_type(first) || first.starts_with("-----") || first.size() == line.size()) return std::unexpected(key.error());
    auto options = take_options(line);
    if (!options) return std::unexpected(options.error());
    key = parse_ssh_public_key(line);
    if (!key) return std::unexpected(key.error());
    return AuthorizedKey{*key, std::move(*options)};
}

Result<AuthorizedKeys> parse_authorized_keys(std::string_view file) {
    if (file.size() > kMaxAuthorizedKeysFile) return fail(Errc::too_large, "authorized_keys is larger than 1 MiB");
    AuthorizedKeys out;
    for (unsigned number = 1; !file.empty(); ++number) {
        const std::size_t end = std::min(file.find('\n'), file.size());
        const std::string_view line = file.substr(0, end);
        file.remove_prefix(std::min(end + 1, file.size()));
        const std::size_t begin = line.find_first_not_of(" \t\r");
        if (begin == std::string_view::npos || line[begin] == '#') continue;
        if (auto key = parse_authorized_key(line)) {
            key->line = number;
            out.keys.push_back(std::move(*key));
        } else if (out.unusable.size() < kMaxUnusable) {
            out.unusable.push_back({number, key.error().detail});
        }
    }
    return out;
}

}  // namespace sallyport
