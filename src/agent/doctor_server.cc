#include "agent/doctor_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "agent/test_octets.h"
#include "base/version.h"
#include "net/tcp_transport.h"
#include "wire/chunked.h"
#include "wire/http1_parser.h"
#include "wire/http1_writer.h"

namespace sallyport {
namespace {

constexpr std::size_t kMaxId = 64;

// The value of a query's parameter; nothing here is percent-encoded.
std::string_view parameter(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view pair = query.substr(0, end);
        if (pair.starts_with(name) && pair.substr(name.size()).starts_with('=')) return pair.substr(name.size() + 1);
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    }
    return {};
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

// One connection: a state machine, one request long.
class DoctorServer::Peer final : private Transport::Owner {
public:
    Peer(DoctorServer& server, TransportPtr transport)
        : server_(server),
          transport_(std::move(transport)),
          idle_(server.loop_, [this] { over(); }),
          life_(server.loop_, [this] { over(); }),
          patience_(server.loop_, [this] { tell("no"); }) {
        idle_.start(kPeerIdle);
        life_.start(kPeerLife);
        transport_->set_owner(this);
    }
    ~Peer() { transport_->abort(); }

    bool waits_for(std::string_view id) const { return patience_.running() && id_ == id; }
    void tell(std::string_view seen) {
        patience_.cancel();
        send("event: seen\ndata: " + std::string(seen) + "\n\n");
        end();
    }

private:
    enum class State { head, content, download, events, ending };

    void on_receive(MutableOctets octets) override {
        idle_.start(kPeerIdle);
        if (state_ == State::content) return take_content(octets);
        if (state_ != State::head) return;
        received_ += as_text(octets);
        const auto size = reader_.read_request(received_, head_);
        if (!size) {
            if (size.error().code != Errc::need_more) answer(400, {});
            return;
        }
        begin(received_.substr(*size));
    }
    void on_receive_end() override {
        input_ended_ = true;
        if (state_ == State::head || state_ == State::content || send_ended_) over();
    }
    void on_send_ready() override {
        idle_.start(kPeerIdle);
        if (state_ == State::download) return send_more();
        if (state_ == State::ending && !send_ended_) end_send();
    }
    void on_transport_error(const Error&) override { over(); }

    void begin(std::string rest) {
        const std::string_view path = head_.path();
        const bool get = head_.method == "GET";
        const bool post = head_.method == "POST";
        if (get && path == "/here") return answer(200, "{\"agent\":\"" + std::string(kVersion) + "\"}");
        if (post && path == "/upload") return begin_upload(std::move(rest));
        if (get && path == "/download") return begin_download();
        if (get && path == "/events") return begin_events();
        if (post && path == "/seen") return answer(server_.tell_seen(parameter(head_.query(), "id")) ? 200 : 404, "{}");
        answer(404, {});
    }

    void begin_upload(std::string rest) {
        if (head_.framing.kind == Framing::Kind::content_length && head_.framing.length > kMostContent) return answer(413, {});
        state_ = State::content;
        if (!head_.framing.has_content()) return finish_upload();
        if (!rest.empty()) take_content(as_octets(rest));
    }
    void take_content(Octets octets) {
        if (head_.framing.kind != Framing::Kind::chunked) {
            const std::size_t count = std::min<ByteCount>(octets.size(), head_.framing.length - taken_);
            add(octets.first(count));
            if (taken_ == head_.framing.length) finish_upload();
            return;
        }
        while (!octets.empty() && state_ == State::content) {
            const auto step = chunked_.feed(octets);
            if (!step || taken_ + step->content.size() > kMostContent) return over();
            add(step->content);
            octets = octets.subspan(step->consumed);
            if (step->done) return finish_upload();
            if (step->consumed == 0) return;
        }
    }
    void add(Octets octets) {
        hash_.add(octets);
        taken_ += octets.size();
    }
    void finish_upload() { answer(200, "{\"octets\":" + std::to_string(taken_) + ",\"sha256\":\"" + hash_.hex() + "\"}"); }

