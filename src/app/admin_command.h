// admin_command.h: `sallyport admin`: the relay owner's commands. Each asks the running relay over its admin socket and prints a
// table for people, or with --json the API's answer as it is.
#pragma once
#include <CLI/App.hpp>

#include <functional>

namespace sallyport::app {

// Adds the subcommand; the function given back runs it after parsing, and gives the exit code.
std::function<int()> add_admin_command(CLI::App& program);

}  // namespace sallyport::app
