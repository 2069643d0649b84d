// admission_refusal.h: why an agent's opening handshake did not become a tunnel; a label of the metrics, and for those who
// have proven themselves the value of Sallyport-Refused.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "edge/edge_metrics.h"

namespace sallyport::relay {

enum class AdmissionRefusal : std::uint8_t {
    unknown_credential,  // no such key, token or device; revoked ones too
    wrong_secret,
    wrong_proof,         // the signature fits neither key nor connection (RFC 9729 6.3)
    no_tls,              // the agent came in the clear, or by RFC 9729 without a TLS connection of ours to bind the proof to
    disabled,
    enrolment_expired,
    enrolment_used,      // by another key
    duplicate_live,      // the agent is connected and answers
    overload,            // the store has too much to do, or failed
};
inline constexpr std::size_t kAdmissionRefusals = 9;

constexpr std::string_view name_of(AdmissionRefusal reason) {
    constexpr std::array<std::string_view, kAdmissionRefusals> names{
        "unknown_credential", "wrong_secret", "wrong_proof", "no_tls", "disabled",
        "enrolment_expired", "enrolment_used", "duplicate_live", "overload"};
    return names[static_cast<std::size_t>(reason)];
}

// Counted on one loop, read from any thread.
class AdmissionCounters {
public:
    void count(AdmissionRefusal reason) { refused_[static_cast<std::size_t>(reason)].add(); }
    std::uint64_t refused(AdmissionRefusal reason) const { return refused_[static_cast<std::size_t>(reason)].value(); }
    Counter tunnels_opened;

private:
    std::array<Counter, kAdmissionRefusals> refused_;
};

}  // namespace sallyport::relay
