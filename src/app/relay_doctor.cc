#include "app/relay_doctor.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "agent/doctor_line.h"
#include "app/admin_client.h"
#include "app/admin_context.h"
#include "base/version.h"
#include "net/certificate.h"
#include "relay/state_dir.h"
#include "store/check.h"
#include "store/store.h"

namespace sallyport::app {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kRenewDays = 14;   // whoever renews by itself does so at 30 or earlier
constexpr ByteCount kDiskNeeded = 64_MiB;  // the database, its WAL and a backup of it
constexpr ByteCount kDiskWanted = 1_GiB;
constexpr auto kLeftOver = std::chrono::minutes(10);  // a temporary file that is older belongs to nobody any more

struct Verdict {
    DoctorStep::Result result = DoctorStep::Result::ok;
    std::string detail{};
    std::string cure{};
};
Verdict good(std::string detail) { return {DoctorStep::Result::ok, std::move(detail)}; }
Verdict bad(std::string detail, std::string cure) { return {DoctorStep::Result::failed, std::move(detail), std::move(cure)}; }
Verdict skip(std::string why, std::string cure = {}) { return {DoctorStep::Result::skipped, std::move(why), std::move(cure)}; }

std::string megabytes(ByteCount octets) { return std::to_string(octets / 1_MiB) + " MiB"; }

std::string joined(const std::vector<std::string>& words, std::size_t most = 10) {
    std::string text;
    for (std::size_t i = 0; i < std::min(words.size(), most); ++i) text += (i > 0 ? ", " : "") + words[i];
    if (words.size() > most) text += " and " + std::to_string(words.size() - most) + " more";
    return text;
}

class RelayWalk {
public:
    RelayWalk(const Result<RelayConfig>& config, std::string source, std::function<void(const DoctorStep&)> on_step)
        : config_(config), source_(std::move(source)), on_step_(std::move(on_step)) {}

    DoctorReport walk() {
        step("configuration", &RelayWalk::configuration);
        step("state", &RelayWalk::state);
        step("running", &RelayWalk::running);
        step("listeners", &RelayWalk::listeners);
        step("public_url", &RelayWalk::public_url);
        step("certificates", &RelayWalk::certificates);
        step("clock", &RelayWalk::clock);
        step("limits", &RelayWalk::limits);
        step("disk", &RelayWalk::disk);
        step("database", &RelayWalk::database);
        step("upgrade", &RelayWalk::upgrade);
        step("service", &RelayWalk::service);
        step("homes", &RelayWalk::homes);
        return std::move(report_);
    }

private:
    void step(const char* name, Verdict (RelayWalk::*how)()) {
        DoctorStep done{.step = name};
        current_ = &done;
        const TimePoint began = Clock::now();
        if (blocked_) {
            done.detail = "not tried";
        } else {
            Verdict verdict = (this->*how)();
            done.result = verdict.result;
            done.detail = std::move(verdict.detail);
            done.cure = std::move(verdict.cure);
        }
        done.took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
        if (on_step_) on_step_(done);
        report_.steps.push_back(std::move(done));
    }
    void hint(std::string text) { current_->hints.push_back(std::move(text)); }
    void fact(std::string name, DoctorStep::Fact value) { current_->facts.emplace_back(std::move(name), std::move(value)); }
    static Verdict not_running() { return skip("the relay isn't running"); }

    Verdict configuration() {
        if (config_) {
            for (const std::string& warning : config_->warnings) hint(warning);
            fact("state_dir", config_->state_dir.string());
            return good(source_ + "; state in " + config_->state_dir.string());
        }
        blocked_ = true;
        std::string why = config_.error().detail;
        std::ranges::replace(why, '\n', ' ');
        return bad(why, "correct it; docs/relay.md lists the keys. Name the file that the relay uses with --config");
    }

