// route_policy_flags.h: the flags of `sallyport admin route add|set` that make up a route's policy (docs/routes.md), and the policy
// as a few words for `route list`. No secret has a flag: password hashes come from a file or standard input.
#pragma once
#include <CLI/App.hpp>
#include <boost/json.hpp>

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::app {

class RoutePolicyFlags {
public:
    explicit RoutePolicyFlags(CLI::App& command);
    RoutePolicyFlags(const RoutePolicyFlags&) = delete;
    RoutePolicyFlags& operator=(const RoutePolicyFlags&) = delete;

    // The member "policy", with what was given; nothing was given, no member. Reads the file of --basic-auth.
    Result<> put_into(boost::json::object& body) const;

private:
    struct Flag {
        std::string member;
        std::string value;
        std::vector<std::string> values;
        std::function<Result<boost::json::value>(const Flag&)> read;
        CLI::Option* option = nullptr;
    };
    void add_word(CLI::App& command, const char* flag, const char* member, const char* type, const char* help, std::string_view off);
    void add_list(CLI::App& command, const char* flag, const char* member, const char* type, const char* help);
    CLI::Option* none_ = nullptr;  // --no-policy
    std::deque<Flag> flags_;  // its elements stay where they are: options point into them
};

// Lines "user:hash", empty ones and those with '#' in front passed over, as an object. Errc::invalid_argument.
Result<boost::json::object> parse_users(std::string_view text);

// "preset=home-assistant basic-auth=2 deny-path=/a,/b": as flags, but for users how many.
std::vector<std::string> words_of_policy(const boost::json::object& policy);

}  // namespace sallyport::app
