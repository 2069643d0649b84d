// exchange.h: what serves a visitor's requests, one after another: from an origin, from a local handler, or by a redirect.
// Made once for a VisitorRequest and reused with it.
#pragma once

namespace sallyport {

class Exchange {
public:
    virtual ~Exchange() = default;
    // A request's head is there. Ends, now or later, with VisitorRequest::finish() or one of its like.
    virtual void begin() = 0;
    // More of the request's content can be taken (once upgraded: of the raw octets), or the visitor has ended.
    virtual void on_content() = 0;
    // The answer's writer takes octets again.
    virtual void on_send_ready() = 0;
    // The visitor is gone or can't be served further: let go of everything now. Nothing is called after it.
    virtual void cancel() = 0;
};

}  // namespace sallyport
