// home_assistant_answers.h: what the answers of a (supposed) Home Assistant say about it. Pure; answers come from
// outside, bounded by HttpAnswerReader.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "wire/control_message.h"
#include "wire/http_answer_reader.h"

namespace sallyport {

// GET /manifest.json: the web app manifest of Home Assistant's frontend.
bool is_home_assistant(const HttpAnswer& manifest);

// GET /auth/providers: whether the login provider that lets a network in without a password is there. No value: can't
// be told.
std::optional<bool> lists_trusted_networks(const HttpAnswer& providers);

// GET /api/config, for those with a token: what Home Assistant says of itself. Texts are cut at 300 octets.
struct CoreConfig {
    std::string external_url;  // "": not set
    std::string version;
};
std::optional<CoreConfig> read_core_config(const HttpAnswer& answer);

// The status of the same GET without and with X-Forwarded-For. Home Assistant answers 400 to the field from a peer that
// it doesn't trust, and reads it from one that it trusts.
ForwardedForSupport judge_forwarded_for(int status_without, int status_with);

// What the agent found out about one http or https target.
struct HomeAssistantFindings {
    bool answered = false;  // else nothing below was found out
    bool home_assistant = false;
    ForwardedForSupport forwarded_for = ForwardedForSupport::unknown;
    bool trusted_networks = false;
    std::string local_ip;  // the agent's address as the target sees it
    bool operator==(const HomeAssistantFindings&) const = default;
};

// True when the Internet could log in without a password: nothing may be served without the field.
bool needs_forwarded_for(const HomeAssistantFindings& findings);

// One line for the owner: what to set in Home Assistant. Empty if there is nothing to do.
std::string advice_of(const HomeAssistantFindings& findings);

}  // namespace sallyport
