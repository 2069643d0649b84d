// problem.h: what can go wrong with a request, as the visitor is told. Fixed texts: nothing of the inside gets into them.
#pragma once
#include <string_view>

#include "base/result.h"
#include "tunnel/stream.h"

namespace sallyport {

// Which part of the way failed.
enum class Hop { visitor, relay, agent, origin };
std::string_view name_of(Hop hop);

struct Problem {
    int status;
    Hop hop;
    std::string_view cause;   // for log and metrics: "agent_offline"
    std::string_view title;
    std::string_view detail;  // a sentence or two: what it means, what to do
    int retry_after = 0;      // seconds; 0 for none
    std::string_view challenge{};  // WWW-Authenticate of a 401
};

namespace problem {
extern const Problem kBadRequest;          // the parser's refusals, by status
extern const Problem kUriTooLong;
extern const Problem kFieldsTooLarge;
extern const Problem kNotImplemented;
extern const Problem kVersionNotSupported;
extern const Problem kBrokenContent;
extern const Problem kRequestTimeout;
extern const Problem kContentTooLarge;
extern const Problem kConnectNotOffered;
extern const Problem kUnknownHost;
extern const Problem kMisdirected;
extern const Problem kLoop;
extern const Problem kAgentOffline;
extern const Problem kAgentLost;           // it went away with the request
extern const Problem kAgentBusy;           // concurrency_limit
extern const Problem kTooManyVisitors;     // only the room that is kept for agents is left
extern const Problem kRelayFull;           // max_buffered
extern const Problem kTooManyStreams;
extern const Problem kTrustedNetworks;     // the Internet could log in without a password
extern const Problem kNotProbed;           // whether it could is not known yet
extern const Problem kTargetNotAllowed;
extern const Problem kTargetUnreachable;
extern const Problem kTargetRefused;
extern const Problem kTargetNotFound;      // its name doesn't resolve
extern const Problem kTargetTimeout;       // connecting to it
extern const Problem kTargetCertificate;
extern const Problem kTargetNoTls;
extern const Problem kAgentExhausted;      // no descriptors left there
extern const Problem kAgentFailed;
extern const Problem kOriginLost;          // closed before or within the head of its answer
extern const Problem kOriginBadAnswer;
extern const Problem kOriginTimeout;       // request_timeout
extern const Problem kMaintenance;         // what a route's policy says; its owner's own text may stand in it
extern const Problem kAddressDenied;
extern const Problem kPathDenied;
extern const Problem kPathAmbiguous;
extern const Problem kPasswordWanted;      // none came, or a wrong one
extern const Problem kPasswordBusy;        // not judged: too many to judge
extern const Problem kBanned;              // the ban shield refuses this login, or this WebSocket
extern const Problem kStreamIdle;          // idle_timeout; only ever in the log
extern const Problem kPolicyUnreadable;
extern const Problem kInternal;
}  // namespace problem

// For a request that the parser refused with HeadReader::refusal_status().
const Problem& problem_of_refused_head(int status);
// For a stream that the agent refused.
const Problem& problem_of_refusal(const Refusal& refusal);

}  // namespace sallyport
