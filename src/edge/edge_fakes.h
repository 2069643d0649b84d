// edge_fakes.h: a visitor's transport and an agent's streams without sockets, for tests and fuzz targets: everything that
// comes and goes can be cut anywhere, and either side may refuse to take more.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "edge/edge_context.h"
#include "edge/http1_connection.h"
#include "edge/http2_connection.h"
#include "edge/proxy_exchange.h"

namespace sallyport {

struct FakeTransport final : Transport {
    // What is left of it is read through here, whoever owns the transport.
    struct Record {
        std::string sent;
        std::size_t sends = 0;
        bool ready = true;
        std::size_t ready_for = 0;  // so many sends, then not ready; 0 for always
        bool paused = false;
        bool ended = false;
        bool closed = false;
        bool aborted = false;
        bool destroyed = false;
        Transport::Owner* owner = nullptr;
    };
    explicit FakeTransport(std::shared_ptr<Record> r) : record(std::move(r)) {}
    ~FakeTransport() override { record->destroyed = true; }

    void set_owner(Owner* owner) override { record->owner = owner; }
    bool send_ready() const override { return record->ready && !record->ended && !record->closed; }
    void send(Octets head, Octets body) override {
        if (!send_ready() || head.size() + body.size() > kSendQuantum) std::abort();
        record->sent += as_text(head);
        record->sent += as_text(body);
        ++record->sends;
        if (record->ready_for > 0 && --record->ready_for == 0) record->ready = false;
    }
    void pause_receive() override { record->paused = true; }
    void resume_receive() override { record->paused = false; }
    void end_send() override { record->ended = true; }
    void close() override { cut(); }
    void abort() override {
        if (!record->closed) record->aborted = true;
        cut();
    }
    const SocketAddress& peer_address() const override { return peer; }
    void name_peer(const SocketAddress& named) override { peer = named; }
    const SocketAddress& local_address() const override { return local; }

    std::shared_ptr<Record> record;
    SocketAddress peer = *SocketAddress::parse("::ffff:192.0.2.7", 4711);
    SocketAddress local = *SocketAddress::parse("127.0.0.1", 443);

private:
    void cut() {
        record->closed = true;
        record->owner = nullptr;
    }
};

// One stream as the far side sees it.
struct FakeOrigin {
    OpenRequest request;
    Stream::Owner* owner = nullptr;  // null once the stream is over
    std::string received;
    std::size_t room = ~std::size_t{0};  // octets the far side still takes
    std::size_t piece = 64 * 1024;       // pulled at a time
    bool visitor_ended = false;
    bool ended = false;
    bool reset = false;  // before both directions had ended
    ByteCount consumed = 0;

    void pull() {
        if (calling_) {
            wanted_ = true;
            return;
        }
        std::string buffer;
        while (owner && room > 0 && !visitor_ended) {
            buffer.resize(std::min(room, piece));
            calling_ = true;
            const Stream::Pulled pulled = owner->on_stream_pull(std::as_writable_bytes(std::span(buffer)));
            calling_ = false;
            received.append(buffer, 0, pulled.octets);
            room -= pulled.octets;
            visitor_ended = pulled.end;
            if (pulled.octets == 0) break;
        }
    }
    void say(std::string_view octets) {
        // A copy of its own, so that a sanitizer sees who keeps the view.
        const std::string copy(octets);
        call([&] { owner->on_stream_octets(as_octets(copy)); });
    }
    void accept() {
        call([&] { owner->on_stream_accepted(); });
    }
    void end() {
        ended = true;
        call([&] { owner->on_stream_end(); });
    }
    void cut(Errc code = Errc::reset) {
        call([&] { std::exchange(owner, nullptr)->on_stream_reset({code, "cut"}); });
    }
    void refuse(const Refusal& refusal) {
        call([&] { std::exchange(owner, nullptr)->on_stream_refused(refusal); });
    }

private:
    template <class Fn>
    void call(Fn&& fn) {
        if (!owner) return;
        calling_ = true;
        fn();
        calling_ = false;
        if (std::exchange(wanted_, false)) pull();  // as the tunnel does: not inside its own callbacks
    }
    bool calling_ = false;
    bool wanted_ = false;
};

struct FakeStream final : Stream {
    explicit FakeStream(std::shared_ptr<FakeOrigin> o) : origin(std::move(o)) {}
    ~FakeStream() override { FakeStream::reset(); }
    void wake() override { origin->pull(); }
    void consumed(ByteCount octets) override { origin->consumed += octets; }
    void reset() override {
        if (origin->owner && !(origin->ended && origin->visitor_ended)) origin->reset = true;
        origin->owner = nullptr;
    }
    std::shared_ptr<FakeOrigin> origin;
};

struct FakeOrigins final : Origins {
    struct FakePermit final : Permit {
        explicit FakePermit(std::size_t& n) : in_use(n) { ++in_use; }
        ~FakePermit() override { --in_use; }
        std::size_t& in_use;
    };
    struct FakeWait final : Wait {
        explicit FakeWait(FakeOrigins& o) : origins(o) { ++origins.waits; }
        ~FakeWait() override { --origins.waits; }
        FakeOrigins& origins;
    };

