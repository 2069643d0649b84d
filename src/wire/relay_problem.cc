#include "wire/relay_problem.h"

#include <boost/json.hpp>

#include "wire/utf8.h"

namespace sallyport {
namespace json = boost::json;

std::optional<RelayProblem> parse_relay_problem(std::string_view content) {
    constexpr std::size_t kMaxContent = 32 * 1024;
    constexpr std::size_t kMaxText = 300;
    if (content.size() > kMaxContent) return std::nullopt;
    boost::system::error_code failed;
    const json::value value = json::parse(content, failed);
    const json::object* object = failed ? nullptr : value.if_object();
    const json::value* member = object ? object->if_contains("error") : nullptr;
    const json::object* error = member ? member->if_object() : nullptr;
    if (!error || !error->contains("hop")) return std::nullopt;
    const auto text = [&](std::string_view key) {
        const json::value* found = error->if_contains(key);
        return found && found->is_string() ? bounded_utf8(found->get_string(), kMaxText) : std::string();
    };
    return RelayProblem{text("hop"), text("title"), text("detail")};
}

}  // namespace sallyport
