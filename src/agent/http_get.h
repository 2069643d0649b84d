// http_get.h: one GET of ours to a target's origin, on a connection of its own: how the agent asks Home Assistant about
// itself. Bounded in octets (HttpAnswerReader) and in time. Lives on one loop; destroying it cancels it.
#pragma once
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "wire/http_answer_reader.h"
#include "agent/origin_dialler.h"

namespace sallyport {

class HttpGet final : private Transport::Owner {
public:
    struct Request {
        std::string path;                       // "/manifest.json"
        std::string forwarded_for;              // value of X-Forwarded-For; empty: without the field
        std::chrono::milliseconds limit{5000};  // for all of it
    };
    struct Answered {
        HttpAnswer answer;
        std::string local_ip;  // our address as the origin sees it
    };
    struct Failed {
        Refusal why;
        bool connected = false;  // the origin was there and gave no answer that we understand
    };
    // Called once, on the loop, never inside the constructor; dispose of the HttpGet then or later.
    using Done = std::function<void(std::expected<Answered, Failed>)>;

    HttpGet(Loop& loop, Workers& workers, OriginTrust& trust, const Target& target, Request request, Done done);
    ~HttpGet();
    HttpGet(const HttpGet&) = delete;
    HttpGet& operator=(const HttpGet&) = delete;

private:
    void on_dialled(std::expected<TransportPtr, Refusal> origin);
    void on_receive(MutableOctets octets) override;
    void on_receive_end() override;
    void on_send_ready() override {}
    void on_transport_error(const Error& error) override;
    void finish(std::expected<Answered, Failed> result);
    void fail_with(Refusal why);
    void succeed();

    Loop& loop_;
    std::string head_;  // of the request
    Done done_;
    TransportPtr origin_;
    HttpAnswerReader reader_;
    Timer deadline_;
    std::unique_ptr<OriginDialler> dialler_;
};

}  // namespace sallyport
