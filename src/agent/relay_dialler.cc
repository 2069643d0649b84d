#include "agent/relay_dialler.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "net/socket.h"
#include "net/tcp_transport.h"
#include "wire/concealed_auth.h"
#include "wire/http1_writer.h"
#include "wire/websocket_handshake.h"

namespace sallyport {
namespace {

constexpr std::string_view kSubprotocol = "sallyport.1";
constexpr std::string_view kTunnelAlpn = "sallyport/1";
constexpr std::string_view kHttpAlpn = "http/1.1";
constexpr std::string_view kTunnelPath = "/tunnel";
constexpr std::size_t kMaxSession = 128;
constexpr std::size_t kMaxShown = 300;  // octets of the relay's own words

DialFailure setup_failure(std::string reason, std::string advice) {
    return {DialFailure::Kind::setup, std::move(reason), std::move(advice), {}};
}

std::chrono::seconds retry_after_of(const ResponseHead& head) {
    const auto value = head.fields.find(FieldId::retry_after).value_or("");
    unsigned seconds = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), seconds).ec != std::errc{}) return {};
    return std::min<std::chrono::seconds>(std::chrono::seconds(seconds), DialFailure::kMaxRetryAfter);
}

// What a page of the relay says: {"error":{"detail":...}}, or the title there, or nothing.
std::string words_of(const ResponseHead& head, std::string_view content) {
    if (!head.fields.find(FieldId::content_type).value_or("").starts_with("application/json")) return {};
    boost::system::error_code error;
    const auto value = boost::json::parse(content.substr(0, RelayDialler::kMaxAnswer), error);
    const auto* object = error ? nullptr : value.if_object();
    const auto* about = object ? object->if_contains("error") : nullptr;
    const auto* fields = about ? about->if_object() : nullptr;
    for (const std::string_view key : {"detail", "title"}) {
        const auto* text = fields ? fields->if_contains(key) : nullptr;
        if (text && text->is_string() && !text->get_string().empty())
            return std::string(std::string_view(text->get_string()).substr(0, kMaxShown));
    }
    return {};
}

constexpr std::string_view kNewCode =
    "a code is good for 24 hours and one agent: make a new one with `sallyport admin agent rotate NAME` and start with "
    "--enroll";

// Who has proven himself is told the reason in Sallyport-Refused.
std::optional<DialFailure> judge_reason(std::string_view reason) {
    using Kind = DialFailure::Kind;
    if (reason == "enrolment_expired")
        return DialFailure{Kind::not_recognised, "the enrolment code has expired", std::string(kNewCode), {}};
    if (reason == "enrolment_used")
        return DialFailure{
            Kind::not_recognised, "the enrolment code was used by another agent", std::string(kNewCode), {}};
    if (reason == "disabled")
        return DialFailure{Kind::forbidden,
                           "the relay's owner has disabled this agent, or revoked its key",
                           "`sallyport admin agent enable NAME` on the relay, or enrol anew with --enroll",
                           {}};
    if (reason == "duplicate_live")
        return DialFailure{Kind::duplicate_live,
                           "another process with this agent's credential is connected and alive",
                           "stop it, or `sallyport admin agent rotate NAME` on the relay; its log shows both addresses",
                           {}};
    return std::nullopt;
}

std::optional<SessionState> session_of(const ResponseHead& head) {
    SessionState session{std::string(head.fields.find("Sallyport-Session").value_or("")), 0};
    if (session.id.empty() || session.id.size() > kMaxSession) return std::nullopt;
    const std::string_view count = head.fields.find("Sallyport-Received").value_or("0");
    const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), session.received);
    if (error != std::errc{} || end != count.data() + count.size()) return std::nullopt;
    return session;
}

std::string_view host_in_uri(const Url& url, std::string& keep) {
    if (url.host_kind != HostKind::ipv6) return url.host;
    return keep = "[" + url.host + "]";
}

}  // namespace

std::string_view name_of(DialFailure::Kind kind) {
    switch (kind) {
        case DialFailure::Kind::network: return "network";
        case DialFailure::Kind::pin_mismatch: return "pin_mismatch";
        case DialFailure::Kind::certificate: return "certificate";
        case DialFailure::Kind::not_recognised: return "not_recognised";
        case DialFailure::Kind::forbidden: return "forbidden";
        case DialFailure::Kind::duplicate_live: return "duplicate_live";
        case DialFailure::Kind::relay_trouble: return "relay_trouble";
        case DialFailure::Kind::protocol: return "protocol";
        case DialFailure::Kind::setup: return "setup";
    }
    return "unknown";
}

