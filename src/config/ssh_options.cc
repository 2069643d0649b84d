#include "config/ssh_options.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "wire/host_name.h"

namespace sallyport {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::unexpected<Error> refuse(std::string why) { return fail(Errc::invalid_argument, std::move(why)); }

std::string quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 80)) + "\""; }

// sshd_config(5), TIME FORMATS: "30", "1m30s", "2h".
Result<std::chrono::milliseconds> parse_ssh_time(std::string_view text) {
    std::uint64_t seconds = 0;
    bool any = false;
    for (std::string_view rest = text; !rest.empty();) {
        std::uint32_t number = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
        if (error != std::errc{}) return refuse(quoted(text) + " is no time like 30 or 1m");
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        std::uint32_t unit = 1;
        if (!rest.empty()) {
            switch (lower(rest.front())) {
                case 's': unit = 1; break;
                case 'm': unit = 60; break;
                case 'h': unit = 3600; break;
                case 'd': unit = 86400; break;
                case 'w': unit = 604800; break;
                default: return refuse(quoted(text) + " is no time like 30 or 1m");
            }
            rest.remove_prefix(1);
        }
        seconds += std::uint64_t{number} * unit;
        any = true;
    }
    constexpr std::uint64_t kMost = 86400;
    if (!any || seconds > kMost) return refuse(quoted(text) + " is no time up to a day");
    return std::chrono::seconds(seconds);
}

// -X VALUE and -XVALUE, of ssh(1) of OpenSSH 9.2.
constexpr std::string_view kWithValue = "BbcDEeFIiJLlmOopQRSWw";
constexpr std::string_view kAlone = "46AaCfGgKkMNnqsTtVvXxYy";

class OptionReader {
public:
    explicit OptionReader(std::vector<std::string> words) : words_(std::move(words)) {}

    Result<SshOptions> read() {
        while (at_ < words_.size())
            if (auto taken = take_word(); !taken) return std::unexpected(taken.error());
        return std::move(out_);
    }

private:
    Result<> take_word() {
        const std::string word = words_[at_++];
        if (word.size() < 2 || word[0] != '-') return refuse(quoted(word) + ": options only; the server stands in hostname, the user in username");
        if (word[1] == '-') return refuse(quoted(word) + " is no option of ssh");
        for (std::size_t letter = 1; letter < word.size(); ++letter) {
            const char flag = word[letter];
            if (flag == 'M' && is_number(letter + 1 < word.size() ? std::string_view(word).substr(letter + 1) : peek())) {
                if (letter + 1 == word.size()) ++at_;  // autossh's monitoring port; the agent watches in its own way
                return {};
            }
            if (kAlone.contains(flag)) {
                if (auto taken = take_alone(flag); !taken) return taken;
                continue;
            }
            if (!kWithValue.contains(flag)) return refuse("\"-" + std::string(1, flag) + "\" is no option of ssh");
            std::string value = word.substr(letter + 1);
            if (value.empty()) {
                if (at_ == words_.size()) return refuse("\"-" + std::string(1, flag) + "\" lacks its value");
                value = words_[at_++];
            }
            return take_value(flag, std::move(value));
        }
        return {};
    }

    Result<> take_alone(char flag) {
        switch (flag) {
            case 'f': return refuse("\"-f\" would take ssh out of the agent's hands: leave it out");
            case 'V':
            case 'G': return refuse("\"-" + std::string(1, flag) + "\" makes no connection: leave it out");
            case 's': return refuse("\"-s\" asks for a subsystem: leave it out");
            case 'v':
            case 'q':
            case 'y':
            case 'N':
            case 'n':
            case 'T':
            case 't':
            case 'x':
            case 'a':
            case 'k': return {};  // as the agent does it anyway, or about what is shown only
            default: break;
        }
        out_.words.push_back("-" + std::string(1, flag));
        out_.only_ssh.push_back(out_.words.back());
        return {};
    }

    Result<> take_value(char flag, std::string value) {
        switch (flag) {
            case 'o': return take_option(std::move(value));
            case 'p': return set_port(value);
            case 'l': return set(out_.user, value);
            case 'i': return set(out_.identity_file, value);
            case 'R': return add_forward(value);
            case 'O':
            case 'Q': return refuse("\"-" + std::string(1, flag) + "\" makes no connection: leave it out");
            case 'E':
            case 'e': return {};  // a log file, an escape character: there is neither
            default: break;
        }
        out_.words.push_back("-" + std::string(1, flag));
        out_.only_ssh.push_back(out_.words.back());
        out_.words.push_back(std::move(value));
        return {};
    }

    // Key=value, Key value, Key = value.
    Result<> take_option(std::string text) {
        const std::size_t end = std::min(text.find_first_of("= \t"), text.size());
        const std::string key = text.substr(0, end);
        std::size_t at = text.find_first_not_of(" \t", end);
        if (at != std::string::npos && text[at] == '=') at = text.find_first_not_of(" \t", at + 1);
        std::string value = at == std::string::npos ? "" : text.substr(at);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
        if (key.empty() || value.empty()) return refuse("-o " + quoted(text) + ": write it as -o Key=value");
        if (auto known = take_known(key, value); !known || *known) return known ? Result<>{} : std::unexpected(Error{known.error().code, key + ": " + known.error().detail});
        out_.only_ssh.push_back(key);
        out_.words.push_back("-o");
        out_.words.push_back(key + "=" + value);
        return {};
    }