    void begin_download() {
        const auto octets = number(parameter(head_.query(), "octets"));
        const auto seed = number(parameter(head_.query(), "seed"));
        if (!octets || !seed || *octets > kMostContent) return answer(400, {});
        left_ = *octets;
        source_.emplace(*seed);
        send_head(200, "application/octet-stream", {Framing::Kind::content_length, *octets});
        state_ = State::download;
        send_more();
    }
    void send_more() {
        std::string piece;
        while (left_ > 0 && transport_->send_ready()) {
            piece.resize(std::min<ByteCount>(left_, 64_KiB));
            source_->fill(std::as_writable_bytes(std::span(piece)));
            left_ -= piece.size();
            transport_->send(as_octets(piece));
        }
        if (left_ == 0) end();
    }

    void begin_events() {
        id_ = parameter(head_.query(), "id");
        if (id_.empty() || id_.size() > kMaxId) return answer(400, {});
        send_head(200, "text/event-stream", {Framing::Kind::until_close, 0});
        state_ = State::events;
        patience_.start(kEventPatience);
        send("event: first\ndata: " + id_ + "\n\n");
    }

    void answer(int status, const std::string& content) {
        send_head(status, "application/json", {Framing::Kind::content_length, content.size()});
        send(content);
        end();
    }
    void send_head(int status, std::string_view type, Framing framing) {
        ResponseHead head;
        head.status = status;
        head.reason = reason_phrase(status);
        head.framing = framing;
        head.fields.add("Content-Type", type);
        head.fields.add("Cache-Control", "no-store");
        head.fields.add(kDoctorField, kVersion);
        std::string out;
        write_response_head(out, head, ConnectionOption::close);
        send(out);
    }
    // What isn't a download is far below what a fresh connection takes.
    void send(std::string_view octets) {
        if (!octets.empty() && transport_->send_ready()) transport_->send(as_octets(octets));
    }
    void end() {
        state_ = State::ending;
        life_.start(std::chrono::seconds(30));  // for the other end to take it; it ends its direction then
        if (transport_->send_ready()) end_send();
    }
    // The kernel has all of it.
    void end_send() {
        send_ended_ = true;
        transport_->end_send();
        if (input_ended_) over();
    }
    void over() { server_.on_over(*this); }

    DoctorServer& server_;
    TransportPtr transport_;
    State state_ = State::head;
    std::string received_;
    HeadReader reader_{{.octets = 16_KiB, .start_line = 8_KiB, .fields = 128, .connection_options = 32}};
    RequestHead head_;
    ChunkedDecoder chunked_;
    Sha256 hash_;
    bool input_ended_ = false;
    bool send_ended_ = false;
    ByteCount taken_ = 0;
    ByteCount left_ = 0;
    std::optional<TestOctets> source_;
    std::string id_;
    Timer idle_;
    Timer life_;
    Timer patience_;
};

DoctorServer::DoctorServer(Loop& loop) : loop_(loop) {}
DoctorServer::~DoctorServer() = default;

Result<TransportPtr> DoctorServer::connect() {
    if (peers_.size() >= kMostPeers) return fail(Errc::no_space, "as many requests of a doctor as may be are under way");
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return fail_errno(errno, "socketpair");
    Descriptor here(pair[0]);
    Descriptor there(pair[1]);
    auto peer = std::make_unique<Peer>(*this, make_plain_transport(loop_, std::move(here)));
    peers_.emplace(peer.get(), std::move(peer));
    return make_plain_transport(loop_, std::move(there));
}

bool DoctorServer::tell_seen(std::string_view id) {
    for (const auto& [peer, owned] : peers_)
        if (peer->waits_for(id)) return peer->tell("yes"), true;
    return false;
}

// Called out of the peer's own callbacks, so it dies at the end of the turn.
void DoctorServer::on_over(Peer& peer) {
    auto found = peers_.extract(&peer);
    if (!found.empty()) loop_.dispose(std::move(found.mapped()));
}

}  // namespace sallyport
