#include "edge/visitor_request.h"

#include "edge/believed_visitor.h"

namespace sallyport {

void VisitorRequest::open_request() {
    in_request_ = true;
    head_held_.set(2 * (request_.fields.octets() + request_.target.size()));
    began_ = context_.loop.now();
    status_ = 0;
    request_octets_ = 0;
    identify();
}

void VisitorRequest::identify() {
    const ProxyTrust& trust = proxy_trust();
    scheme_ = trust.unsaid;
    standing_ = Standing::welcome;
    named_ip_.clear();
    guest_ = {};
    if (trust.scheme) scheme_ = believed_scheme(request_.fields).value_or(trust.unsaid);
    if (!trust.visitor) return;
    const auto named = believed_address(request_.fields, context_.settings.trusted_proxies);
    if (!named) {
        standing_ = Standing::unknown;
        return;
    }
    if (!*named) return;
    named_ip_ = (*named)->text();
    auto guest = visitor_count().guest(**named, context_.loop.now());
    if (guest) guest_ = std::move(*guest);
    else standing_ = Standing::too_many;
}

void VisitorRequest::note_reset() {
    auto& counted = named_ip_.empty() ? visitor_count() : guest_;
    counted.note_reset(context_.loop.now());
}

void VisitorRequest::close_request(ByteCount answer_octets) {
    if (!in_request_) return;
    in_request_ = false;
    head_held_.set(0);
    guest_ = {};
    const bool routed = counters_ != nullptr;
    if (counters_) {
        counters_->requests[static_cast<std::size_t>(status_ / 100 < 6 ? status_ / 100 : 0)].add();
        counters_->octets_in.add(request_octets_);
        counters_->octets_out.add(answer_octets);
        counters_ = nullptr;
    }
    // Strangers that ask for hosts nobody has, and the relay's own administration, are no visitors of anybody.
    if (routed && context_.access_log.enabled())
        context_.access_log.note({.authority = request_.authority,
                                  .method = request_.method,
                                  .protocol = protocol(),
                                  .status = status_,
                                  .octets = answer_octets,
                                  .took = context_.loop.now() - began_,
                                  .error_id = error_id_});
    error_id_.clear();
}

void VisitorRequest::answer_problem(const Problem& problem, std::string_view detail_for_log) {
    error_id_ = make_error_id();
    log_problem(problem, detail_for_log);
    context_.metrics.error_pages.add();
    const PageFormat format = choose_page_format(request_.fields);
    page_.clear();
    write_error_page(page_, format, problem, error_id_);
    fill_error_head(own_answer_, format, problem, error_id_, page_.size());
    answer_whole(own_answer_, page_);
}

void VisitorRequest::fail_answer(const Problem& problem, std::string_view detail_for_log) {
    if (!in_request_) return;
    if (!answer_begun()) return answer_problem(problem, detail_for_log);
    error_id_ = make_error_id();
    log_problem(problem, detail_for_log);
    abort();
}

void VisitorRequest::log_problem(const Problem& problem, std::string_view detail) {
    const bool for_operator = problem.hop != Hop::visitor && problem.cause != problem::kUnknownHost.cause && problem.cause != problem::kBanned.cause && problem.cause != problem::kMaintenance.cause;
    const LogLevel level = for_operator ? LogLevel::info : LogLevel::debug;
    if (!context_.log.enabled(level) || !context_.error_lines.admit()) return;
    context_.log.write(level, "edge.error",
                       {{"error", error_id_},
                        {"status", problem.status},
                        {"hop", name_of(problem.hop)},
                        {"cause", problem.cause},
                        {"host", request_.authority},
                        {"visitor", visitor_ip()},
                        {"detail", detail}});
}

}  // namespace sallyport
