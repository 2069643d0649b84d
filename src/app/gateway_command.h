// gateway_command.h: `sallyport gateway`.
#pragma once
#include <CLI/App.hpp>

#include <functional>

namespace sallyport::app {

// Adds the subcommand; calling the result runs it and gives the exit code.
std::function<int()> add_gateway_command(CLI::App& program);

}  // namespace sallyport::app
