// doctor_walk.h: the doctor's walk itself: what each step does, and what it leaves for the next ones. See doctor.h; the steps
// stand in doctor_relay.cc, doctor_ssh.cc, doctor_home.cc, doctor_visitor.cc and doctor_echo.cc. One walk, then it is done with.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/doctor.h"
#include "agent/doctor_line.h"
#include "agent/doctor_ssh.h"
#include "agent/home_assistant_probe.h"
#include "agent/state_folder.h"
#include "config/ssh_config.h"
#include "ssh/key_file.h"
#include "wire/relay_view.h"

namespace sallyport {

class DoctorWalk {
public:
    DoctorWalk(const Result<AgentConfig>& config, std::string source, DoctorOptions options, Log& log);
    ~DoctorWalk();
    DoctorReport walk();

private:
    // What a step found. `blocks`: what follows would only fail for the same reason.
    struct Verdict {
        DoctorStep::Result result = DoctorStep::Result::ok;
        std::string detail{};
        std::string cure{};
        bool blocks = true;
    };
    static Verdict good(std::string detail) { return {DoctorStep::Result::ok, std::move(detail), {}, true}; }
    static Verdict bad(std::string detail, std::string cure) { return {DoctorStep::Result::failed, std::move(detail), std::move(cure), true}; }
    static Verdict bad_alone(std::string detail, std::string cure) { return {DoctorStep::Result::failed, std::move(detail), std::move(cure), false}; }
    static Verdict skip(std::string why, std::string cure = {}) { return {DoctorStep::Result::skipped, std::move(why), std::move(cure), true}; }

    void step(const char* name, Verdict (DoctorWalk::*how)());
    void hint(std::string text) { current_->hints.push_back(std::move(text)); }
    void fact(std::string name, DoctorStep::Fact value) { current_->facts.emplace_back(std::move(name), std::move(value)); }

    // doctor_relay.cc
    Verdict configuration();
    Verdict relay_dns();
    Verdict relay_tcp();
    Verdict relay_tls();
    Verdict credential();
    Verdict tunnel();
    Verdict relay_view();
    Result<TransportPtr> reach_relay();
    std::expected<RelayView, DialFailure> ask_view(TransportPtr connection);
    bool refresh_view();
    Verdict running_tunnel(bool here);
    Verdict temporary_tunnel();
    void compare_clocks(std::chrono::milliseconds took);

    // doctor_ssh.cc
    void walk_ssh();
    Verdict ssh_configuration();
    Verdict ssh_dns();
    Verdict ssh_tcp();
    Verdict ssh_handshake();
    Verdict ssh_credential();
    Verdict ssh_forwards();
    Verdict ssh_way();
    Verdict no_relay_view();
    Verdict by_program(const std::string& what) const;

    // doctor_home.cc
    Verdict target_port();
    Verdict target_scheme();
    Verdict forwarded_for();
    std::optional<Target> find_home_assistant();
    std::optional<Verdict> wrong_scheme();
    Verdict guess_scheme();
    std::expected<HttpGet::Answered, HttpGet::Failed> get_from_target(const Target& target, const std::string& path);
    Result<TransportPtr> reach_target();

    // doctor_visitor.cc
    Verdict public_dns();
    Verdict public_tls();
    Verdict public_way();
    Verdict public_page();
    Verdict websocket();

    // doctor_echo.cc
    Verdict upload();
    Verdict download();
    Verdict events();
    Verdict external_url();
    DoctorLine::Answer ask_core_config(bool& may_ask);

    // as a visitor
    Result<TransportPtr> reach_public();
    Result<TransportPtr> reach_public_at(const std::string& address);
    bool is_ours_at(const std::string& address);
    HttpCall::Request visitor_request(std::string method, std::string target) const;
    HttpCall::Request doctor_request(std::string method, std::string target);
    std::string doctor_prefix() const;
    Verdict explain(const DoctorLine::Answer& answer, const std::string& what);
    std::string why_no_websocket(Result<TransportPtr> connection, const std::string& authority, const std::string& target, int& status);

    bool is_home_assistant() const { return findings_.home_assistant; }

    const Result<AgentConfig>& config_;
    const std::string source_;
    const DoctorOptions options_;
    Log& log_;
    DoctorReport report_{.subject = "agent", .steps = {}};
    DoctorStep* current_ = nullptr;  // within step()
    bool blocked_ = false;

    DoctorLine line_;
    std::optional<StateFolder> folder_;
    AgentSetup setup_;
    std::vector<SocketAddress> relay_addresses_;
    Descriptor relay_socket_;
    SocketAddress relay_address_;
    TransportPtr relay_connection_;
    RelayView view_;
    TimePoint viewed_at_{};
    bool agent_runs_here_ = false;
    std::unique_ptr<Agent> temporary_;

    // of transport ssh
    const SshServerConfig* ssh_server_ = nullptr;
    std::optional<ssh::PrivateKey> ssh_key_;
    std::string ssh_line_;  // for authorized_keys
    std::unique_ptr<DoctorSsh> ssh_;
    bool guess_scheme_ = false;  // the forward leads to a place, not to a URL

    std::unique_ptr<OriginTrust> trust_;
    Target target_;
    std::string url_text_;  // the route's public URL
    HomeAssistantFindings findings_;

    Url public_url_;
    std::string public_address_;  // where visits go
    std::shared_ptr<const ClientTls> public_tls_;
    bool page_seen_ = false;  // the service's own page came through
};

// " (Server: nginx)", or "": who it was that answered.
std::string server_of(const ResponseHead& head);
// "203.0.113.7, 2001:db8::1", each once.
std::string addresses_text(const std::vector<SocketAddress>& addresses);
// Loopback, private, link-local, unique local, carrier-grade NAT: not reached from the Internet.
bool is_private(const SocketAddress& address);

}  // namespace sallyport
