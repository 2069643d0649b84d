// local_exchange.h: serves requests from a LocalHandler (admin API, metrics). Content is collected first, at most 1 MiB.
#pragma once
#include <memory>
#include <string>

#include "edge/edge_context.h"
#include "edge/exchange.h"
#include "edge/visitor_request.h"
#include "edge/local_handler.h"

namespace sallyport {

class LocalExchange final : public Exchange {
public:
    LocalExchange(EdgeContext& context, VisitorRequest& visitor, LocalHandler& handler);
    ~LocalExchange() override { cancel(); }

    void begin() override;
    void on_content() override { collect(); }
    void on_send_ready() override { send_more(); }
    void cancel() override;

    static constexpr std::size_t kMostContent = 1024 * 1024;

private:
    // What a reply that comes from any thread at any time finds its way back with. Touched on the loop only.
    struct Ticket {
        LocalExchange* exchange;  // null once nobody waits any more
    };
    class ReplyOnce;

    void collect();
    void ask_handler();
    void answer(LocalResponse response);
    void send_more();

    EdgeContext& context_;
    VisitorRequest& visitor_;
    LocalHandler& handler_;
    std::shared_ptr<Ticket> ticket_;
    std::string content_;
    std::string answer_content_;
    std::size_t sent_ = 0;
    bool collecting_ = false;
    bool answering_ = false;
    ResponseHead answer_;
};

}  // namespace sallyport
