// doctor_server.h: the agent's own end of a doctor's requests (docs/protocol.md, "A doctor's requests"): a small HTTP/1.1 origin
// inside the agent, behind the target that no route can name (kDoctorTarget). The relay lets requests through to it that carry a
// ticket it gave to this agent. They tell whether octets, and all of them, and at once, get from a visitor to here and back:
//   GET  /here                    who answers
//   POST /upload                  content, at most kMostContent octets: how many came, and their SHA-256
//   GET  /download?octets=&seed=  so many TestOctets
//   GET  /events?id=              a server-sent event; another one once "/seen" has told that the first came, or after kEventPatience
//   POST /seen?id=
// One request a connection; kMostPeers at a time, each ends after kPeerIdle without an octet, or kPeerLife. Reaches nothing of the home. Lives on one loop.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "net/loop.h"
#include "net/transport.h"

namespace sallyport {

inline constexpr std::string_view kDoctorField = "Sallyport-Doctor";  // in every answer: the agent's version

class DoctorServer {
public:
    static constexpr std::size_t kMostPeers = 8;
    static constexpr std::chrono::seconds kPeerIdle{60};
    static constexpr std::chrono::minutes kPeerLife{10};  // kMostContent at half a Mbit/s
    static constexpr std::chrono::seconds kEventPatience{10};
    static constexpr ByteCount kMostContent = 32_MiB;

    explicit DoctorServer(Loop& loop);
    ~DoctorServer();
    DoctorServer(const DoctorServer&) = delete;
    DoctorServer& operator=(const DoctorServer&) = delete;

    // A connection to it. Errc::no_space: as many as may be are open.
    Result<TransportPtr> connect();

private:
    class Peer;
    void on_over(Peer& peer);
    bool tell_seen(std::string_view id);

    Loop& loop_;
    std::unordered_map<Peer*, std::unique_ptr<Peer>> peers_;
};

}  // namespace sallyport