    Verdict state() {
        const fs::path& folder = config_->state_dir;
        struct stat found{};
        if (::stat(folder.c_str(), &found) != 0)
            return bad(system_error(errno, folder.string()).detail, "is this the state folder that the relay uses? Name its configuration with --config, or the folder with --state-dir");
        if (::access(folder.c_str(), R_OK | X_OK) != 0)
            return bad(system_error(errno, "read " + folder.string()).detail, "run this as the relay's own user or as root: sudo sallyport doctor --relay");
        if ((found.st_mode & 077) != 0) return bad(folder.string() + " may be looked into by others: it holds keys", "chmod 700 " + folder.string());
        std::vector<std::string> open;
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(folder, ignored)) {
            struct stat file{};
            if (::lstat(entry.path().c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
            if ((file.st_mode & 077) != 0) open.push_back(entry.path().string());
            if (file.st_uid != found.st_uid) hint(entry.path().string() + " belongs to another user than the folder: the relay may not be able to use it; chown it");
        }
        if (!open.empty()) return bad("others may read " + joined(open), "chmod 600 " + joined(open));
        return good(folder.string() + ", for the relay's user alone");
    }

    Verdict running() {
        const AdminClient client(config_->state_dir);
        auto status = client.ask_json("GET", "status");
        fact("running", status.has_value());
        if (!status) {
            if (status.error().code == Errc::permission_denied) return bad(status.error().detail, "run this as the relay's own user or as root: sudo sallyport doctor --relay");
            return bad(status.error().detail, "start it: systemctl start sallyport-relay (its log: journalctl -u sallyport-relay); if it runs, it uses another state folder: --config, --state-dir");
        }
        status_ = std::move(*status);
        const std::string version = text_of(*status_, "version");
        const auto uptime = static_cast<std::int64_t>(number_of(*status_, "uptime_s"));
        fact("version", version);
        fact("pid", static_cast<std::int64_t>(number_of(object_of(*status_, "process"), "pid")));
        fact("uptime_s", uptime);
        return good("version " + version + ", up for " + std::to_string(uptime / 3600) + " h " + std::to_string(uptime / 60 % 60) + " min, " +
                    std::to_string(static_cast<std::int64_t>(number_of(*status_, "open_connections"))) + " connections");
    }

    // "0.0.0.0:443" is reached at 127.0.0.1 from here.
    static std::optional<std::pair<std::string, std::uint16_t>> place_of(const std::string& address) {
        const std::size_t colon = address.rfind(':');
        if (colon == std::string::npos) return std::nullopt;
        const auto port = parse_port(address.substr(colon + 1));
        std::string host = address.substr(0, colon);
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        if (host.empty() || host == "0.0.0.0") host = "127.0.0.1";
        if (host == "::") host = "::1";
        if (!port || !SocketAddress::parse(host, *port)) return std::nullopt;
        return std::pair{host, *port};
    }

    Result<> is_this_relay(const std::string& host, std::uint16_t port, const std::string& server_name) {
        auto connected = line_.connect(host, port);
        if (!connected) return std::unexpected(connected.error());
        TrustPolicy policy;
        policy.tls13_only = true;
        policy.server_name = server_name;
        policy.pin = text_of(*status_, "pin");
        policy.alpn = {"sallyport/1", "http/1.1"};
        const auto tls = ClientTls::make(std::move(policy));
        if (!tls) return std::unexpected(tls.error());
        auto shaken = line_.shake_hands(std::move(*connected), **tls);
        if (!shaken) return std::unexpected(shaken.error());
        return {};
    }

    Verdict listeners() {
        if (!status_) return not_running();
        std::vector<std::string> fine;
        for (const json::value& value : array_of(*status_, "listeners")) {
            if (!value.is_object()) continue;
            const std::string name = text_of(value.get_object(), "name");
            const std::string address = text_of(value.get_object(), "address");
            const auto place = place_of(address);
            if (!place) continue;  // the admin socket, by which the status came
            const Result<> reached = name == "https" && !config_->proxy_header_on_https ? is_this_relay(place->first, place->second, "127.0.0.1") : connects(*place);
            std::string shown = name;
            shown.append(" ").append(address);
            if (!reached) return bad(shown.append(": ").append(reached.error().detail), "another process, or a firewall on this machine, is in the way: ss -ltnp, nft list ruleset");
            fine.push_back(std::move(shown));
        }
        fact("listeners", joined(fine));
        return good(joined(fine) + ": reached from this machine");
    }
    Result<> connects(const std::pair<std::string, std::uint16_t>& place) {
        auto connected = line_.connect(place.first, place.second);
        if (!connected) return std::unexpected(connected.error());
        return {};
    }

    Verdict public_url() {
        if (!config_->public_url) return skip("public_url isn't set", "set it to where agents reach this relay: enrolment codes carry it");
        if (!status_) return not_running();
        const Url& url = *config_->public_url;
        fact("url", url.text());
        const auto addresses = line_.resolve(url.host, url.port);
        if (!addresses) return bad(url.host + " is not found (" + addresses.error().detail + ")", "make an A or AAAA record for " + url.host + " with this machine's public address");
        const std::string ip = addresses->front().ip();
        fact("address", ip);
        if (url.scheme != "https") return good(url.host + " is " + ip);
        const Result<> reached = is_this_relay(url.host, url.port, url.host);
        if (reached) return good(url.text() + " (" + ip + ") leads to this relay");
        if (reached.error().code == Errc::tls && !config_->trusted_proxies.empty())
            return skip("at " + ip + " something else ends TLS, as a proxy in front does: look from outside, with `sallyport doctor` at an agent");
        if (reached.error().code == Errc::tls)
            return bad(url.text() + " (" + ip + ") leads to another server, or to another relay: " + reached.error().detail, "let " + url.host + " lead to this machine, and its port " + std::to_string(url.port) + " to this relay");
        hint("from inside, the way to one's own public address may be missing (NAT without hairpin): then look from outside, with `sallyport doctor` at an agent");
        return bad(url.text() + " (" + ip + "): " + reached.error().detail, "let TCP port " + std::to_string(url.port) + " in: this machine's firewall and its provider's");
    }

    Verdict certificates() {
        std::vector<std::vector<std::string>> names;
        std::int64_t fewest_days = 100'000;
        for (const CertificateFiles& files : config_->certificates) {
            const std::string file = files.certificate.string();
            const auto loaded = load_certificate(files.certificate, files.key);
            if (!loaded) return bad(loaded.error().detail, "name the PEM files of the chain and its key under `certificates`, readable by the relay's user");
            const auto times = times_of_certificate(loaded->chain_pem);
            if (!times) return bad(file + ": " + times.error().detail, "take another certificate");
            const auto left = times->until - wall_now();
            const std::int64_t days = std::chrono::duration_cast<std::chrono::hours>(left).count() / 24;
            fewest_days = std::min(fewest_days, days);
            fact("days_left", fewest_days);
            if (times->from > wall_now()) return bad(file + " is not valid yet", "is this machine's clock right?");
            if (left <= 0s) return bad(file + " has expired", "renew it, then systemctl reload sallyport-relay");
            if (days < kRenewDays) return bad(file + " expires in " + std::to_string(days) + " days", "what renews it doesn't: look into its log (certbot: systemctl status certbot.timer), then systemctl reload sallyport-relay");
            if (auto stale = is_stale(*loaded)) return *stale;
            names.push_back(loaded->names);
        }
        const auto hosts = hostnames();
        std::vector<std::string> uncovered;
        for (const std::string& host : hosts)
            if (std::ranges::none_of(names, [&](const auto& of) { return names_cover(of, host); })) uncovered.push_back(host);
        if (config_->certificates.empty()) {
            if (!config_->plain_listen.empty()) return skip("none here: the proxy in front shows its own");
            if (hosts.empty()) return skip("none configured: visitors would see a self-signed one");
            return bad("none configured: visitors of " + joined(hosts) + " see a self-signed one, which browsers warn of and apps refuse", "set `certificates` (docs/relay.md), then systemctl reload sallyport-relay");
        }
        if (!uncovered.empty() && config_->plain_listen.empty())
            return bad("no certificate covers " + joined(uncovered), "get one that holds these names, or a wildcard (*." + (config_->base_domain.empty() ? "example.org" : config_->base_domain) + "), and add it under `certificates`");
        return good(std::to_string(config_->certificates.size()) + " for " + std::to_string(hosts.size()) + " hostnames of routes, valid for " + std::to_string(fewest_days) + " days at least");
    }
    // The file is newer than what the relay shows.
    std::optional<Verdict> is_stale(const Certificate& certificate) {
        const auto pin = pin_of_certificate(certificate.chain_pem);
        if (!status_ || certificate.names.empty() || !pin || config_->proxy_header_on_https) return std::nullopt;
        for (const json::value& value : array_of(*status_, "listeners")) {
            if (!value.is_object() || text_of(value.get_object(), "name") != "https") continue;
            const auto place = place_of(text_of(value.get_object(), "address"));
            if (!place) continue;
            std::string host = certificate.names.front();
            if (host.starts_with("*.")) host.replace(0, 1, "sallyport-doctor");
            TrustPolicy policy;
            policy.server_name = host;
            policy.accept_new_pin = true;
            policy.alpn = {"http/1.1"};
            const auto tls = ClientTls::make(std::move(policy));
            auto connected = line_.connect(place->first, place->second);
            if (!tls || !connected) continue;
            const auto shaken = line_.shake_hands(std::move(*connected), **tls);
            if (shaken && (*shaken)->peer_pin() != *pin)
                return bad("for " + host + " the relay shows another certificate than the one in its file", "systemctl reload sallyport-relay (or kill -HUP); its log says if it can't");
        }
        return std::nullopt;
    }
    std::vector<std::string> hostnames() {
        std::vector<std::string> hosts;
        if (!status_) return hosts;
        const auto routes = AdminClient(config_->state_dir).ask_json("GET", "routes");
        if (!routes) return hosts;
        for (const json::value& value : array_of(*routes, "routes"))
            if (value.is_object() && flag_of_member(value.get_object(), "enabled")) hosts.push_back(text_of(value.get_object(), "hostname"));
        std::ranges::sort(hosts);
        hosts.erase(std::ranges::unique(hosts).begin(), hosts.end());
        return hosts;
    }

    Verdict clock() {
        timex state{};
        const int answer = ::adjtimex(&state);
        const bool synchronised = answer >= 0 && answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
        fact("synchronised", synchronised);
        // Written by a clock that was right then.
        struct stat found{};
        const fs::path newest = config_->state_dir / store::kDatabaseName;
        if (::stat(newest.c_str(), &found) == 0 && WallTime(std::chrono::seconds(found.st_mtime)) > wall_now() + 60s)
            return bad("this machine's clock stands before the database's last change", "set it: timedatectl set-ntp true");
        if (!synchronised) {
            hint("the kernel doesn't know of any time server that keeps this clock right: timedatectl set-ntp true (a virtual machine may get its time from the host)");
            return good("plausible, but not known to be kept right");
        }
        return good("kept right by a time server");
    }

    Verdict limits() {
        if (!status_) return not_running();
        const json::object& process = object_of(*status_, "process");
        const auto limit = static_cast<std::int64_t>(number_of(process, "descriptors_limit"));
        const auto open = static_cast<std::int64_t>(number_of(process, "descriptors_open"));
        fact("descriptors_limit", limit);
        fact("descriptors_open", open);
        const std::string raise = "LimitNOFILE=1048576 in its systemd unit (deploy/sallyport-relay.service has it), or ulimit -n; then restart it";
        const std::int64_t wanted = config_->max_connections;
        if (limit > 0 && wanted > 0 && wanted + 256 > limit)
            return bad("max_connections is " + std::to_string(wanted) + ", but the process may open " + std::to_string(limit) + " descriptors only", raise);
        if (limit > 0 && open * 10 > limit * 8) return bad(std::to_string(open) + " of " + std::to_string(limit) + " descriptors are in use", raise);
        if (limit < 4096) hint("few descriptors (" + std::to_string(limit) + "): " + raise);
        return good(std::to_string(open) + " of " + std::to_string(limit) + " descriptors in use");
    }

    Verdict disk() {
        struct statvfs found{};
        if (::statvfs(config_->state_dir.c_str(), &found) != 0) return bad(system_error(errno, config_->state_dir.string()).detail, "look at the disk");
        const ByteCount free = static_cast<ByteCount>(found.f_bavail) * found.f_frsize;
        fact("free_octets", static_cast<std::int64_t>(free));
        if ((found.f_flag & ST_RDONLY) != 0) return bad(config_->state_dir.string() + " is mounted read-only", "the kernel does so after disk errors: dmesg; mount it anew for writing");
        if (free < kDiskNeeded) return bad(megabytes(free) + " are free: the relay can soon write nothing", "free some room: journalctl --vacuum-size=200M, old backups, /var/log");
        if (found.f_files > 0 && found.f_favail < 100) return bad("no more files can be made (inodes)", "find out who makes so many small files: df -i");
        if (free < kDiskWanted) hint("less than 1 GiB is free");
        return good(megabytes(free) + " free");
    }

    Verdict database() {
        const fs::path file = config_->state_dir / store::kDatabaseName;
        const auto checked = store::check_database(file, status_ ? store::InUse::yes : store::InUse::no);
        if (!checked && checked.error().code == Errc::not_found) return bad(checked.error().detail, "the relay makes it at its first start: is this its state folder?");
        if (!checked && checked.error().code == Errc::permission_denied) return bad(checked.error().detail, "run this as the relay's own user or as root");
        if (!checked) return bad(checked.error().detail, "stop the relay, keep a copy of the folder, and restore a backup: sallyport admin restore (docs/relay.md)");
        fact("octets", static_cast<std::int64_t>(checked->octets));
        if (::access(file.c_str(), W_OK) != 0) return bad(system_error(errno, "write " + file.string()).detail, "chown it to the relay's user");
        return good("whole, " + std::to_string(checked->octets / 1024) + " KiB, writable");
    }

    Verdict upgrade() {
        std::vector<std::string> left;
        std::error_code ignored;
        const auto now = fs::file_time_type::clock::now();
        for (const auto& entry : fs::directory_iterator(config_->state_dir, ignored)) {
            const std::string name = entry.path().filename().string();
            const bool temporary = name.ends_with(".tmp") || name.contains(".partial-") || name.starts_with(".backup-");
            if (temporary && now - entry.last_write_time(ignored) > kLeftOver) left.push_back(entry.path().string());
        }
        if (!left.empty()) hint("left by a write that was broken off; may be deleted: " + joined(left));
        fact("left_over", static_cast<std::int64_t>(left.size()));
        if (!status_) return not_running();
        const std::string version = text_of(*status_, "version");
        if (version != kVersion)
            return bad("the relay that runs is version " + version + ", the program installed is " + std::string(kVersion), "sallyport admin upgrade replaces it without losing a request");
        const auto pid = static_cast<std::int64_t>(number_of(object_of(*status_, "process"), "pid"));
        char target[4096];
        const ssize_t size = ::readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), target, sizeof target);
        if (size > 0 && std::string_view(target, static_cast<std::size_t>(size)).ends_with(" (deleted)"))
            return bad("the program was replaced on disk since the relay was started", "sallyport admin upgrade replaces it without losing a request");
        return good("the relay that runs is the one installed");
    }

