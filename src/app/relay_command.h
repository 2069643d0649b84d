// relay_command.h: `sallyport relay`.
#pragma once
#include <CLI/App.hpp>

#include <functional>

namespace sallyport::app {

// Adds the subcommand; the function given back runs it after parsing, and gives the exit code.
std::function<int()> add_relay_command(CLI::App& program);

}  // namespace sallyport::app
