#include "agent/doctor_line.h"

#include <optional>

#include "net/socket.h"

namespace sallyport {
namespace {

constexpr std::chrono::milliseconds kLookAgain{50};

}  // namespace

bool DoctorLine::wait(const std::function<bool()>& until, std::chrono::milliseconds longest) {
    const TimePoint end = Clock::now() + longest;
    while (!until()) {
        if (Clock::now() >= end || called_off()) return false;
        loop_.turn(kLookAgain);
    }
    return true;
}

Result<std::vector<SocketAddress>> DoctorLine::resolve(const std::string& host, std::uint16_t port) {
    if (const auto literal = SocketAddress::parse(host, port)) return std::vector{*literal};
    // Outlives this call where the resolver takes its time.
    auto answer = std::make_shared<std::optional<Result<std::vector<SocketAddress>>>>();
    const auto submitted = workers_.submit_hanging([answer, host, port, &loop = loop_] {
        loop.post([answer, found = resolve_host(host, port)]() mutable { *answer = std::move(found); });
    });
    if (!submitted) return std::unexpected(submitted.error());
    if (!wait([&] { return answer->has_value(); }, kResolve)) return fail(Errc::timeout, "no name server answered in time");
    return std::move(**answer);
}

Result<Descriptor> DoctorLine::connect(const std::string& host, std::uint16_t port) {
    std::optional<Result<Descriptor>> done;
    auto connector = std::make_unique<Connector>(loop_, workers_, host, port, Connector::Limits{kResolve, kConnect},
                                                 [&](Result<Descriptor> connected) { done = std::move(connected); });
    const bool settled = wait([&] { return done.has_value(); }, kResolve + kConnect + std::chrono::seconds(1));
    connector.reset();
    if (!settled) return fail(Errc::timeout, "connecting took too long");
    if (*done) tune_connection((*done)->get());
    return std::move(*done);
}

Result<std::unique_ptr<TlsTransport>> DoctorLine::shake_hands(Descriptor connected, const ClientTls& tls) {
    std::optional<Result<>> done;
    auto transport = TlsTransport::make(loop_, std::move(connected), tls.new_ssl());
    transport->on_handshake([&](Result<> shaken) { done = std::move(shaken); });
    const bool settled = wait([&] { return done.has_value(); }, kTls);
    if (settled && *done) return transport;
    transport->abort();
    transport.reset();
    if (!settled) return fail(Errc::timeout, "the TLS handshake took too long");
    return std::unexpected(done->error());
}

namespace {

class Asking final : public HttpCall::Owner {
public:
    explicit Asking(const DoctorLine::Take& take) : take_(take) {}
    void on_head(const ResponseHead& head) override { answer.head = head; }
    void on_content(Octets octets) override {
        answer.content_received += octets.size();
        if (take_) {
            enough |= !take_(answer.head, octets);
        } else if (answer.content.size() + octets.size() <= DoctorLine::kMaxAnswer) {
            answer.content += as_text(octets);
        } else {
            answer.end = fail(Errc::too_large, "the answer is longer than it should be");
            enough = true;
        }
    }
    void on_over(Result<> how) override {
        answer.end = std::move(how);
        over = true;
    }
    DoctorLine::Answer answer;
    bool enough = false;
    bool over = false;

private:
    const DoctorLine::Take& take_;
};

}  // namespace

DoctorLine::Answer DoctorLine::ask(TransportPtr connection, HttpCall::Request request, const Take& take, const std::function<void()>& meanwhile) {
    Asking asking(take);
    const auto limit = request.limit;
    auto call = std::make_unique<HttpCall>(loop_, std::move(connection), std::move(request), asking);
    const bool settled = wait([&] { return asking.over || asking.enough; }, limit + std::chrono::seconds(1));
    if (!settled) asking.answer.end = fail(Errc::timeout, "called off");
    if (asking.enough && meanwhile) meanwhile();
    asking.answer.content_sent = call->content_sent();
    call.reset();
    return std::move(asking.answer);
}

}  // namespace sallyport
