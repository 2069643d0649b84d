#include "gateway/remote_command.h"

namespace sallyport::gateway {

RemoteCommand::RemoteCommand(Loop& loop, RemoteLinkPtr link, Request request, Done done)
    : link_(std::move(link)),
      request_(std::move(request)),
      done_(std::move(done)),
      deadline_(loop, [this] { finish(fail(Errc::timeout, "no end within the time for it")); }),
      start_failed_(loop, [this] { finish(fail(Errc::unreachable, "no channel")); }) {
    deadline_.start(request_.timeout);
    auto channel = link_->ready() ? link_->connection().open_session(*this) : Result<ssh::ChannelPtr>(fail(Errc::unreachable));
    if (channel) channel_ = std::move(*channel);
    else start_failed_.start(Duration::zero());
}

void RemoteCommand::on_channel_open() {
    if (request_.agent) channel_->request_agent();
    channel_->request_exec(request_.command, [this](bool accepted) {
        if (!accepted) return finish(fail(Errc::refused, "the remote runs no command"));
        running_ = true;
        if (channel_) channel_->wake();
    });
}

void RemoteCommand::on_channel_refused(const Error& error) { finish(std::unexpected(error)); }

void RemoteCommand::on_channel_octets(Octets octets) {
    octets_ += octets.size();
    channel_->consumed(octets.size());
    if (octets_ > request_.most_octets) return finish(fail(Errc::too_large, "it says more than " + std::to_string(request_.most_octets) + " octets"));
    if (request_.taken) request_.taken(octets);
    else outcome_.output.append(as_text(octets));
}

void RemoteCommand::on_channel_error_octets(Octets octets) {
    if (request_.taken) return on_channel_octets(octets);
    channel_->consumed(octets.size());
}

void RemoteCommand::on_channel_closed(const Error&) { finish(std::move(outcome_)); }

void RemoteCommand::finish(Result<Outcome> result) {
    if (!done_) return;
    deadline_.cancel();
    start_failed_.cancel();
    channel_.reset();
    auto done = std::move(done_);
    done_ = nullptr;
    done(std::move(result));
}

}  // namespace sallyport::gateway
