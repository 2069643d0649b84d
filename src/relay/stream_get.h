// stream_get.h: one HTTP/1.1 GET over a stream of its own, read into memory: 5 s and 64 KiB at most. Lives on the stream's loop; calls
// back once, at the end of a turn. Give it to Loop::dispose, never delete it in place; before that, cancel() it first.
#pragma once
#include <chrono>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "net/loop.h"
#include "tunnel/stream.h"
#include "wire/http_answer_reader.h"

namespace sallyport::relay {

class StreamGet final : private Stream::Owner {
public:
    static constexpr std::chrono::seconds kLongest{5};
    struct Failed {
        bool connected = false;  // there was somebody, but no answer that could be read
        std::string detail{};
    };
    using Got = std::expected<HttpAnswer, Failed>;
    using Open = std::function<Result<StreamPtr>(Stream::Owner&)>;

    // `head`: the whole request.
    StreamGet(Loop& loop, const Open& open, std::string head, std::function<void(Got)> on_done);
    void cancel();

private:
    void on_stream_accepted() override { connected_ = true; }
    void on_stream_refused(const Refusal& refusal) override;
    void on_stream_octets(Octets octets) override;
    void on_stream_end() override;
    void on_stream_reset(const Error& error) override;
    Stream::Pulled on_stream_pull(MutableOctets room) override;
    void settle(Got got);

    std::string request_;  // what is left of it to be sent
    HttpAnswerReader reader_;
    bool connected_ = false;
    std::optional<Got> got_;
    std::function<void(Got)> on_done_;
    StreamPtr stream_;
    Timer deadline_;
    TurnEnd done_;
};

}  // namespace sallyport::relay
