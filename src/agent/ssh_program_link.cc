#include "agent/ssh_program_link.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "net/tcp_transport.h"

extern char** environ;

namespace sallyport {
namespace {

std::string seconds_of(std::chrono::milliseconds time) {
    return std::to_string(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(time).count()));
}

// Ours without what holds our secrets, and in English.
std::vector<std::string> environment_for_ssh() {
    std::vector<std::string> all;
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string_view line = *each;
        if (line.starts_with("SALLYPORT_") || line.starts_with("LC_") || line.starts_with("LANG") || line.starts_with("SSH_ASKPASS") || line.starts_with("NOTIFY_SOCKET")) continue;
        all.emplace_back(line);
    }
    all.emplace_back("LC_ALL=C");
    return all;
}

}  // namespace

std::vector<std::string> ssh_arguments(const SshServer& server, const std::filesystem::path& known_hosts, const std::vector<std::string>& sockets) {
    const SshServerConfig& config = server.config;
    std::vector<std::string> words = {"-F", "none", "-N", "-T", "-v"};
    const auto set = [&words](const std::string& key, const std::string& value) {
        words.push_back("-o");
        words.push_back(key + "=" + value);
    };
    // As in ssh_config(5), the first value of an option counts: nobody overrides these.
    set("BatchMode", "yes");
    set("ExitOnForwardFailure", "yes");
    set("StrictHostKeyChecking", server.host_keys.only_given() ? "yes" : "accept-new");
    set("UserKnownHostsFile", known_hosts.string());
    set("GlobalKnownHostsFile", "/dev/null");
    set("UpdateHostKeys", "no");
    set("HashKnownHosts", "no");
    set("IdentitiesOnly", "yes");
    set("IdentityFile", server.key_file.string());
    set("PreferredAuthentications", "publickey");
    set("ServerAliveInterval", config.options.alive_interval == std::chrono::milliseconds(0) ? "0" : seconds_of(server.alive_interval));
    set("ServerAliveCountMax", std::to_string(server.alive_count));
    set("ConnectTimeout", seconds_of(server.connect_timeout));
    words.insert(words.end(), config.options.words.begin(), config.options.words.end());
    words.insert(words.end(), {"-p", std::to_string(config.port), "-l", config.username});
    for (std::size_t at = 0; at < config.forwards.size(); ++at) {
        words.push_back("-R");
        words.push_back(config.forwards[at].line.listen_text() + ":" + sockets[at]);
    }
    words.push_back(config.hostname);
    return words;
}

SshProgramLink::SshProgramLink(Loop& loop, Log& log, TransportStreams& streams, const SshServer& server, bool worked, SshLink::Owner& owner)
    : loop_(loop),
      log_(log),
      server_(server),
      owner_(owner),
      output_(server.config, server.authorized_line, server.host_keys.fingerprints(), worked),
      streams_(streams),
      deadline_(loop, [this] {
          if (!child_) return end(cannot_start_);
          end({SshFailure::Kind::network, "ssh had not logged in, with all forwards, within 90 s" + (output_.last_line().empty() ? "" : ": " + output_.last_line()), {}});
      }),
      gone_(loop, [this] { owner_.on_link_gone(*this); }) {
    if (const auto started = start(); started) {
        deadline_.start(kSetUp);
    } else {
        cannot_start_ = {SshFailure::Kind::setup, started.error().detail, {}};
        deadline_.start(Duration::zero());
    }
}

SshProgramLink::~SshProgramLink() {
    child_.reset();
    acceptors_.clear();
    if (folder_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

Result<> SshProgramLink::start() {
    const auto known_hosts = server_.host_keys.file_for_ssh();
    if (!known_hosts) return std::unexpected(known_hosts.error());
    // Not in the state folder: a Unix socket's name has 107 octets at most.
    std::error_code error;
    const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
    std::string folder = ((error ? std::filesystem::path("/tmp") : temporary) / "sallyport-ssh-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) return fail_errno(errno, "make " + folder);
    folder_ = folder;
    std::vector<std::string> sockets;
    for (std::size_t at = 0; at < server_.config.forwards.size(); ++at) {
        sockets.push_back((folder_ / std::to_string(at)).string());
        auto listener = listen_unix(sockets.back());
        if (!listener) return std::unexpected(listener.error());
        acceptors_.push_back(std::make_unique<Acceptor>(
            loop_, std::move(*listener),
            [this, at](Descriptor connected, const SocketAddress&) {
                if (over_ || !output_.up()) return;
                owner_.on_link_stream(at, streams_.make(make_plain_transport(loop_, std::move(connected))));
            },
            [this](const Error& why) { log_.warn("agent.ssh_socket_trouble", {{"server", server_.config.name}, {"reason", why.detail}}); }));
    }
    auto child = ChildProcess::start(loop_, *server_.program, ssh_arguments(server_, *known_hosts, sockets), environment_for_ssh(), *this);
    if (!child) return std::unexpected(child.error());
    child_ = std::move(*child);
    return {};
}

void SshProgramLink::close() {
    if (std::exchange(over_, true)) return;
    deadline_.cancel();
    loop_.dispose(std::move(child_));
    gone_.start(Duration::zero());
}

void SshProgramLink::end(const SshFailure& why) {
    if (over_) return;
    close();
    owner_.on_link_closed(why);
}

void SshProgramLink::on_child_line(std::string_view line) {
    if (over_) return;
    while (line.ends_with('\r')) line.remove_suffix(1);
    log_.debug("agent.ssh_says", {{"server", server_.config.name}, {"text", line}});
    switch (output_.take(line)) {
        case SshProgramOutput::News::nothing: return;
        case SshProgramOutput::News::key_noted: return owner_.on_link_key_noted(output_.host_key());
        case SshProgramOutput::News::bind_overridden: return owner_.on_link_notice("agent.ssh_bind_overridden", output_.last_line());
        case SshProgramOutput::News::up:
            deadline_.cancel();
            owner_.on_link_up({output_.address(), output_.version(), output_.ports()});
    }
}

void SshProgramLink::on_child_end(int status) { end(output_.failure(status)); }

}  // namespace sallyport