    // False: only ssh(1) knows it.
    Result<bool> take_known(const std::string& key, const std::string& value) {
        const auto is = [&](std::string_view name) { return same(key, name); };
        const auto done = [](Result<> result) -> Result<bool> {
            if (!result) return std::unexpected(result.error());
            return true;
        };
        if (is("ServerAliveInterval")) return done(set_time(out_.alive_interval, value));
        if (is("ConnectTimeout")) return done(set_time(out_.connect_timeout, value));
        if (is("ServerAliveCountMax")) return done(set_count(value));
        if (is("Port")) return done(set_port(value));
        if (is("User")) return done(set(out_.user, value));
        if (is("IdentityFile")) return done(set(out_.identity_file, value));
        if (is("UserKnownHostsFile")) {
            if (value == "/dev/null" || same(value, "none")) return true;
            return done(set(out_.known_hosts_file, value));
        }
        if (is("StrictHostKeyChecking")) return done(set_host_keys(value));
        if (is("ExitOnForwardFailure")) {
            if (!same(value, "yes")) out_.warnings.push_back("ExitOnForwardFailure=" + value.substr(0, 20) + " is not followed: a connection without its forwards is of no use");
            return true;
        }
        if (is("RemoteForward")) {
            std::string line = value;
            std::ranges::replace(line, ' ', ':');
            return done(add_forward(line));
        }
        if (is("Compression") || is("ControlMaster") || is("ForwardAgent") || is("ForwardX11") || is("ForwardX11Trusted") ||
            is("PasswordAuthentication") || is("KbdInteractiveAuthentication") || is("ChallengeResponseAuthentication") || is("GSSAPIAuthentication") ||
            is("HostbasedAuthentication"))
            return same(value, "no");
        if (is("PubkeyAuthentication") || is("TCPKeepAlive") || is("IdentitiesOnly") || is("BatchMode") || is("CheckHostIP") || is("HashKnownHosts") || is("UpdateHostKeys"))
            return is("PubkeyAuthentication") ? same(value, "yes") : true;
        constexpr std::array kAboutShowing = {"LogLevel", "LogVerbose", "EscapeChar", "RequestTTY", "SessionType", "StdinNull", "VisualHostKey", "GlobalKnownHostsFile", "GatewayPorts"};
        if (std::ranges::any_of(kAboutShowing, is)) return true;
        return false;
    }

    static bool is_number(std::string_view text) {
        return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    }
    std::string_view peek() const { return at_ < words_.size() ? std::string_view(words_[at_]) : std::string_view(); }

    static Result<> set(std::string& out, const std::string& value) {
        if (!out.empty() && out != value) return refuse(quoted(value) + " and " + quoted(out) + " contradict each other");
        out = value;
        return {};
    }
    Result<> set_port(std::string_view value) {
        const auto port = parse_port(value);
        if (!port) return refuse(quoted(value) + " is no port");
        if (out_.port && *out_.port != *port) return refuse("two ports are given");
        out_.port = *port;
        return {};
    }
    static Result<> set_time(std::optional<std::chrono::milliseconds>& out, std::string_view value) {
        const auto time = parse_ssh_time(value);
        if (!time) return std::unexpected(time.error());
        if (!out) out = *time;  // as in ssh(1), the first counts
        return {};
    }
    Result<> set_count(std::string_view value) {
        std::uint32_t count = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
        if (error != std::errc{} || end != value.data() + value.size() || count == 0 || count > 1000) return refuse(quoted(value) + " is no number from 1 to 1000");
        if (!out_.alive_count) out_.alive_count = count;
        return {};
    }
    Result<> set_host_keys(std::string_view value) {
        if (same(value, "yes")) out_.host_keys = HostKeyPolicy::known_only;
        else if (same(value, "accept-new")) out_.host_keys = HostKeyPolicy::accept_new;
        else if (same(value, "no") || same(value, "off") || same(value, "ask")) {
            out_.host_keys = HostKeyPolicy::accept_new;
            out_.warnings.push_back("StrictHostKeyChecking=" + std::string(value) + " is read as accept-new: the key that the server shows first is noted, another one later is refused");
        } else return refuse(quoted(value) + " is none of yes, accept-new, no");
        return {};
    }
    Result<> add_forward(std::string_view value) {
        auto forward = parse_remote_forward(value);
        if (!forward) return std::unexpected(forward.error());
        out_.forwards.push_back(std::move(*forward));
        return {};
    }

    std::vector<std::string> words_;
    std::size_t at_ = 0;
    SshOptions out_;
};

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\0') return refuse("holds a NUL");
        if (quote != 0) {
            if (c == quote) quote = 0;
            else if (c == '\\' && quote == '"' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) word += text[++at];
            else word += c;
        } else if (c == '"' || c == '\'') {
            quote = c;
            in_word = true;
        } else if (c == '\\' && at + 1 < text.size()) {
            word += text[++at];
            in_word = true;
        } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
            if (in_word) words.push_back(std::exchange(word, {}));
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote != 0) return refuse("a quote is not closed");
    if (in_word) words.push_back(std::move(word));
    return words;
}

Result<SshOptions> parse_ssh_options(std::string_view text) {
    if (text.size() > kMaxSshOptions) return refuse("longer than 8 KiB");
    auto words = split_words(text);
    if (!words) return std::unexpected(words.error());
    return OptionReader(std::move(*words)).read();
}

}  // namespace sallyport
