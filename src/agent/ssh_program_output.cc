#include "agent/ssh_program_output.h"

#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace sallyport {
namespace {

// What stands behind `before`, up to `after` or the end; nothing if `before` isn't there.
std::optional<std::string_view> between(std::string_view line, std::string_view before, std::string_view after = {}) {
    const std::size_t at = line.find(before);
    if (at == std::string_view::npos) return std::nullopt;
    line.remove_prefix(at + before.size());
    return after.empty() ? line : line.substr(0, line.find(after));
}

std::string printable(std::string_view text) {
    std::string out(text.substr(0, SshProgramOutput::kMaxKept));
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return out;
}

std::uint16_t number_in(std::string_view text) {
    std::uint16_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace

SshProgramOutput::SshProgramOutput(const SshServerConfig& server, std::string authorized_line, std::vector<std::string> known_keys, bool has_worked)
    : server_([&] {
          SshServerConfig copy = server;
          copy.private_key = Secret();
          return copy;
      }()),
      authorized_line_(std::move(authorized_line)),
      known_keys_(std::move(known_keys)),
      has_worked_(has_worked) {
    for (const SshForward& forward : server_.forwards) ports_.push_back(forward.line.port);
}

SshProgramOutput::News SshProgramOutput::take(std::string_view line) {
    while (line.ends_with('\r') || line.ends_with(' ')) line.remove_suffix(1);
    News news = News::nothing;
    if (take_progress(line, news) || line.empty() || line.starts_with("debug") || line.starts_with("OpenSSH_")) return news;
    last_line_ = printable(line);
    take_trouble(line);
    return news;
}

bool SshProgramOutput::take_progress(std::string_view line, News& news) {
    if (line.starts_with("debug1: Connecting to ")) {
        const auto ip = between(line, "[", "]");
        const auto port = between(line, "] port ", ".");
        if (ip && port) address_ = printable(ip->contains(':') ? "[" + std::string(*ip) + "]:" + std::string(*port) : std::string(*ip) + ":" + std::string(*port));
        return true;
    }
    if (const auto version = between(line, "remote software version "); version && line.starts_with("debug1: Remote protocol")) {
        version_ = printable(*version);
        return true;
    }
    if (line.starts_with("debug1: Server host key: ")) {
        if (const auto print = between(line, "SHA256:")) host_key_ = "SHA256:" + printable(*print);
        return true;
    }
    if (line.starts_with("Warning: Permanently added ")) {
        news = News::key_noted;
        return true;
    }
    // Replies come in the order of the requests (RFC 4254 4).
    if (line.starts_with("debug1: remote forward success for: listen ")) {
        if (granted_ < ports_.size()) ++granted_;
        // The port of a forward to 0 follows in a line of its own.
        if (up() && ports_.back() != 0) news = News::up;
        return true;
    }
    if (const auto port = between(line, "Allocated port ", " for remote forward")) {
        if (granted_ > 0) ports_[granted_ - 1] = number_in(*port);
        if (up()) news = News::up;
        return true;
    }
    if (line.starts_with("debug1: Remote: Forwarding listen address ")) {
        last_line_ = printable(line.substr(std::string_view("debug1: Remote: ").size()));
        news = News::bind_overridden;
        return true;
    }
    if (!line.starts_with("Authenticated to ")) return false;
    authenticated_ = true;
    return true;
}

void SshProgramOutput::take_trouble(std::string_view line) {
    struct Known {
        std::string_view text;
        Trouble kind;
    };
    static constexpr Known kKnown[] = {
        {"REMOTE HOST IDENTIFICATION HAS CHANGED", Trouble::changed},
        {"you have requested strict checking", Trouble::strict},
        {"REVOKED HOST KEY", Trouble::strict},
        {"Permission denied (", Trouble::refused},
        {"Too many authentication failures", Trouble::refused},
        {"remote port forwarding failed for listen port", Trouble::forward},
        {"banner line contains invalid characters", Trouble::no_ssh},
        {"Protocol major versions differ", Trouble::no_ssh},
        {"Bad remote protocol version identification", Trouble::no_ssh},
        {"Bad configuration option", Trouble::usage},
        {"unknown option", Trouble::usage},
        {"illegal option", Trouble::usage},
        {"usage: ssh", Trouble::usage},
        {"Unsupported option", Trouble::usage},
        {"Could not resolve hostname", Trouble::network},
        {": connect to host ", Trouble::network},
        {"not responding", Trouble::network},
        {"Connection closed by ", Trouble::network},
        {"Connection reset by ", Trouble::network},
        {"Connection timed out during banner exchange", Trouble::network},
        {"closed by remote host", Trouble::network},
        {"Received disconnect from ", Trouble::network},
        {"Broken pipe", Trouble::network},
    };
    for (const Known& known : kKnown) {
        if (!line.contains(known.text)) continue;
        // The first that names a cause counts, "Connection closed" follows many of them.
        if (kind_ != Trouble::none && kind_ != Trouble::network) return;
        kind_ = known.kind;
        trouble_ = printable(line);
        return;
    }
}

SshFailure SshProgramOutput::failure(int status) const {
    const bool by_relay = authenticated_ && !up() && is_sallyport(version_) && trouble_.starts_with("Received disconnect from ");
    if (by_relay) return refused_by_relay(trouble_);
    const std::size_t asked = std::min(granted_, server_.forwards.size() - 1);  // the one that was refused
    switch (kind_) {
        case Trouble::changed: return host_key_changed(server_, host_key_, known_keys_);
        case Trouble::strict: return host_key_not_given(server_, host_key_);
        case Trouble::refused: return key_refused(server_, authorized_line_);
        case Trouble::forward:
            return has_worked_ ? forward_taken(server_, server_.forwards[asked].line)
                               : forward_refused(server_, server_.forwards[asked].line, ForwardDoubt::unclear, authorized_line_);
        case Trouble::no_ssh: return {SshFailure::Kind::no_ssh, "no SSH server answers there: " + trouble_, "see hostname and ssh_port"};
        case Trouble::usage: return {SshFailure::Kind::setup, trouble_, "ssh doesn't take other_ssh_options"};
        case Trouble::network: return {up() ? SshFailure::Kind::ended : SshFailure::Kind::network, trouble_, {}};
        case Trouble::none: break;
    }
    std::string how = WIFSIGNALED(status) ? "ssh was ended by signal " + std::to_string(WTERMSIG(status)) : "ssh ended with " + std::to_string(WEXITSTATUS(status));
    if (!last_line_.empty()) how += ": " + last_line_;
    return {up() ? SshFailure::Kind::ended : SshFailure::Kind::protocol, std::move(how), {}};
}

}  // namespace sallyport
