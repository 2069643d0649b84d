// agent_command.h: `sallyport agent`, and `sallyport agent trust NAME`.
#pragma once
#include <CLI/App.hpp>

#include <functional>

namespace sallyport::app {

// Adds the subcommand; the function given back runs it after parsing, and gives the exit code.
std::function<int()> add_agent_command(CLI::App& program);

}  // namespace sallyport::app
