#include "agent/stream_server.h"

#include "agent/proxy_refusal.h"
#include "wire/relay_view.h"

namespace sallyport {
namespace {

constexpr std::chrono::minutes kSayAgain{10};  // of the same target that is not in the table
constexpr std::size_t kMaxTargetName = 256;
constexpr std::size_t kMaxWarnedOf = 256;

}  // namespace

// One stream and what it is waiting for.
struct StreamServer::Serving {
    std::string target;
    std::unique_ptr<OriginPipe> connection;
    std::unique_ptr<OriginDialler> dialler;
    std::shared_ptr<Serving*> handle;  // null inside once the stream is over: the scout may answer later
};

StreamServer::StreamServer(Loop& loop, Workers& workers, Log& log, const TargetTable& targets, OriginTrust& trust,
                           TargetScout& scout, const OriginLimits& limits, std::function<void()> on_idle, Carries carries)
    : loop_(loop),
      workers_(workers),
      log_(log),
      targets_(targets),
      trust_(trust),
      scout_(scout),
      limits_(limits),
      on_idle_(std::move(on_idle)),
      carries_(carries),
      doctor_(loop) {}

StreamServer::~StreamServer() {
    for (auto& [connection, serving] : serving_) *serving->handle = nullptr;
}

void StreamServer::serve(OpenRequest request, std::unique_ptr<IncomingStream> stream) {
    const bool of_doctor = request.target == kDoctorTarget;
    auto found = request.target.size() <= kMaxTargetName ? targets_.find(request.target)
                                                         : Result<Target>(fail(Errc::refused, "target name too long"));
    auto serving = std::make_unique<Serving>();
    serving->target = request.target;
    serving->connection =
        std::make_unique<OriginPipe>(loop_, std::move(stream), [this](OriginPipe& over) { end(over); });
    serving->handle = std::make_shared<Serving*>(serving.get());
    Serving& here = *serving;
    serving_.emplace(here.connection.get(), std::move(serving));
    if (of_doctor) return serve_doctor(here);
    if (!found) {
        warn_of_unknown_target(here.target, found.error());
        return refuse(here, make_refusal(ProxyError::http_request_denied, found.error().detail));
    }
    if (refusing_) return refuse(here, make_refusal(ProxyError::destination_unavailable, "the agent is stopping"));
    scout_.prepare(*found, [this, handle = here.handle](std::expected<Target, Refusal> target) {
        serve(handle, std::move(target));
    });
}

void StreamServer::serve_doctor(Serving& serving) {
    auto connected = refusing_ ? Result<TransportPtr>(fail(Errc::no_space, "the agent is stopping")) : doctor_.connect();
    if (connected) return serving.connection->connected(std::move(*connected));
    refuse(serving, make_refusal(ProxyError::destination_unavailable, connected.error().detail));
}

void StreamServer::serve(const std::shared_ptr<Serving*>& handle, std::expected<Target, Refusal> target) {
    if (!*handle) return;
    Serving& serving = **handle;
    if (!target) return refuse(serving, target.error());
    if (carries_ == Carries::octets) target->url.scheme = "tcp";
    serving.dialler = std::make_unique<OriginDialler>(
        loop_, workers_, trust_, std::move(*target), limits_,
        [this, &serving](std::expected<TransportPtr, Refusal> origin) { on_origin(serving, std::move(origin)); });
}

void StreamServer::on_origin(Serving& serving, std::expected<TransportPtr, Refusal> origin) {
    loop_.dispose(std::move(serving.dialler));
    if (origin) return serving.connection->connected(std::move(*origin));
    scout_.forget(serving.target);
    refuse(serving, origin.error());
}

void StreamServer::refuse(Serving& serving, const Refusal& refusal) {
    log_.debug("agent.stream_refused", {{"target", serving.target},
                                        {"status", refusal.status},
                                        {"cause", refusal.cause},
                                        {"reason", refusal.details}});
    serving.connection->refuse(refusal);
}

void StreamServer::warn_of_unknown_target(std::string_view name, const Error& why) {
    if (warned_of_.size() >= kMaxWarnedOf) warned_of_.clear();
    TimePoint& told = warned_of_.try_emplace(std::string(name.substr(0, kMaxTargetName))).first->second;
    if (told != TimePoint{} && loop_.now() - told < kSayAgain) return;
    told = loop_.now();
    log_.warn("agent.target_refused", {{"target", name.substr(0, kMaxTargetName)}, {"advice", why.detail}});
}

// Called out of the connection's own callbacks, so it dies at the end of the turn.
void StreamServer::end(OriginPipe& connection) {
    auto found = serving_.extract(&connection);
    if (found.empty()) return;
    *found.mapped()->handle = nullptr;
    loop_.dispose(std::move(found.mapped()));
    if (serving_.empty()) on_idle_();
}

}  // namespace sallyport