    std::shared_ptr<const AgentView> agent(std::string_view) override { return view; }
    Result<StreamPtr> open(std::string_view agent_id, const OpenRequest& request, Stream::Owner& owner) override {
        if (!view) return fail(Errc::unreachable);
        if (full) return fail(Errc::no_space);
        auto origin = std::make_shared<FakeOrigin>();
        origin->request = request;
        origin->owner = &owner;
        origin->room = first_room;
        asked_agent = agent_id;
        opened.push_back(origin);
        return std::make_unique<FakeStream>(origin);
    }
    std::unique_ptr<Permit> try_permit(std::string_view) override {
        return in_use < most ? std::make_unique<FakePermit>(in_use) : nullptr;
    }
    std::unique_ptr<Wait> wait_permit(std::string_view, std::chrono::milliseconds, OnPermit callback) override {
        on_permit = std::move(callback);
        return std::make_unique<FakeWait>(*this);
    }
    std::unique_ptr<Wait> wait_online(std::string_view, std::chrono::milliseconds, OnOnline callback) override {
        on_online = std::move(callback);
        return std::make_unique<FakeWait>(*this);
    }
    void report_unexpected_400(std::string_view, std::string_view) override { ++reported_400; }

    std::shared_ptr<AgentView> view = std::make_shared<AgentView>();
    std::vector<std::shared_ptr<FakeOrigin>> opened;
    std::string asked_agent;
    std::size_t first_room = ~std::size_t{0};
    bool full = false;
    std::size_t in_use = 0;
    std::size_t most = 100;
    int waits = 0;
    int reported_400 = 0;
    OnPermit on_permit;
    OnOnline on_online;
};

struct FakeDoor final : TunnelDoor {
    struct FakeAdmission final : Admission {
        explicit FakeAdmission(FakeDoor& d) : door(d) {}
        void take(TransportPtr transport, std::string octets) override {
            door.taken = std::move(transport);
            door.received = std::move(octets);
        }
        FakeDoor& door;
    };
    std::unique_ptr<Admission> judge(const RequestHead&, TlsTransport*, Scheme) override {
        ++asked;
        return opens ? std::make_unique<FakeAdmission>(*this) : nullptr;
    }
    bool opens = false;
    int asked = 0;
    TransportPtr taken;
    std::string received;
};

// A loop with one visitor connection on it.
class FakeEdge final : private EdgeContext::Owner {
public:
    explicit FakeEdge(EdgeSettings settings = {}) : context(*this, loop, origins, door, log, std::move(settings)) { set_routes({}); }
    ~FakeEdge() {
        if (connection) connection->cut();
        turn();
    }

    void set_routes(std::vector<Route> routes) {
        context.routes = std::make_shared<const RouteTable>(std::move(routes));
    }
    // One route: home.example -> agent "a1", target "ha".
    static Route usual_route() {
        Route route;
        route.id = "r1";
        route.hostname = "home.example";
        route.agent_id = "a1";
        route.agent_name = "home";
        route.target = "ha";
        return route;
    }

    template <class MakeExchange>
    void connect(MakeExchange&& make) {
        record = std::make_shared<FakeTransport::Record>();
        auto made = std::make_unique<Http1Connection>(context, std::make_unique<FakeTransport>(record));
        Http1Connection& http1 = *made;
        connection = std::move(made);
        http1.start(make(context, http1));
    }
    void connect() {
        connect([](EdgeContext& c, VisitorRequest& v) { return std::make_unique<ProxyExchange>(c, v); });
    }

    void connect_http2() {
        record = std::make_shared<FakeTransport::Record>();
        auto made = std::make_unique<Http2Connection>(
            context, std::make_unique<FakeTransport>(record),
            [](EdgeContext& c, VisitorRequest& v) -> std::unique_ptr<Exchange> { return std::make_unique<ProxyExchange>(c, v); });
        Http2Connection& http2 = *made;
        connection = std::move(made);
        http2.start();
        turn();
    }

    // The visitor sends; false if nobody listens any more.
    bool say(std::string_view octets) {
        if (!record->owner) return false;
        std::string copy(octets);  // as with FakeOrigin::say
        record->owner->on_receive(std::as_writable_bytes(std::span(copy)));
        turn();
        return true;
    }
    void end() {
        if (record->owner) record->owner->on_receive_end();
        turn();
    }
    void leave() {
        if (Transport::Owner* owner = std::exchange(record->owner, nullptr)) {
            record->closed = true;
            owner->on_transport_error({Errc::reset, "gone"});
        }
        turn();
    }
    void become_ready(std::size_t for_sends = 0) {
        record->ready_for = for_sends;
        record->ready = true;
        if (record->owner) record->owner->on_send_ready();
        turn();
    }
    std::string heard() { return std::exchange(record->sent, {}); }
    FakeOrigin& origin() { return *origins.opened.back(); }
    void turn() { loop.turn(Duration::zero()); }

    Loop loop;
    FakeOrigins origins;
    FakeDoor door;
    Log log{LogLevel::error, LogFormat::key_value};
    EdgeContext context;
    std::shared_ptr<FakeTransport::Record> record;
    std::unique_ptr<VisitorConnection> connection;

private:
    void on_connection_over(VisitorConnection&) override { loop.dispose(std::move(connection)); }
};

}  // namespace sallyport
