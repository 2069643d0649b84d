// http2_stream.h: one stream of an Http2Session, for both ends. The session reaches it through nghttp2's stream user data;
// either may go first.
#pragma once
#include "tunnel/http2_session.h"

namespace sallyport {

class Http2Stream final : public IncomingStream {
public:
    Http2Stream(Http2Session& session, ByteCount window) : session_(&session), window_(window) {}
    ~Http2Stream() override { reset(); }

    void wake() override;
    void consumed(ByteCount octets) override;
    void reset() override;
    void set_owner(Owner& owner) override { owner_ = &owner; }
    void accept() override;
    void refuse(const Refusal& refusal) override;

private:
    friend class Http2Session;
    // Forgets the session; what the owner says afterwards has no effect.
    void detach();

    Http2Session* session_;  // null once the stream is over
    Owner* owner_ = nullptr;
    std::int32_t id_ = 0;
    ByteCount window_;          // our receive window now
    ByteCount unconsumed_ = 0;  // received, still in the owner's hands
    ByteCount drained_ = 0;     // consumed since the window last grew
    bool answered_ = false;     // relay: the final response is here; agent: it was submitted
    bool peer_ended_ = false;
    bool ended_ = false;  // our direction
    bool deferred_ = false;
};

}  // namespace sallyport
