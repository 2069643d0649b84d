#include "gateway/mosh_server_start.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "gateway/mosh_output_filter.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kMostLine = 4'096;
constexpr std::size_t kMostVariables = 24;
constexpr std::size_t kMostValue = 64;

// Both scripts stand between single quotes of a command line that sh, bash, zsh, fish or csh reads: no single quote, no newline, no
// exclamation mark, no backslash before a quote or another one.
//
// $1: the network timeout; $2: mosh-server; $3: its ports; then sh, the script for the terminal and its arguments. mosh-server wants a UTF-8 locale of its own, whatever the user's is.
constexpr std::string_view kStart =
    R"(m=$(PATH=$PATH:/usr/local/bin:/opt/homebrew/bin:/opt/local/bin:/usr/bin; command -v "$2") || { echo SALLYPORT NO MOSH-SERVER; exit 127; }; )"
    R"(SALLYPORT_LC_ALL=$LC_ALL; LC_ALL=C.UTF-8; MOSH_SERVER_NETWORK_TMOUT=$1; MOSH_SERVER_SIGNAL_TMOUT=60; )"
    R"(export SALLYPORT_LC_ALL LC_ALL MOSH_SERVER_NETWORK_TMOUT MOSH_SERVER_SIGNAL_TMOUT; p=$3; shift 3; )"
    R"(s=-s; [ -n "$SSH_CONNECTION" ] || s=; )"
    R"(exec "$m" new $s -c 256 -p "$p" -l LC_ALL=en_US.UTF-8 -- sh -c "$@")";

// $1: nonce; $2: a command in octal, or "" for the login shell; $3…: NAME=value of the client. Runs in mosh-server's terminal, which has
// echoed the newline by which mosh-server lets it begin: so the screen is cleared first. The shell's exit status is told by a title.
constexpr std::string_view kInside =
    R"(if [ -n "$SALLYPORT_LC_ALL" ]; then LC_ALL=$SALLYPORT_LC_ALL; else unset LC_ALL; fi; )"
    R"(unset SALLYPORT_LC_ALL MOSH_SERVER_NETWORK_TMOUT MOSH_SERVER_SIGNAL_TMOUT; n=$1; c=$(printf %b "$2"); shift 2; for e in "$@"; do export "$e"; done; )"
    R"(case "${LC_ALL:-${LC_CTYPE:-$LANG}}" in *[Uu][Tt][Ff]*8) ;; *) LC_CTYPE=C.UTF-8; export LC_CTYPE;; esac; )"
    R"(SSH_TTY=$(tty) && export SSH_TTY; trap : HUP INT QUIT TERM; printf "\033[H\033[2J"; )"
    R"(if [ -n "$c" ]; then "${SHELL:-/bin/sh}" -c "$c"; s=$?; else )"
    R"([ -e "$HOME/.hushlogin" ] || cat /run/motd.dynamic /etc/motd 2>/dev/null; "${SHELL:-/bin/sh}" -l; s=$?; fi; )"
    R"(printf "\033]0;%s%s-%d\007" )";

bool harmless(std::string_view value) {
    return !value.empty() && value.size() <= kMostValue && std::ranges::all_of(value, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '@' ||
               c == ':' || c == ',';
    });
}

bool is_locale_name(std::string_view name) {
    return name == "LANG" || name == "LANGUAGE" ||
           (name.starts_with("LC_") && name.size() <= 20 && std::ranges::all_of(name.substr(3), [](char c) { return c >= 'A' && c <= 'Z'; }));
}

// mosh speaks UTF-8 only: "de_DE.ISO-8859-1@euro" becomes "de_DE.UTF-8@euro", and "C" becomes "C.UTF-8".
std::string in_utf8(std::string_view locale) {
    const std::size_t dot = locale.find('.');
    const std::size_t at = locale.find('@');
    const std::string_view language = locale.substr(0, std::min(dot, at));
    const std::string_view modifier = at == locale.npos ? std::string_view{} : locale.substr(at);
    return std::string(language == "POSIX" ? "C" : language).append(".UTF-8").append(modifier);
}

// A word for any of the shells above.
std::string quoted(std::string_view text) { return std::string("'").append(text).append("'"); }

// For printf %b of the inside: everything unusual as octal.
std::string in_octal(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '.' || c == '/' || c == '-' || c == '_';
        if (plain) out += c;
        else out += fmt::format("\\0{:03o}", static_cast<unsigned char>(c));
    }
    return out;
}

