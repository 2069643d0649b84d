// admin_client.h: the admin API of a running relay, over the Unix socket in its state folder. Blocking; one request a
// connection. For the command line only.
#pragma once
#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport::app {

class AdminClient {
public:
    explicit AdminClient(std::filesystem::path state_dir) : state_dir_(std::move(state_dir)) {}

    const std::filesystem::path& state_dir() const { return state_dir_; }

    struct Answer {
        int status = 0;
        std::string content;
        bool try_again = false;  // nothing was done: it can be asked again in a moment
    };
    // Errc::unreachable: no relay is running there; permission_denied: the socket is another user's.
    Result<Answer> ask(std::string_view method, std::string_view path, const boost::json::object& body = {}) const;

    // The same for paths below /api/v1/ that answer JSON; an error of the API becomes an Error with its text.
    Result<boost::json::object> ask_json(std::string_view method, std::string_view path, const boost::json::object& body = {}) const;

private:
    Result<Answer> ask_once(std::string_view method, std::string_view path, const boost::json::object& body) const;
    std::filesystem::path state_dir_;
};

// The text of an API error: "hostnames: …".
Error error_of_answer(const AdminClient::Answer& answer);

}  // namespace sallyport::app