Result<std::shared_ptr<const ClientTls>> make_relay_tls(const Url& relay, const std::string& pin,
                                                        const std::filesystem::path& ca_file) {
    if (relay.scheme == "ws") return nullptr;
    TrustPolicy policy;
    policy.tls13_only = true;
    policy.server_name = relay.host;
    policy.pin = pin;
    policy.ca_file = ca_file;
    if (!pin.empty()) policy.alpn.emplace_back(kTunnelAlpn);  // the relay's identity answers to it
    policy.alpn.emplace_back(kHttpAlpn);
    return ClientTls::make(std::move(policy));
}

DialFailure judge_answer(const ResponseHead& head, std::string_view content, bool enrolling) {
    using Kind = DialFailure::Kind;
    const std::string words{head.fields.find("Sallyport-Refused").value_or("").substr(0, kMaxShown)};
    const auto retry_after = retry_after_of(head);
    if (auto known = judge_reason(words)) {
        known->retry_after = retry_after;
        return *known;
    }
    const std::string more = words.empty() ? words_of(head, content) : words;
    const std::string reason = "status " + std::to_string(head.status) + (more.empty() ? "" : ": " + more);
    if (head.status == 404 && enrolling)
        return {Kind::not_recognised, "the relay doesn't take the enrolment code (404)", std::string(kNewCode),
                retry_after};
    if (head.status == 404) {
        return {Kind::not_recognised, "the relay doesn't know this credential (404)",
                "enrol anew with --enroll and a code from `sallyport admin agent rotate NAME`; check that the address "
                "is the relay's",
                retry_after};
    }
    if (head.status == 401 || head.status == 403)
        return {Kind::forbidden, reason, "see `sallyport admin agent show NAME` on the relay", retry_after};
    if (head.status == 409)
        return {Kind::duplicate_live, reason, "stop the other process with this agent's credential", retry_after};
    if (head.status >= 500) return {Kind::relay_trouble, reason, {}, retry_after};
    return {Kind::protocol, reason,
            "what answers there doesn't seem to be a relay, or it doesn't know this agent: check relay_url",
            retry_after};
}

DialFailure judge_tls_failure(const RelayEndpoint& endpoint, const Error& error) {
    const std::string& reason = error.detail;
    if (error.code != Errc::tls) return {DialFailure::Kind::network, reason, {}, {}};
    if (!endpoint.tls->policy().pin.empty()) {
        return {DialFailure::Kind::pin_mismatch,
                "the relay shows another identity than the pinned one (" + reason + ")",
                "if the relay was set up anew, enrol anew with --enroll; else somebody stands in between",
                {}};
    }
    return {DialFailure::Kind::certificate,
            "the relay's certificate is not trusted (" + reason + ")",
            "set pin to what `sallyport relay` prints at its start, or ca_file to its CA",
            {}};
}

Result<std::string> prove_to_relay(const RelayEndpoint& endpoint, TlsTransport* tls) {
    if (const auto* shared = std::get_if<SharedProof>(&endpoint.proof)) return std::string(shared->authorization.reveal());
    if (!tls) return fail(Errc::unauthorized, "a key can't be proved over ws://; use wss://, or api_key");
    const auto& key = std::get<Ed25519PrivateKey>(endpoint.proof);
    const std::string public_key = key.public_key();
    std::string bracketed;
    const ConcealedOrigin origin{"https", std::string(host_in_uri(endpoint.url, bracketed)), endpoint.url.port};
    const std::string context = concealed_exporter_context(as_octets(public_key), as_octets(public_key), origin);
    const auto exported = tls->export_keying_material(kConcealedExporterLabel, as_octets(context), kConcealedExporterOctets);
    if (!exported) return std::unexpected(exported.error());
    return format_concealed(make_concealed_proof(key, public_key, as_octets(*exported)));
}

RelayDialler::RelayDialler(Loop& loop, Workers& workers, const RelayEndpoint& endpoint, Limits limits,
                           AskSession ask_session, Done done)
    : loop_(loop),
      endpoint_(endpoint),
      limits_(limits),
      ask_session_(std::move(ask_session)),
      done_(std::move(done)),
      key_(make_websocket_key()),
      deadline_(loop, [this] { fail_with({DialFailure::Kind::network, step_ + " took too long", {}, {}}); }) {
    connector_ = std::make_unique<Connector>(
        loop, workers, endpoint.url.host, endpoint.url.port, Connector::Limits{limits.resolve, limits.connect},
        [this](Result<Descriptor> connected) { on_connected(std::move(connected)); });
}

RelayDialler::~RelayDialler() {
    if (transport_) transport_->abort();
}

AttemptStage RelayDialler::stage() const {
    if (!transport_) return connector_ && connector_->connected() ? AttemptStage::connected : AttemptStage::connecting;
    return transport_->all_arrived() ? AttemptStage::acknowledged : AttemptStage::connected;
}

