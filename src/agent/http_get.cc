#include "agent/http_get.h"

#include "agent/proxy_refusal.h"
#include "wire/http1_writer.h"

namespace sallyport {
namespace {

std::string write_head(const Target& target, const HttpGet::Request& request) {
    RequestHead head;
    head.method = "GET";
    head.target = request.path;
    head.authority = target.url.authority();
    head.fields.add("User-Agent", "sallyport");
    head.fields.add("Accept", "application/json");
    if (!request.forwarded_for.empty()) head.fields.add("X-Forwarded-For", request.forwarded_for);
    std::string out;
    write_request_head(out, head, ConnectionOption::close);
    return out;
}

}  // namespace

HttpGet::HttpGet(Loop& loop, Workers& workers, OriginTrust& trust, const Target& target, Request request, Done done)
    : loop_(loop),
      head_(write_head(target, request)),
      done_(std::move(done)),
      deadline_(loop, [this] { fail_with(make_refusal(ProxyError::connection_read_timeout, "no answer in time")); }) {
    deadline_.start(request.limit);
    const OriginLimits limits{request.limit, request.limit, request.limit};
    dialler_ = std::make_unique<OriginDialler>(
        loop, workers, trust, target, limits,
        [this](std::expected<TransportPtr, Refusal> origin) { on_dialled(std::move(origin)); });
}

HttpGet::~HttpGet() {
    if (origin_) origin_->abort();
}

void HttpGet::on_dialled(std::expected<TransportPtr, Refusal> origin) {
    loop_.dispose(std::move(dialler_));
    if (!origin) return fail_with(origin.error());
    origin_ = std::move(*origin);
    origin_->set_owner(this);
    origin_->send(as_octets(head_));  // a fresh connection takes a head at once
}

void HttpGet::on_receive(MutableOctets octets) {
    const auto done = reader_.feed(octets);
    if (!done) return fail_with(refusal_of(done.error()));
    if (*done) succeed();
}

void HttpGet::on_receive_end() {
    if (const auto ended = reader_.end(); !ended) return fail_with(refusal_of(ended.error()));
    succeed();
}

void HttpGet::on_transport_error(const Error& error) { fail_with(refusal_of(error)); }

void HttpGet::succeed() { finish(Answered{std::move(reader_.answer()), origin_->local_address().ip()}); }

void HttpGet::fail_with(Refusal why) { finish(std::unexpected(Failed{std::move(why), origin_ != nullptr})); }

void HttpGet::finish(std::expected<Answered, Failed> result) {
    deadline_.cancel();
    loop_.dispose(std::move(dialler_));
    if (origin_) origin_->close();
    loop_.dispose(std::move(origin_));
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace sallyport
