// redirect_exchange.h: answers every request on the plain port with the same address under https, octet for octet.
#pragma once
#include "edge/edge_context.h"
#include "edge/exchange.h"
#include "edge/visitor_request.h"

namespace sallyport {

class RedirectExchange final : public Exchange {
public:
    RedirectExchange(EdgeContext& context, VisitorRequest& visitor) : context_(context), visitor_(visitor) {}

    void begin() override;
    void on_content() override {}
    void on_send_ready() override {}
    void cancel() override {}

private:
    EdgeContext& context_;
    VisitorRequest& visitor_;
    ResponseHead answer_;
};

}  // namespace sallyport
