// remote_command.h: runs one command at the remote over a link that is ready, without a pty and with nothing on its standard input, and
// tells how it went. Bounded in octets and time. Destroying it cancels it. Lives on the link's loop.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/remote_link.h"

namespace sallyport::gateway {

class RemoteCommand final : ssh::Channel::Owner {
public:
    struct Outcome {
        std::string output;                    // standard output
        std::optional<ssh::ExitStatus> exit;   // unset: cut
    };
    using Done = std::move_only_function<void(Result<Outcome>)>;  // once; may destroy the command (Loop::dispose)
    using Taken = std::function<void(Octets)>;                    // both streams as they come; then Outcome::output is empty

    struct Request {
        std::string command;
        std::size_t most_octets = 256 * 1024;  // of output; more is Errc::too_large
        std::chrono::milliseconds timeout{20'000};
        bool agent = false;                    // the command's programs may ask the user's agent
        Taken taken{};
    };
    RemoteCommand(Loop& loop, RemoteLinkPtr link, Request request, Done done);

private:
    void on_channel_open() override;
    void on_channel_refused(const Error& error) override;
    void on_channel_octets(Octets octets) override;
    void on_channel_error_octets(Octets octets) override;
    void on_channel_eof() override {}
    void on_channel_closed(const Error& reason) override;
    ssh::Channel::Pulled on_channel_pull(MutableOctets) override { return {0, running_}; }  // EOF once it runs
    void on_channel_exit(const ssh::ExitStatus& status) override { outcome_.exit = status; }
    void finish(Result<Outcome> result);

    RemoteLinkPtr link_;
    Request request_;
    Done done_;
    Outcome outcome_;
    std::size_t octets_ = 0;
    bool running_ = false;
    ssh::ChannelPtr channel_;
    Timer deadline_;
    Timer start_failed_;
};

}  // namespace sallyport::gateway
