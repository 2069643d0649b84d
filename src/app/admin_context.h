// admin_context.h: what all commands of `sallyport admin` share: how they are registered, ask the relay and print.
#pragma once
#include <CLI/App.hpp>
#include <boost/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/admin_client.h"
#include "base/result.h"

namespace sallyport::app {

class AdminContext {
public:
    using Action = std::function<Result<>()>;

    explicit AdminContext(CLI::App& command);
    AdminContext(const AdminContext&) = delete;
    AdminContext& operator=(const AdminContext&) = delete;

    CLI::App& command() { return command_; }
    bool json() const { return json_; }
    AdminClient client() const;

    // What to do when this subcommand was given.
    void on(CLI::App* subcommand, Action action) { actions_.emplace_back(subcommand, std::move(action)); }
    int run() const;

    // Asks; with --json prints the answer and gives nothing, else gives it to be shown.
    Result<> show(std::string_view method, std::string_view path, const boost::json::object& body,
                  const std::function<void(const boost::json::object&)>& show_to_people) const;

private:
    CLI::App& command_;
    std::string state_dir_;
    bool json_ = false;
    std::vector<std::pair<CLI::App*, Action>> actions_;
};

// Members of the API's answers, "" (or false, or nothing) where one is absent: a newer or older relay may leave some out.
std::string text_of(const boost::json::object& object, std::string_view member);
double number_of(const boost::json::object& object, std::string_view member);
bool flag_of_member(const boost::json::object& object, std::string_view member);
const boost::json::object& object_of(const boost::json::object& object, std::string_view member);
const boost::json::array& array_of(const boost::json::object& object, std::string_view member);

// A route's health in a few words: "ok", "target: target_refused".
std::string health_text(const boost::json::object& route);

void print(std::string_view text);       // to standard output
void print_note(std::string_view text);  // to standard error, so that standard output holds only what a program could want

}  // namespace sallyport::app