std::optional<std::int64_t> number_after(std::string_view line, std::string_view before) {
    const std::size_t at = line.find(before);
    if (at == line.npos) return std::nullopt;
    std::int64_t value = 0;
    const char* first = line.data() + at + before.size();
    const auto [end, error] = std::from_chars(first, line.data() + line.size(), value);
    if (error != std::errc{} || value <= 1) return std::nullopt;
    return value;
}

bool is_key(std::string_view text) {
    // 128 bits in 22 characters: the last one has but two of them.
    return text.size() == 22 && std::string_view("AQgw").contains(text.back()) && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    });
}

}  // namespace

std::string mosh_server_command(const MoshServerRequest& request) {
    std::string inside(kInside);
    inside.append(fmt::format("{} \"$n\" \"$s\"; exit $s", kExitTitle));
    std::string command = fmt::format("exec sh -c {} sh {} {} {}:{} {} sh {} ", quoted(kStart), request.network_timeout.count(), request.program,
                                      request.first_port, request.last_port, quoted(inside), request.exit_nonce);
    command += quoted(in_octal(request.command));
    std::size_t variables = 0;
    for (const auto& [name, value] : request.environment) {
        if (!harmless(value) || ++variables > kMostVariables) continue;
        if (name == "COLORTERM") command += fmt::format(" {}={}", name, value);
        if (name == "LANGUAGE") command += fmt::format(" {}={}", name, value);
        else if (is_locale_name(name)) command += fmt::format(" {}={}", name, in_utf8(value));
    }
    return command;
}

std::string_view name_of(MoshServerFailure failure) {
    switch (failure) {
        case MoshServerFailure::not_installed: return "not_installed";
        case MoshServerFailure::no_utf8: return "no_utf8";
        case MoshServerFailure::no_port: return "no_port";
        case MoshServerFailure::failed: return "failed";
    }
    return "failed";
}

std::string_view notice_of(MoshServerFailure failure) {
    switch (failure) {
        case MoshServerFailure::not_installed: return "mosh-server is not installed on the remote: using plain SSH";
        case MoshServerFailure::no_utf8: return "the remote has no UTF-8 locale for mosh-server: using plain SSH";
        case MoshServerFailure::no_port: return "the remote has no free UDP port for mosh-server: using plain SSH";
        case MoshServerFailure::failed: return "mosh-server could not be started on the remote: using plain SSH";
    }
    return {};
}

// ---- the answer

void MoshServerAnswer::feed(Octets octets) {
    for (const char c : as_text(octets)) {
        if (++octets_ > kMostOctets) {
            too_long_ = true;
            return;
        }
        if (c == '\n') {
            take_line(line_);
            wipe_line();
        } else if (line_.size() < kMostLine) {
            line_ += c;
        }
    }
}

void MoshServerAnswer::take_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    constexpr std::string_view kConnect = "MOSH CONNECT ";
    if (line.starts_with(kConnect) && !server_) {
        const std::string_view rest = line.substr(kConnect.size());
        const std::size_t space = rest.find(' ');
        if (space == rest.npos) return;
        unsigned port = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + space, port);
        const std::string_view key = rest.substr(space + 1);
        if (error != std::errc{} || end != rest.data() + space || port == 0 || port > 65'535 || !is_key(key)) return;
        server_ = MoshServer{static_cast<std::uint16_t>(port), Secret(std::string(key)), std::nullopt};
    } else if (const auto pid = number_after(line, "[mosh-server detached, pid = "); pid && server_) {
        server_->pid = pid;
    } else if (line.starts_with("SALLYPORT NO MOSH-SERVER") || line.ends_with("mosh-server: command not found") ||
               line.ends_with("mosh-server: not found")) {
        hint_ = MoshServerFailure::not_installed;
    } else if (line.starts_with("mosh-server needs a UTF-8 native locale")) {
        hint_ = MoshServerFailure::no_utf8;
    } else if (line.starts_with("Network exception") || line.contains("Failed binding to")) {
        hint_ = MoshServerFailure::no_port;
    }
}

void MoshServerAnswer::ended(std::optional<int> exit_status) {
    if (ended_) return;
    ended_ = true;
    exit_status_ = exit_status;
    if (!line_.empty()) take_line(line_);
    wipe_line();
}

void MoshServerAnswer::wipe_line() {
    ::explicit_bzero(line_.data(), line_.size());  // it may have held the key
    line_.clear();
}

std::optional<MoshServerFailure> MoshServerAnswer::failure() const {
    if (server_) return std::nullopt;
    if (!ended_ && !too_long_) return std::nullopt;
    if (hint_) return hint_;
    if (exit_status_ == 127) return MoshServerFailure::not_installed;
    return MoshServerFailure::failed;
}

}  // namespace sallyport::gateway
