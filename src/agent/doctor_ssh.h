// doctor_ssh.h: a doctor's own connection to an SSH server, one thing after another, each waited for. It takes no port from a
// running agent: that one's forward is looked at through a channel from the server's side. One thread; see doctor_line.h.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/doctor_line.h"
#include "ssh/client_connection.h"

namespace sallyport {

class DoctorSsh final : private ssh::ClientConnection::Owner, private ssh::Channel::Owner {
public:
    explicit DoctorSsh(DoctorLine& line) : line_(line) {}
    ~DoctorSsh();
    DoctorSsh(const DoctorSsh&) = delete;
    DoctorSsh& operator=(const DoctorSsh&) = delete;

    static constexpr std::chrono::seconds kStep{20};

    // Key exchange: gives the server's key.
    Result<SshPublicKey> shake_hands(Descriptor connected, const ssh::ClientSettings& settings);
    std::string version() const;  // printable, without "SSH-2.0-"
    // True: logged in; false: refused, see refusal().
    Result<bool> log_in(const ssh::PrivateKey& key);
    const ssh::LoginRefusal& refusal() const { return *refused_; }
    // Asks the server to listen, and gives that up again with the connection.
    Result<std::uint16_t> ask_to_listen(const std::string& address, std::uint16_t port);
    // What somebody on the server sees who connects there: refused (the server lets nobody look), unreachable (nobody listens), or
    // the first octets that come back once `request` was sent (empty: none in time).
    Result<std::string> look(const std::string& host, std::uint16_t port, std::string_view request);

private:
    void on_host_key(const SshPublicKey& key) override { host_key_ = key; }
    void on_login_refused(const ssh::LoginRefusal& refusal) override { refused_ = refusal; }
    void on_authenticated() override { authenticated_ = true; }
    void on_connection_closed(const Error& reason) override { closed_ = reason; }

    void on_channel_open() override;
    void on_channel_refused(const Error& why) override { look_refused_ = why; }
    void on_channel_octets(Octets octets) override;
    void on_channel_eof() override { look_ended_ = true; }
    void on_channel_closed(const Error&) override { look_ended_ = true; }
    ssh::Channel::Pulled on_channel_pull(MutableOctets room) override;

    Error why_closed() const { return closed_ ? *closed_ : Error{Errc::timeout, "no answer in time"}; }

    DoctorLine& line_;
    std::optional<SshPublicKey> host_key_;
    std::optional<ssh::LoginRefusal> refused_;
    bool authenticated_ = false;
    std::optional<Error> closed_;
    std::optional<Error> look_refused_;
    bool look_open_ = false;
    bool look_ended_ = false;
    std::string to_send_;
    std::string received_;
    std::unique_ptr<ssh::ClientConnection> connection_;
    ssh::ChannelPtr channel_;
};

}  // namespace sallyport