void RelayDialler::on_connected(Result<Descriptor> connected) {
    loop_.dispose(std::move(connector_));
    if (!connected) return fail_with({DialFailure::Kind::network, connected.error().detail, {}, {}});
    tune_connection(connected->get());
    if (!endpoint_.tls) {
        transport_ = make_plain_transport(loop_, std::move(*connected));
        return send_request();
    }
    auto tls = TlsTransport::make(loop_, std::move(*connected), endpoint_.tls->new_ssl());
    tls_ = tls.get();
    transport_ = std::move(tls);
    step_ = "the TLS handshake";
    deadline_.start(limits_.tls);
    tls_->on_handshake([this](Result<> shaken) { on_handshake(std::move(shaken)); });
}

void RelayDialler::on_handshake(Result<> shaken) {
    if (shaken) return send_request();
    fail_with(judge_tls_failure(endpoint_, shaken.error()));
}

void RelayDialler::send_request() {
    auto proof = prove_to_relay(endpoint_, tls_);
    if (!proof) return fail_with(setup_failure(proof.error().detail, "see docs/agent.md about credentials"));
    const auto session = ask_session_();
    if (!session) return fail_with({DialFailure::Kind::network, session.error().detail, {}, {}});
    const std::string& path = endpoint_.url.path;
    RequestHead head;
    fill_websocket_request(head, endpoint_.url.authority(),
                           path.empty() || path == "/" ? kTunnelPath : std::string_view(path), key_);
    head.fields.add("Sec-WebSocket-Protocol", kSubprotocol);
    head.fields.add("Accept", "application/json");  // of a refusal
    head.fields.add("Authorization", *proof);
    head.fields.add("Sallyport-Session", session->id);
    head.fields.add("Sallyport-Received", std::to_string(session->received));
    if (endpoint_.enrolment) head.fields.add("Sallyport-Enroll", endpoint_.enrolment->reveal());
    std::string out;
    write_request_head(out, head, ConnectionOption::upgrade);
    Secret{std::move(*proof)};
    step_ = "the opening handshake";
    deadline_.start(limits_.handshake);
    transport_->set_owner(this);
    transport_->send(as_octets(out));
    Secret{std::move(out)};
}

void RelayDialler::on_receive(MutableOctets octets) {
    received_ += as_text(octets);
    if (received_.size() > kMaxAnswer && head_size_) return judge_refusal();
    if (head_size_) {
        if (head_.framing.kind == Framing::Kind::content_length &&
            received_.size() - *head_size_ >= head_.framing.length)
            judge_refusal();
        return;
    }
    for (;;) {
        const auto size = reader_.read_response(received_, "GET", head_);
        if (!size) {
            if (size.error().code == Errc::need_more) return;
            return fail_with(
                {DialFailure::Kind::protocol, "no HTTP answer: " + size.error().detail, "check relay_url", {}});
        }
        if (!head_.is_interim()) return on_head(*size);
        received_.erase(0, *size);
    }
}

void RelayDialler::on_head(std::size_t head_size) {
    if (head_.status != 101) {
        head_size_ = head_size;
        const bool counted = head_.framing.kind == Framing::Kind::content_length;
        const bool whole =
            !head_.framing.has_content() || (counted && received_.size() - head_size >= head_.framing.length);
        if (whole) judge_refusal();
        return;
    }
    const auto checked = check_websocket_response(head_, key_, kSubprotocol);
    const auto protocol = head_.fields.find(FieldId::sec_websocket_protocol).value_or("");
    const auto session = session_of(head_);
    if (!checked || protocol != kSubprotocol || !session) {
        const std::string why = !checked                   ? checked.error().detail
                                : protocol != kSubprotocol ? "no protocol sallyport.1"
                                                           : "no session";
        return fail_with({DialFailure::Kind::protocol,
                          "opening handshake: " + why,
                          "what answers there doesn't seem to be a relay",
                          {}});
    }
    transport_->set_owner(nullptr);
    finish(OpenedConnection{std::move(transport_), received_.substr(head_size), *session});
}

void RelayDialler::on_receive_end() {
    if (head_size_) return judge_refusal();
    fail_with({DialFailure::Kind::network, "the relay closed the connection during the opening handshake", {}, {}});
}

void RelayDialler::on_transport_error(const Error& error) {
    if (head_size_) return judge_refusal();
    fail_with({DialFailure::Kind::network, error.detail, {}, {}});
}

void RelayDialler::judge_refusal() {
    fail_with(judge_answer(head_, std::string_view(received_).substr(*head_size_), endpoint_.enrolment.has_value()));
}

void RelayDialler::fail_with(DialFailure failure) { finish(std::unexpected(std::move(failure))); }

void RelayDialler::finish(std::expected<OpenedConnection, DialFailure> result) {
    deadline_.cancel();
    loop_.dispose(std::move(connector_));
    if (transport_) transport_->close();
    loop_.dispose(std::move(transport_));
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace sallyport
