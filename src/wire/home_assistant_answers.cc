#include "wire/home_assistant_answers.h"

#include <boost/json.hpp>

#include "wire/utf8.h"

namespace sallyport {
namespace json = boost::json;
namespace {

constexpr std::string_view kProduct = "Home Assistant";
constexpr std::string_view kTrustedNetworks = "trusted_networks";

std::optional<json::value> parse(const HttpAnswer& answer) {
    if (!answer.complete) return std::nullopt;
    boost::system::error_code error;
    json::value value = json::parse(answer.content, error);
    if (error) return std::nullopt;
    return value;
}

bool has_text(const json::object& object, std::string_view key, std::string_view text) {
    const json::value* value = object.if_contains(key);
    return value && value->is_string() && std::string_view(value->get_string()) == text;
}

}  // namespace

bool is_home_assistant(const HttpAnswer& manifest) {
    if (manifest.status != 200) return false;
    const auto value = parse(manifest);
    const json::object* object = value ? value->if_object() : nullptr;
    return object && (has_text(*object, "name", kProduct) || has_text(*object, "short_name", kProduct));
}

std::optional<bool> lists_trusted_networks(const HttpAnswer& providers) {
    // 400: the onboarding isn't over and nobody can log in yet; 404: a release without login providers.
    if (providers.status == 400 || providers.status == 404) return false;
    if (providers.status != 200) return std::nullopt;
    const auto value = parse(providers);
    if (!value) return std::nullopt;
    // A bare list in older releases, a member of an object in newer ones.
    const json::array* list = value->if_array();
    if (const json::object* object = value->if_object()) {
        const json::value* member = object->if_contains("providers");
        list = member ? member->if_array() : nullptr;
    }
    if (!list) return std::nullopt;
    for (const json::value& provider : *list)
        if (provider.is_object() && has_text(provider.get_object(), "type", kTrustedNetworks)) return true;
    return false;
}

std::optional<CoreConfig> read_core_config(const HttpAnswer& answer) {
    if (answer.status != 200) return std::nullopt;
    const auto value = parse(answer);
    const json::object* object = value ? value->if_object() : nullptr;
    if (!object || !object->contains("version")) return std::nullopt;
    const auto text = [&](std::string_view key) {
        const json::value* found = object->if_contains(key);
        return found && found->is_string() ? bounded_utf8(found->get_string(), 300) : std::string();
    };
    return CoreConfig{text("external_url"), text("version")};
}

ForwardedForSupport judge_forwarded_for(int status_without, int status_with) {
    if (status_with == status_without && status_with != 400) return ForwardedForSupport::accepted;
    if (status_with == 400 && status_without != 400) return ForwardedForSupport::refused;
    return ForwardedForSupport::unknown;
}

bool needs_forwarded_for(const HomeAssistantFindings& findings) {
    return findings.trusted_networks && findings.forwarded_for != ForwardedForSupport::accepted;
}

std::string advice_of(const HomeAssistantFindings& findings) {
    if (!findings.home_assistant || findings.forwarded_for == ForwardedForSupport::accepted) return {};
    // "localhost" may mean either, from one connection to the next.
    const bool loopback = findings.local_ip.starts_with("127.") || findings.local_ip == "::1";
    std::string cure =
        "in Home Assistant (Settings > System > Network, or http: in configuration.yaml) set use_x_forwarded_for: "
        "true, ";
    cure += "trusted_proxies: " + (loopback ? "127.0.0.1, ::1" : findings.local_ip);
    if (findings.trusted_networks) return "not served, trusted_networks would let anyone in without password; " + cure;
    return "every visitor looks like " + findings.local_ip + " to it; " + cure;
}

}  // namespace sallyport
