// ssh_link.h: one connection to an SSH server, from the first attempt to its end, by whatever does the work: libssh in this
// process, or the system's ssh. It logs in, asks for every forward, and then hands over what arrives on them. Lives on one
// loop. Its end is told in two steps: that it is of no use any more (on_link_closed, unless it was close()d), and that nothing of
// it is left (on_link_gone): dispose of it then (Loop::dispose).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ssh_failure.h"
#include "tunnel/tunnel.h"

namespace sallyport {

class SshLink {
public:
    struct Up {
        std::string address{};              // "192.0.2.7:22"
        std::string version{};              // "OpenSSH_9.2p1 Debian-2"; from the server, printable
        std::vector<std::uint16_t> ports{}; // of the forwards, in their order
    };
    class Owner {
    public:
        // Logged in, and every forward stands. Once.
        virtual void on_link_up(const Up& up) = 0;
        // Somebody connected to forward number `forward`. Set an owner before returning.
        virtual void on_link_stream(std::size_t forward, std::unique_ptr<IncomingStream> stream) = 0;
        // A key that was never seen was noted.
        virtual void on_link_key_noted(std::string_view fingerprint) = 0;
        // The server has said something that people should know.
        virtual void on_link_notice(std::string_view event, std::string_view text) = 0;
        virtual void on_link_closed(const SshFailure& why) = 0;  // only on_link_gone follows
        virtual void on_link_gone(SshLink& link) = 0;            // the last call; never inside close()

    protected:
        ~Owner() = default;
    };

    virtual ~SshLink() = default;
    // The way there may have changed: asks for a sign of life now, where that can be done.
    virtual void check() = 0;
    // Ends it in order. Only on_link_gone follows.
    virtual void close() = 0;
};

}  // namespace sallyport
