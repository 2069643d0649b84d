// enrolment.h: what an agent remembers about being enrolled (agent.json in the state folder), and where an enrolment
// code comes from. A code may be wrapped in white space, as pasting does. Blocking: before the loop runs, or on a
// worker.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/state_folder.h"
#include "base/result.h"
#include "base/secret.h"
#include "wire/enrolment_code.h"

namespace sallyport {

struct Enrolment {
    std::string relay_url;                // "wss://relay.example.org"; empty: never enrolled by a code
    std::string pin;                      // of the relay's identity; empty: CAs decide
    std::vector<std::string> used_codes;  // fingerprints, newest last, at most kMaxUsedCodes: these codes are ignored
    std::vector<ProposedTarget> targets;  // accepted by pasting the code that proposed them
    bool operator==(const Enrolment&) const = default;

    static constexpr std::size_t kMaxUsedCodes = 16;
    bool has_used(std::string_view fingerprint) const;
    void note_used(std::string_view fingerprint);
};

std::string format_enrolment(const Enrolment& enrolment);  // JSON
Result<Enrolment> parse_enrolment(std::string_view json);
Result<Enrolment> load_enrolment(const StateFolder& folder);  // empty if there is none
Result<> store_enrolment(const StateFolder& folder, const Enrolment& enrolment);

// Tells codes apart without keeping them: SHA-256 of the secret, hex.
std::string fingerprint_of(const EnrolmentCode& code);

// What the first opening handshake carries in Sallyport-Enroll: "<credential id>.<secret>".
Secret enrol_field(const EnrolmentCode& code);

// Reads a code from a descriptor: a terminal (with a prompt on standard output), a pipe, a file. Reads no further than
// the code's end; at most kMaxCodeInput octets.
Result<EnrolmentCode> read_code(int descriptor);
Result<EnrolmentCode> read_code_file(const std::filesystem::path& path);
inline constexpr std::size_t kMaxCodeInput = 16_KiB;

}  // namespace sallyport
