// http_call.h: one HTTP/1.1 request of ours over a connection that is there, content streamed both ways, and what follows a 101.
// Bounded: a head of 64 KiB, `idle` without any octet either way, `limit` for all of it; what becomes of content is its owner's
// matter. Lives on one loop; destroying it cuts the connection. Never inside its own callbacks: Loop::dispose.
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"
#include "net/loop.h"
#include "net/transport.h"
#include "wire/chunked.h"
#include "wire/http1_message.h"
#include "wire/http1_parser.h"
#include "wire/http1_writer.h"

namespace sallyport {

class HttpCall final : private Transport::Owner {
public:
    struct Request {
        RequestHead head;  // framing: none, or content_length with `fill`
        ConnectionOption connection = ConnectionOption::close;
        std::function<void(MutableOctets)> fill{};  // makes the next octets of content, all that there is room for
        std::chrono::milliseconds idle{20'000};
        std::chrono::milliseconds limit{120'000};
    };
    class Owner {
    public:
        virtual void on_head(const ResponseHead& head) = 0;  // the final one
        virtual void on_content(Octets octets) = 0;          // decoded; after a 101 as it comes
        // Once, the last call. Without error: the answer is complete, or the other side ended what follows a 101.
        virtual void on_over(Result<> how) = 0;

    protected:
        ~Owner() = default;
    };

    HttpCall(Loop& loop, TransportPtr transport, Request request, Owner& owner);
    ~HttpCall();
    HttpCall(const HttpCall&) = delete;
    HttpCall& operator=(const HttpCall&) = delete;

    ByteCount content_sent() const { return sent_; }
    const SocketAddress& local_address() const { return transport_->local_address(); }

private:
    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override { send_more(); }
    void on_transport_error(const Error& error) override;

    void send_more();
    void take_content(Octets octets);
    void over(Result<> how);

    TransportPtr transport_;
    Request request_;
    Owner& owner_;
    HeadReader reader_;
    ResponseHead head_;
    std::string received_;  // of a head
    ChunkedDecoder chunked_;
    ByteCount sent_ = 0;
    ByteCount taken_ = 0;
    bool in_content_ = false;
    bool over_ = false;
    Timer idle_;
    Timer limit_;
};

}  // namespace sallyport
