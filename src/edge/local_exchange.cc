#include "edge/local_exchange.h"

#include "edge/http_date.h"

namespace sallyport {
namespace {

const FieldSection kNoTrailers;

}  // namespace

class LocalExchange::ReplyOnce {
public:
    ReplyOnce(Loop& loop, std::shared_ptr<Ticket> ticket) : loop_(&loop), ticket_(std::move(ticket)) {}
    ReplyOnce(ReplyOnce&&) noexcept = default;
    ReplyOnce& operator=(ReplyOnce&&) = delete;
    ~ReplyOnce() {
        if (ticket_) (*this)({.status = 500, .content = "{\"error\":\"unanswered\"}\n", .fields = {}});
    }
    void operator()(LocalResponse response) {
        if (!ticket_) return;
        loop_->post([ticket = std::move(ticket_), response = std::move(response)]() mutable {
            if (ticket->exchange) ticket->exchange->answer(std::move(response));
        });
    }

private:
    Loop* loop_;
    std::shared_ptr<Ticket> ticket_;  // null once answered
};

LocalExchange::LocalExchange(EdgeContext& context, VisitorRequest& visitor, LocalHandler& handler)
    : context_(context), visitor_(visitor), handler_(handler) {}

void LocalExchange::begin() {
    content_.clear();
    answering_ = false;
    collecting_ = true;
    const RequestHead& head = visitor_.request();
    if (head.framing.length > kMostContent) return visitor_.answer_problem(problem::kContentTooLarge);
    if (head.expects_continue) {
        ResponseHead go_on;
        go_on.status = 100;
        go_on.reason = reason_phrase(100);
        visitor_.interim(go_on);
    }
    collect();
}

void LocalExchange::collect() {
    while (collecting_) {
        const Result<Octets> piece = visitor_.next_content();
        if (!piece) return visitor_.break_off(problem::kBrokenContent);
        if (piece->empty()) break;
        if (content_.size() + piece->size() > kMostContent) {
            collecting_ = false;
            return visitor_.answer_problem(problem::kContentTooLarge);
        }
        content_ += as_text(*piece);
        visitor_.took_content(piece->size());
    }
    if (collecting_ && visitor_.content_done()) ask_handler();
}

void LocalExchange::ask_handler() {
    collecting_ = false;
    ticket_ = std::make_shared<Ticket>(this);
    const RequestHead& head = visitor_.request();
    handler_.handle({.method = head.method,
                     .path = std::string(head.path()),
                     .query = std::string(head.query()),
                     .content = std::move(content_)},
                    ReplyOnce(context_.loop, ticket_));
}

void LocalExchange::answer(LocalResponse response) {
    ticket_.reset();
    answering_ = true;
    sent_ = 0;
    answer_content_ = std::move(response.content);
    answer_.clear();
    answer_.status = response.status;
    answer_.reason = reason_phrase(response.status);
    const bool has_content = response.status != 204 && response.status != 304;
    if (has_content) answer_.framing = {Framing::Kind::content_length, answer_content_.size()};
    if (has_content && !response.content_type.empty()) answer_.fields.add("Content-Type", response.content_type);
    answer_.fields.add("Cache-Control", "no-store");
    answer_.fields.add("Date", format_http_date(wall_now()));
    for (const auto& [name, value] : response.fields) answer_.fields.add(name, value);
    if (!has_content || visitor_.request().method == "HEAD") answer_content_.clear();
    visitor_.begin_answer(answer_);
    send_more();
}

void LocalExchange::send_more() {
    if (!answering_) return;
    while (sent_ < answer_content_.size()) {
        if (!visitor_.ready()) return;
        sent_ += visitor_.content(as_octets(answer_content_).subspan(sent_));
    }
    answering_ = false;
    visitor_.finish(kNoTrailers);
}

void LocalExchange::cancel() {
    if (ticket_) ticket_->exchange = nullptr;
    ticket_.reset();
    collecting_ = answering_ = false;
}

}  // namespace sallyport
