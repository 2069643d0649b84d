#include "edge/problem.h"

#include <array>

namespace sallyport {

std::string_view name_of(Hop hop) {
    switch (hop) {
        case Hop::visitor: return "visitor";
        case Hop::relay: return "relay";
        case Hop::agent: return "agent";
        case Hop::origin: return "origin";
    }
    return "relay";
}

namespace problem {
const Problem kBadRequest{400, Hop::visitor, "bad_request", "Bad request",
                          "The request isn't well-formed HTTP, or could be read in two ways."};
const Problem kUriTooLong{414, Hop::visitor, "uri_too_long", "Address too long", "The address of this request is too long."};
const Problem kFieldsTooLarge{431, Hop::visitor, "fields_too_large", "Header fields too large",
                              "The request has more header fields than can be taken. Clearing this site's cookies may help."};
const Problem kNotImplemented{501, Hop::visitor, "not_implemented", "Not implemented",
                              "The request uses a transfer coding that isn't known here."};
const Problem kVersionNotSupported{505, Hop::visitor, "version_not_supported", "HTTP version not supported",
                                   "Use HTTP/1.1."};
const Problem kBrokenContent{400, Hop::visitor, "broken_content", "Bad request", "The content of the request is broken."};
const Problem kRequestTimeout{408, Hop::visitor, "request_timeout", "Request timeout",
                              "The request did not arrive completely in time."};
const Problem kContentTooLarge{413, Hop::visitor, "content_too_large", "Content too large",
                               "The content of the request is larger than can be taken here."};
const Problem kConnectNotOffered{400, Hop::visitor, "connect_not_offered", "Bad request",
                                 "The CONNECT method isn't offered here."};
const Problem kUnknownHost{404, Hop::relay, "unknown_host", "No such site",
                           "Nothing is published under this address. Check the spelling, or ask its owner for the right address."};
const Problem kMisdirected{421, Hop::visitor, "misdirected", "Misdirected request",
                           "This connection was opened for another site. Open a new one."};
const Problem kLoop{508, Hop::relay, "loop", "Loop detected",
                    "The request has come through this relay before: the site leads back to itself."};
const Problem kAgentOffline{503, Hop::agent, "agent_offline", "Not connected",
                            "The home behind this address isn't connected at the moment. It usually comes back by itself.", 10};
const Problem kAgentLost{502, Hop::agent, "agent_lost", "Connection lost",
                         "The connection to the home behind this address was lost during the request. Try again."};
const Problem kAgentBusy{503, Hop::agent, "agent_busy", "Too many requests in flight",
                         "The home behind this address has as many requests under way as its owner allows. Try again shortly.", 2};
const Problem kTooManyVisitors{503, Hop::relay, "too_many_visitors", "Too many visitors",
                               "This relay has as many connections open as it can take. Try again shortly.", 5};
const Problem kRelayFull{503, Hop::relay, "relay_full", "Relay full",
                         "This relay holds as much as it can for visitors that are slow to take it. Try again shortly.", 5};
const Problem kTooManyStreams{503, Hop::relay, "too_many_streams", "Too many connections",
                              "No further connection to the home behind this address can be opened right now. Try again shortly.", 2};
const Problem kTrustedNetworks{
    503, Hop::relay, "trusted_networks", "Held back for safety",
    "This home lets some addresses in without a password (the trusted_networks login provider), and it doesn't see visitors' "
    "real addresses yet, so anybody could log in. Its owner can set use_x_forwarded_for and trusted_proxies in Home Assistant, "
    "remove that login provider, or decide with the route's forward_client_ip.",
    60};
const Problem kNotProbed{
    503, Hop::origin, "not_probed", "Held back for safety",
    "Whether the service in this home sees visitors' real addresses isn't known yet, since it hasn't answered in time. Try again "
    "shortly. Its owner can decide with the route's forward_client_ip.",
    5};
const Problem kTargetNotAllowed{403, Hop::agent, "target_not_allowed", "Not allowed",
                                "The agent in this home doesn't allow the service that this address leads to. "
                                "Its owner finds the line to add in the agent's log."};
const Problem kTargetUnreachable{502, Hop::origin, "target_unreachable", "Service unreachable",
                                 "The home is connected, but the service in it can't be reached."};
const Problem kTargetRefused{502, Hop::origin, "target_refused", "Service not running",
                             "The home is connected, but the service in it refuses connections. It may be restarting."};
const Problem kTargetNotFound{502, Hop::origin, "target_not_found", "Service not found",
                              "The home is connected, but the name of the service in it isn't known there."};
const Problem kTargetTimeout{504, Hop::origin, "target_timeout", "Service doesn't answer",
                             "The home is connected, but connecting to the service in it took too long."};
const Problem kTargetCertificate{502, Hop::origin, "target_certificate", "Certificate not trusted",
                                 "The home is connected, but the service in it shows a certificate that isn't trusted there. "
                                 "Its owner finds the cure in the agent's log (sallyport agent trust)."};
const Problem kTargetNoTls{502, Hop::origin, "target_no_tls", "No TLS",
                           "The home is connected, but the service in it doesn't speak TLS as its target says (https://)."};
const Problem kAgentExhausted{502, Hop::agent, "agent_exhausted", "Not forwarded",
                              "The agent in this home can open no further connection: its machine has too many open already."};
const Problem kAgentFailed{502, Hop::agent, "agent_failed", "Not forwarded",
                           "The agent in this home could not pass the request on."};
const Problem kOriginLost{502, Hop::origin, "origin_lost", "No answer",
                          "The service in this home closed the connection without an answer. It may be restarting."};
const Problem kOriginBadAnswer{502, Hop::origin, "origin_bad_answer", "Answer not understood",
                               "The service in this home gave an answer that isn't well-formed HTTP."};
const Problem kOriginTimeout{504, Hop::origin, "origin_timeout", "No answer in time",
                             "The service in this home took the request but didn't answer in time."};
const Problem kMaintenance{503, Hop::origin, "maintenance", "Down for maintenance", "Its owner is working on this site. Try again later.", 600};
const Problem kAddressDenied{403, Hop::visitor, "address_denied", "Not allowed", "This site isn't open to the network you come from."};
const Problem kPathDenied{403, Hop::visitor, "path_denied", "Not allowed", "This part of the site is closed to visitors."};
const Problem kPathAmbiguous{400, Hop::visitor, "path_ambiguous", "Bad request",
                             "The path of this address can be read in more than one way. Write it plainly."};
const Problem kPasswordWanted{401, Hop::visitor, "password_wanted", "Sign in", "This site asks for a name and a password.", 0,
                              "Basic realm=\"Sign in\", charset=\"UTF-8\""};
const Problem kPasswordBusy{503, Hop::relay, "password_busy", "Too many sign-ins",
                            "More passwords are being tried here than can be checked. Try again shortly.", 5};
const Problem kBanned{429, Hop::relay, "banned", "Too many failed sign-ins",
                      "Signing in failed too often from where you are. Wait a while before you try again."};
const Problem kStreamIdle{504, Hop::relay, "idle_timeout", "Idle", "Nothing was sent for longer than this site allows."};
const Problem kPolicyUnreadable{503, Hop::relay, "policy_unreadable", "Not available",
                                "The settings of this site can't be read. Its owner finds the cure in sallyport admin status.", 600};
const Problem kInternal{500, Hop::relay, "internal", "Internal error", "Something went wrong here. It has been noted."};
}  // namespace problem

const Problem& problem_of_refused_head(int status) {
    switch (status) {
        case 414: return problem::kUriTooLong;
        case 431: return problem::kFieldsTooLarge;
        case 501: return problem::kNotImplemented;
        case 505: return problem::kVersionNotSupported;
        default: return problem::kBadRequest;
    }
}

const Problem& problem_of_refusal(const Refusal& refusal) {
    using namespace problem;
    struct Row {
        std::string_view cause;  // RFC 9209 2.3
        const Problem& told;
    };
    static const auto rows = std::to_array<Row>({
        {"destination_not_found", kTargetNotAllowed},
        {"http_request_denied", kTargetNotAllowed},
        {"destination_ip_prohibited", kTargetNotAllowed},
        {"dns_error", kTargetNotFound},
        {"dns_timeout", kTargetTimeout},
        {"connection_refused", kTargetRefused},
        {"connection_timeout", kTargetTimeout},
        {"connection_terminated", kTargetUnreachable},
        {"connection_limit_reached", kTooManyStreams},
        {"destination_unavailable", kTargetUnreachable},
        {"destination_ip_unroutable", kTargetUnreachable},
        {"tls_protocol_error", kTargetNoTls},
        {"tls_certificate_error", kTargetCertificate},
        {"tls_alert_received", kTargetCertificate},
    });
    if (refusal.status == 403) return kTargetNotAllowed;
    if (refusal.status == 502 && refusal.cause == "connection_limit_reached") return kAgentExhausted;
    if (refusal.status == 503 && refusal.cause == "proxy_configuration_error") return kTrustedNetworks;
    for (const Row& row : rows)
        if (row.cause == refusal.cause) return row.told;
    if (refusal.status == 503) return kTooManyStreams;
    if (refusal.status == 504) return kTargetTimeout;
    return kAgentFailed;
}

}  // namespace sallyport
