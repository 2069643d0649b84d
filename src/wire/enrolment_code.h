// enrolment_code.h: the one string that a relay's owner pastes at home: "sallyport1_" + base64url(JSON) + "_" +
// checksum (the first 8 base64url characters of SHA-256 over what stands before the last '_'). The checksum is there
// to tell a cut-off paste from a refused code; it protects nothing. Holds a secret: treat the text as one.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/octets.h"
#include "base/result.h"
#include "base/secret.h"

namespace sallyport {

inline constexpr std::size_t kMaxEnrolmentCode = 4_KiB;  // white space not counted
inline constexpr std::size_t kMaxProposedTargets = 16;

struct ProposedTarget {
    std::string name;  // 1 to 64 octets of a-z 0-9 - _ .
    std::string url;   // as parse_target_url() takes it
    bool operator==(const ProposedTarget&) const = default;
};

struct EnrolmentCode {
    std::string public_url;  // https://relay.example.org
    std::string pin;         // SHA-256 of the relay identity's SPKI, 32 octets as base64url; empty: system CAs decide
    std::string agent_id;    // 1 to 64 octets of A-Z a-z 0-9 - _
    Secret secret;           // one-time
    std::vector<ProposedTarget> targets;
};

// Errc::invalid_argument if a value is out of its bounds.
Result<Secret> format_enrolment_code(const EnrolmentCode& code);

// White space anywhere is skipped. Errc::invalid_argument with a text for people: not a code at all, cut off or
// mistyped (checksum), or of a newer version (Errc::newer_version).
Result<EnrolmentCode> parse_enrolment_code(std::string_view text);

}  // namespace sallyport
