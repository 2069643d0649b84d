#include "wire/enrolment_code.h"

#include <boost/json.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "wire/http_syntax.h"
#include "wire/url.h"

namespace sallyport {
namespace {

namespace json = boost::json;

constexpr std::string_view kPrefix = "sallyport1_";
constexpr std::string_view kFamily = "sallyport";  // of every version
constexpr std::size_t kChecksum = 8;               // characters: 48 bits
constexpr std::size_t kPinOctets = 32;
constexpr std::size_t kMaxName = 64;

std::unexpected<Error> refuse(const char* why) { return fail(Errc::invalid_argument, why); }

std::string checksum(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    return to_base64url(as_octets(digest.data(), size)).substr(0, kChecksum);
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_agent_id(std::string_view text) {
    return !text.empty() && text.size() <= kMaxName &&
           std::ranges::all_of(text, [](char c) { return is_lower_or_digit(ascii_lower(c)) || c == '-' || c == '_'; });
}

bool is_target_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxName &&
           std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_pin(std::string_view text) {
    const Result<std::string> octets = from_base64url(text);
    return octets && octets->size() == kPinOctets;
}

Result<> check(const EnrolmentCode& code) {
    if (!parse_public_url(code.public_url)) return refuse("enrolment code: malformed public URL");
    if (!code.pin.empty() && !is_pin(code.pin)) return refuse("enrolment code: malformed pin");
    if (!is_agent_id(code.agent_id)) return refuse("enrolment code: malformed agent id");
    if (code.secret.reveal().size() < 16 || code.secret.reveal().size() > 128 ||
        !std::ranges::all_of(code.secret.reveal(), [](char c) { return c > ' ' && c < 0x7f; }))
        return refuse("enrolment code: malformed secret");
    if (code.targets.size() > kMaxProposedTargets) return refuse("enrolment code: too many targets");
    for (const ProposedTarget& target : code.targets)
        if (!is_target_name(target.name) || !parse_target_url(target.url))
            return refuse("enrolment code: malformed target");
    return {};
}

// False if the member is there with another type.
bool take_text(const json::object& object, std::string_view key, std::string& out) {
    const json::value* value = object.if_contains(key);
    if (!value) return true;
    if (!value->is_string()) return false;
    out = std::string_view(value->get_string());
    return true;
}

Result<EnrolmentCode> from_json(std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    const json::object* object = error ? nullptr : value.if_object();
    if (!object) return refuse("enrolment code: damaged inside");
    EnrolmentCode out;
    std::string secret;
    bool well_typed = take_text(*object, "url", out.public_url) && take_text(*object, "pin", out.pin) &&
                      take_text(*object, "agent", out.agent_id) && take_text(*object, "secret", secret);
    out.secret = Secret(std::move(secret));
    if (const json::value* targets = object->if_contains("targets")) {
        well_typed &= targets->is_array();
        for (const json::value& entry : targets->is_array() ? targets->get_array() : json::array{}) {
            ProposedTarget target;
            well_typed &= entry.is_object() && take_text(entry.get_object(), "name", target.name) &&
                          take_text(entry.get_object(), "url", target.url);
            out.targets.push_back(std::move(target));
            if (out.targets.size() > kMaxProposedTargets) break;
        }
    }
    if (!well_typed) return refuse("enrolment code: damaged inside");
    if (Result<> checked = check(out); !checked) return std::unexpected(std::move(checked.error()));
    return out;
}

Result<std::string> without_white_space(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
        if (out.size() == kMaxEnrolmentCode) return refuse("this is longer than any enrolment code");
        out += c;
    }
    return out;
}

}  // namespace

Result<Secret> format_enrolment_code(const EnrolmentCode& code) {
    if (Result<> checked = check(code); !checked) return std::unexpected(std::move(checked.error()));
    json::object object{{"url", code.public_url}, {"agent", code.agent_id}, {"secret", code.secret.reveal()}};
    if (!code.pin.empty()) object["pin"] = code.pin;
    json::array targets;
    for (const ProposedTarget& target : code.targets) targets.push_back({{"name", target.name}, {"url", target.url}});
    if (!targets.empty()) object["targets"] = std::move(targets);
    std::string text = std::string(kPrefix) + to_base64url(as_octets(json::serialize(object)));
    const std::string sum = checksum(text);
    text.append("_").append(sum);
    if (text.size() > kMaxEnrolmentCode) return refuse("enrolment code: too many or too long targets");
    return Secret(std::move(text));
}

Result<EnrolmentCode> parse_enrolment_code(std::string_view pasted) {
    const Result<std::string> stripped = without_white_space(pasted);
    if (!stripped) return std::unexpected(stripped.error());
    const std::string_view text = *stripped;
    if (text.empty()) return refuse("no enrolment code was given");
    if (!text.starts_with(kPrefix)) {
        const std::string_view version = text.substr(0, std::min(text.find('_'), text.size()));
        const std::string_view digits =
            version.starts_with(kFamily) ? version.substr(kFamily.size()) : std::string_view{};
        if (!digits.empty() && digits[0] != '0' && digits != "1" &&
            std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
            return fail(Errc::newer_version, "this enrolment code was made by a newer relay: update the agent");
        if (kPrefix.starts_with(text)) return refuse("the enrolment code is cut off: paste all of it");
        return refuse("this is no enrolment code: it begins with sallyport1_");
    }
    if (text.size() < kPrefix.size() + 1 + kChecksum || text[text.size() - kChecksum - 1] != '_' ||
        checksum(text.substr(0, text.size() - kChecksum - 1)) != text.substr(text.size() - kChecksum))
        return refuse("the enrolment code is cut off or mistyped: paste all of it");
    const Result<std::string> body =
        from_base64url(text.substr(kPrefix.size(), text.size() - kPrefix.size() - 1 - kChecksum));
    if (!body) return refuse("enrolment code: damaged inside");
    return from_json(*body);
}

}  // namespace sallyport
