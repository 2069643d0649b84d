// http2_session.h: HTTP/2 with the roles turned round, by nghttp2: the relay is the client and opens CONNECT streams
// (RFC 9113 8.5), the agent is the server. Octets come from and go to a Pipe. Lives on one loop.
//
// Credit (RFC 9113 5.2): the connection's is given back on receipt, a stream's when its octets have left the owner's hands, so a
// stalled stream stops nobody else. A stream's window grows while its reader keeps up.
#pragma once
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "net/loop.h"
#include "tunnel/pipe.h"
#include "tunnel/stream.h"
#include "tunnel/tunnel.h"

namespace sallyport {

class Http2Stream;

struct Http2SessionDeleter {
    void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
};

class Http2Session {
public:
    class Owner {
    public:
        virtual void on_session_ready() = 0;  // the peer's SETTINGS are here
        // Agent: a CONNECT arrived.
        virtual void on_session_stream(OpenRequest request, std::unique_ptr<IncomingStream> stream) = 0;
        // Agent: the control stream arrived.
        virtual void on_session_control(std::unique_ptr<IncomingStream> stream) = 0;
        virtual void on_session_failed(const Error& error) = 0;

    protected:
        ~Owner() = default;
    };

    Http2Session(Loop& loop, TunnelRole role, Pipe& pipe, const TunnelSettings& settings, Owner& owner);
    ~Http2Session();

    void start();  // queues the connection preface and SETTINGS in front of everything

    Result<StreamPtr> connect(const OpenRequest& request, Stream::Owner& owner);
    Result<StreamPtr> open_control(Stream::Owner& owner);  // relay, once

    void receive(Octets octets);  // what came through the pipe
    void pump();                  // writes what may be sent into the pipe; at the turn's end if called from inside a callback
    void shut_down(const Error& reason);  // GOAWAY, and every stream is reset; its owners are told

    std::size_t open_streams() const { return streams_.size(); }

    // nghttp2 asks for the next octets of a stream's DATA.
    static ssize_t read_callback(nghttp2_session* session, std::int32_t id, std::uint8_t* buffer, std::size_t length,
                                       std::uint32_t* flags, nghttp2_data_source* source, void* user) noexcept;

private:
    friend class Http2Stream;
    struct Callbacks;

    // The header section under way; frames of one come one after the other, so there is never more than one.
    struct HeaderBlock {
        std::string method, authority, path, status, forwarded, proxy_status;
        std::size_t octets = 0;
        bool too_large = false;
    };

    Http2Stream* find(std::int32_t id) const;
    Result<StreamPtr> submit(std::vector<nghttp2_nv> fields, Stream::Owner& owner);
    void on_field(std::string_view name, std::string_view value);
    void on_header_section(std::int32_t id, bool is_request);
    void on_request(std::int32_t id);
    void on_response(Http2Stream& stream);
    std::size_t pull(std::int32_t id, std::size_t most);
    ssize_t take_pulled(Http2Stream& stream, std::uint32_t& flags);
    void write_data_frame(const std::uint8_t* header, std::size_t length);
    void reset(std::int32_t id, std::uint32_t code);
    void grow_window(Http2Stream& stream);
    void fail(Error error);

    Loop& loop_;
    TunnelRole role_;
    Pipe& pipe_;
    const TunnelSettings settings_;
    Owner& owner_;
    std::unique_ptr<nghttp2_session, Http2SessionDeleter> session_;
    std::unordered_set<Http2Stream*> streams_;
    HeaderBlock block_;
    Stream::Pulled pulled_;  // what pull() put into the pipe's room, for the DATA frame under way
    ByteCount granted_ = 0;  // windows beyond the first, of all streams
    bool receiving_ = false;
    bool pumping_ = false;
    bool paused_ = false;  // nghttp2 was stopped behind a frame although it had more
    bool ready_ = false;
    bool over_ = false;
    TurnEnd pump_soon_;
};

}  // namespace sallyport
