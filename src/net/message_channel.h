// message_channel.h: one end of a pair of sockets between a process and one that it starts: messages that keep their borders,
// each with at most one descriptor beside it (unix(7), SOCK_SEQPACKET and SCM_RIGHTS). Blocking, so not for loops: used by one
// thread at a time. The other end is our own program, maybe of another release.
#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "net/descriptor.h"

namespace sallyport {

class MessageChannel {
public:
    static constexpr std::size_t kMaxMessage = 16 * 1024;

    struct Message {
        std::string text;
        Descriptor descriptor;  // CLOEXEC; empty if none came along
    };

    explicit MessageChannel(Descriptor end) : end_(std::move(end)) {}
    static Result<std::pair<MessageChannel, MessageChannel>> make();  // both CLOEXEC

    // reset: the other side is gone; timeout: it took nothing, or said nothing, before `deadline`.
    Result<> send(std::string_view text, TimePoint deadline, int descriptor = -1);
    Result<Message> receive(TimePoint deadline);

    int get() const { return end_.get(); }
    void close() { end_.reset(); }
    explicit operator bool() const { return static_cast<bool>(end_); }

private:
    Result<> wait(short events, TimePoint deadline) const;
    Descriptor end_;
};

}  // namespace sallyport
