// doctor_line.h: how a doctor asks the network: one thing after another, each waited for on a loop of its own. Every wait is
// bounded, and over at once when the doctor is called off. One thread.
#pragma once
#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/http_call.h"
#include "net/connector.h"
#include "net/loop.h"
#include "net/tcp_transport.h"
#include "net/tls_context.h"
#include "net/tls_transport.h"
#include "net/worker.h"

namespace sallyport {

class DoctorLine {
public:
    static constexpr std::chrono::seconds kResolve{10};
    static constexpr std::chrono::seconds kConnect{10};
    static constexpr std::chrono::seconds kTls{15};
    static constexpr std::size_t kMaxAnswer = 256_KiB;  // content kept where nobody takes it as it comes

    // `called_off` may be set by another thread; null: never.
    explicit DoctorLine(const std::atomic<bool>* called_off) : called_off_(called_off) {}

    Loop& loop() { return loop_; }
    Workers& workers() { return workers_; }
    bool called_off() const { return called_off_ && *called_off_; }

    // Runs the loop until then; false after `longest`, or when called off.
    bool wait(const std::function<bool()>& until, std::chrono::milliseconds longest);

    Result<std::vector<SocketAddress>> resolve(const std::string& host, std::uint16_t port);
    Result<Descriptor> connect(const std::string& host, std::uint16_t port);
    Result<std::unique_ptr<TlsTransport>> shake_hands(Descriptor connected, const ClientTls& tls);

    struct Answer {
        ResponseHead head{};  // status 0: none came
        std::string content{};
        Result<> end{};       // an error: it isn't complete
        ByteCount content_sent = 0;
        ByteCount content_received = 0;
    };
    // Gives octets of the answer's content away as they come; false: enough, the connection is cut.
    using Take = std::function<bool(const ResponseHead&, Octets)>;
    // `meanwhile`: done once `take` has enough, while the connection still stands.
    Answer ask(TransportPtr connection, HttpCall::Request request, const Take& take = {}, const std::function<void()>& meanwhile = {});

private:
    const std::atomic<bool>* called_off_;
    Loop loop_;
    Workers workers_{4};  // gone before the loop, to which it posts
};

}  // namespace sallyport
