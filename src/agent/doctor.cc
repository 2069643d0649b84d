#include "agent/doctor.h"

#include <signal.h>
#include <stdlib.h>

#include <algorithm>

#include "agent/doctor_walk.h"
#include "wire/ip_network.h"

namespace sallyport {

DoctorWalk::DoctorWalk(const Result<AgentConfig>& config, std::string source, DoctorOptions options, Log& log)
    : config_(config), source_(std::move(source)), options_(std::move(options)), log_(log), line_(options_.called_off) {}

DoctorWalk::~DoctorWalk() {
    if (!temporary_) return;
    bool stopped = false;
    temporary_->stop(std::chrono::milliseconds(0), [&] { stopped = true; });
    const TimePoint end = Clock::now() + std::chrono::seconds(5);
    while (!stopped && Clock::now() < end) line_.loop().turn(std::chrono::milliseconds(20));
    temporary_.reset();
}

void DoctorWalk::step(const char* name, Verdict (DoctorWalk::*how)()) {
    DoctorStep done{.step = name};
    current_ = &done;
    const TimePoint began = Clock::now();
    if (blocked_ || line_.called_off()) {
        done.detail = "not tried";
    } else {
        Verdict verdict = (this->*how)();
        done.result = verdict.result;
        done.detail = std::move(verdict.detail);
        done.cure = std::move(verdict.cure);
        blocked_ = done.result == DoctorStep::Result::failed && verdict.blocks;
    }
    done.took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
    current_ = nullptr;
    if (options_.on_step) options_.on_step(done);
    report_.steps.push_back(std::move(done));
}

DoctorReport DoctorWalk::walk() {
    if (config_ && config_->ssh) {
        walk_ssh();
        return std::move(report_);
    }
    step("configuration", &DoctorWalk::configuration);
    step("dns", &DoctorWalk::relay_dns);
    step("tcp", &DoctorWalk::relay_tcp);
    step("tls", &DoctorWalk::relay_tls);
    step("credential", &DoctorWalk::credential);
    step("tunnel", &DoctorWalk::tunnel);
    step("relay_view", &DoctorWalk::relay_view);
    step("target_port", &DoctorWalk::target_port);
    step("target_scheme", &DoctorWalk::target_scheme);
    step("forwarded_for", &DoctorWalk::forwarded_for);
    step("public_dns", &DoctorWalk::public_dns);
    step("public_tls", &DoctorWalk::public_tls);
    step("public_way", &DoctorWalk::public_way);
    step("public_page", &DoctorWalk::public_page);
    step("websocket", &DoctorWalk::websocket);
    if (!options_.brief) {
        step("upload", &DoctorWalk::upload);
        step("download", &DoctorWalk::download);
    }
    step("events", &DoctorWalk::events);
    if (!options_.brief) step("external_url", &DoctorWalk::external_url);
    return std::move(report_);
}

DoctorReport run_agent_doctor(const Result<AgentConfig>& config, const std::string& source, DoctorOptions options, Log& log) {
    if (config && config->ssh) ssh::start_library();
    DoctorWalk walk(config, source, std::move(options), log);
    return walk.walk();
}

std::string addresses_text(const std::vector<SocketAddress>& addresses) {
    std::vector<std::string> seen;
    std::string text;
    for (const SocketAddress& address : addresses) {
        const std::string ip = address.ip();
        if (std::ranges::find(seen, ip) != seen.end()) continue;
        text += (text.empty() ? "" : ", ") + ip;
        seen.push_back(ip);
    }
    return text;
}

bool is_private(const SocketAddress& address) {
    static const std::vector<IpNetwork> kPrivate = [] {
        std::vector<IpNetwork> networks;
        for (const char* text : {"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "0.0.0.0/8",
                                 "::1/128", "fc00::/7", "fe80::/10"})
            networks.push_back(*IpNetwork::parse(text));
        return networks;
    }();
    const auto ip = parse_ip_address(address.ip());
    return ip && contains(kPrivate, *ip);
}

}  // namespace sallyport