    Verdict service() {
        if (!status_) return not_running();
        if (::access("/run/systemd/system", F_OK) != 0) return skip("no systemd on this machine");
        const auto pid = static_cast<std::int64_t>(number_of(object_of(*status_, "process"), "pid"));
        std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
        std::string unit;
        for (std::string line; std::getline(file, line);) {
            const std::string last = line.substr(line.find_last_of('/') + 1);
            if (last.ends_with(".service")) unit = last;
        }
        fact("unit", unit);
        if (unit.empty() || unit.starts_with("user@")) return skip("the relay isn't run by systemd", "deploy/sallyport-relay.service is a unit for it: it starts with the machine, and again when it fails");
        bool enabled = false;
        std::error_code ignored;
        for (const auto& folder : fs::directory_iterator("/etc/systemd/system", ignored))
            enabled |= folder.path().extension() == ".wants" && fs::exists(fs::symlink_status(folder.path() / unit, ignored));
        if (!enabled) return bad(unit + " doesn't start with the machine", "systemctl enable " + unit);
        return good(unit + ", starts with the machine");
    }

    Verdict homes() {
        if (!status_) return not_running();
        const json::object& agents = object_of(*status_, "agents");
        const auto total = static_cast<std::int64_t>(number_of(agents, "total"));
        const auto online = static_cast<std::int64_t>(number_of(agents, "online"));
        fact("agents", total);
        fact("online", online);
        for (const json::value& warning : array_of(*status_, "warnings"))
            if (warning.is_string()) hint(std::string(warning.get_string()));
        if (total == 0) return good("no agent yet: sallyport admin agent add NAME");
        return good(std::to_string(online) + " of " + std::to_string(total) + " agents are connected; " + std::to_string(static_cast<std::int64_t>(number_of(*status_, "routes"))) + " routes");
    }

    const Result<RelayConfig>& config_;
    const std::string source_;
    const std::function<void(const DoctorStep&)> on_step_;
    DoctorReport report_{.subject = "relay", .steps = {}};
    DoctorStep* current_ = nullptr;
    bool blocked_ = false;
    std::optional<json::object> status_;
    DoctorLine line_{nullptr};
};

}  // namespace

DoctorReport run_relay_doctor(const Result<RelayConfig>& config, const std::string& source, std::function<void(const DoctorStep&)> on_step) {
    RelayWalk walk(config, source, std::move(on_step));
    return walk.walk();
}

}  // namespace sallyport::app
