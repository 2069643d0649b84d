#include "app/hash_password_command.h"

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>

#include "app/exit_code.h"
#include "base/password_hash.h"
#include "base/secret.h"

namespace sallyport::app {
namespace {

constexpr char kInterrupt = 3;  // Ctrl-C, as a character

// The terminal doesn't show what is typed while this lives.
class NoEcho {
public:
    NoEcho() {
        if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);  // a signal would leave the terminal silent
        silent.c_lflag |= ECHONL;
        changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    }
    ~NoEcho() {
        if (changed_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

private:
    termios before_{};
    bool changed_ = false;
};

// One line without its end, octet by octet: nothing is read that isn't ours, and no buffer of the C library keeps it.
Result<Secret> read_line() {
    std::string line;
    line.reserve(kLongestPassword + 2);  // never moved, so that no copy of it is left behind
    for (char c = 0;;) {
        const ssize_t got = ::read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(errno, "standard input");
        if (got == 0 || c == '\n') break;
        if (line.size() > kLongestPassword) return fail(Errc::too_large, "a password has at most 511 octets");
        if (c == kInterrupt) return fail(Errc::refused, "interrupted");
        line += c;
    }
    if (line.ends_with('\r')) line.pop_back();
    return Secret(std::move(line));
}

Result<Secret> read_password() {
    if (::isatty(STDIN_FILENO) == 0) return read_line();
    const NoEcho unseen;
    std::fputs("Password: ", stderr);
    auto first = read_line();
    if (!first) return first;
    std::fputs("Again: ", stderr);
    const auto again = read_line();
    if (!again) return again;
    if (!equal_in_constant_time(first->reveal(), again->reveal())) return fail(Errc::invalid_argument, "the two are not the same");
    return first;
}

struct Options {
    bool bcrypt = false;
    unsigned cost = 0;
    std::string user;
};

Result<std::string> run(const Options& options) {
    if (options.user.find(':') != std::string::npos) return fail(Errc::invalid_argument, "a user's name has no ':' in it");
    const auto password = read_password();
    if (!password) return std::unexpected(password.error());
    auto hash = make_password_hash(options.bcrypt ? PasswordScheme::bcrypt : PasswordScheme::yescrypt, *password, options.cost);
    if (hash && !options.user.empty()) return options.user + ":" + *hash;
    return hash;
}

}  // namespace

std::function<int()> add_hash_password_command(CLI::App& program) {
    CLI::App* command = program.add_subcommand("hash-password", "Make the hash of a password, for a route's --basic-auth");
    auto options = std::make_shared<Options>();
    command->add_option("--user", options->user, "print USER:HASH, a line for the file of --basic-auth")->type_name("USER");
    command->add_flag("--bcrypt", options->bcrypt, "bcrypt instead of yescrypt, for use in other programs too");
    command->add_option("--cost", options->cost, "how slow: yescrypt 1 to 8 (5), bcrypt 4 to 15 (12)")->type_name("N");
    return [options] {
        const auto line = run(*options);
        if (!line) {
            std::fprintf(stderr, "sallyport hash-password: %s\n", line.error().detail.c_str());
            return line.error().code == Errc::invalid_argument ? kWrongUsage : kFailed;
        }
        std::puts(line->c_str());
        return kDone;
    };
}

}  // namespace sallyport::app
