// relay_dialler.h: one attempt to reach the relay: connect, TLS with the relay's key judged, then the WebSocket opening
// handshake on /tunnel with the agent's credential (docs/protocol.md). Every step has its deadline. Lives on one loop;
// destroying it cancels it.
#pragma once
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "agent/attempt_pace.h"
#include "base/secret.h"
#include "net/connector.h"
#include "net/tls_context.h"
#include "net/tls_transport.h"
#include "wire/ed25519.h"
#include "wire/http1_parser.h"
#include "wire/url.h"

namespace sallyport {

// How the agent proves itself.
struct SharedProof {
    Secret authorization;  // the whole Authorization field value, Bearer or Basic
};
using AgentProof = std::variant<SharedProof, Ed25519PrivateKey>;  // a key: RFC 9729, with the public key as key id

struct RelayEndpoint {
    Url url;                               // wss, or ws to loopback; path "" means /tunnel
    std::shared_ptr<const ClientTls> tls;  // null for ws
    AgentProof proof;
    std::optional<Secret> enrolment;  // "<credential id>.<secret>" for Sallyport-Enroll
};

// The TLS context for a relay: its pin with ALPN sallyport/1, else a CA file, else the system's CAs, with http/1.1.
Result<std::shared_ptr<const ClientTls>> make_relay_tls(const Url& relay, const std::string& pin,
                                                        const std::filesystem::path& ca_file);

// Why there is no tunnel.
struct DialFailure {
    enum class Kind : std::uint8_t {
        network,         // no way there, or cut on the way
        pin_mismatch,    // the relay's identity is another one
        certificate,     // no CA vouches for it
        not_recognised,  // 404: the relay doesn't know the credential, and says so as for any unknown path
        forbidden,       // 401, 403
        duplicate_live,  // 409: another process holds this agent's tunnel, and it is alive
        relay_trouble,   // 5xx
        protocol,        // something else answers there
        setup,           // our own fault: nothing was sent
    };
    Kind kind = Kind::network;
    std::string reason;                   // for the log; may hold text of the other side
    std::string advice;                   // what a person can do; empty if waiting is all
    std::chrono::seconds retry_after{0};  // as the relay wants it, at most kMaxRetryAfter

    // Waiting alone won't mend it.
    bool needs_person() const {
        return kind == Kind::pin_mismatch || kind == Kind::certificate || kind == Kind::not_recognised ||
               kind == Kind::forbidden || kind == Kind::setup;
    }
    // The relay itself, or we, said no: a session that was to go on is over.
    bool is_refusal() const {
        return kind == Kind::not_recognised || kind == Kind::forbidden || kind == Kind::duplicate_live || kind == Kind::setup;
    }
    static constexpr std::chrono::seconds kMaxRetryAfter{300};
};
std::string_view name_of(DialFailure::Kind kind);

// What to send in Authorization on this very connection; `tls` null: there is none.
Result<std::string> prove_to_relay(const RelayEndpoint& endpoint, TlsTransport* tls);

// Why the TLS handshake with the relay failed.
DialFailure judge_tls_failure(const RelayEndpoint& endpoint, const Error& error);

// What an answer other than 101 means. Pure.
DialFailure judge_answer(const ResponseHead& head, std::string_view content, bool enrolling);

// What is said of the session in the opening handshake: asked for, or given. docs/protocol.md, Resuming.
struct SessionState {
    std::string id = "new";
    ByteCount received = 0;  // DATA octets of it that whoever says this has got
};

struct OpenedConnection {
    TransportPtr transport;  // without owner; the pipe begins
    std::string received;    // octets behind the answer's head
    SessionState session;    // as the relay sees it; another id than asked for is a new session
};

class RelayDialler final : private Transport::Owner {
public:
    struct Limits {
        std::chrono::milliseconds resolve{5000};
        std::chrono::milliseconds connect{10000};
        std::chrono::milliseconds tls{20000};  // a relay that is busy closes whom it won't serve within half of it
        std::chrono::milliseconds handshake{10000};
    };
    // Called once, on the loop, never inside the constructor. Dispose of the dialler then.
    using Done = std::function<void(std::expected<OpenedConnection, DialFailure>)>;
    // Asked right before the request leaves, so that the count is the one that stays. An error ends the attempt.
    using AskSession = std::function<Result<SessionState>()>;

    RelayDialler(Loop& loop, Workers& workers, const RelayEndpoint& endpoint, Limits limits, AskSession ask_session,
                 Done done);
    ~RelayDialler();
    RelayDialler(const RelayDialler&) = delete;
    RelayDialler& operator=(const RelayDialler&) = delete;

    // Somebody at the relay's address has taken the connection.
    bool reached() const { return transport_ != nullptr; }
    AttemptStage stage() const;

    static constexpr std::size_t kMaxAnswer = 32_KiB;  // head and content of a refusal

private:
    void on_connected(Result<Descriptor> connected);
    void on_handshake(Result<> shaken);
    void send_request();
    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override {}
    void on_transport_error(const Error& error) override;
    void on_head(std::size_t head_size);
    void judge_refusal();
    void fail_with(DialFailure failure);
    void finish(std::expected<OpenedConnection, DialFailure> result);

    Loop& loop_;
    const RelayEndpoint& endpoint_;
    Limits limits_;
    AskSession ask_session_;
    Done done_;
    std::string key_;  // Sec-WebSocket-Key
    TransportPtr transport_;
    TlsTransport* tls_ = nullptr;  // transport_, if it is one
    std::string received_;
    HeadReader reader_{{.octets = kMaxAnswer, .start_line = 4_KiB, .fields = 128, .connection_options = 32}};
    ResponseHead head_;
    std::optional<std::size_t> head_size_;  // of a refusal whose content is still coming
    Timer deadline_;
    std::string step_;  // what the deadline is of
    std::unique_ptr<Connector> connector_;
};

}  // namespace sallyport
