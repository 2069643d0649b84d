// doctor_command.h: `sallyport doctor`: what is wrong on the way, and its cure; on the agent's machine, or with --relay on the relay's.
#pragma once
#include <CLI/App.hpp>

#include <functional>

namespace sallyport::app {

// Adds the subcommand; the function given back runs it after parsing, and gives the exit code.
std::function<int()> add_doctor_command(CLI::App& program);

}  // namespace sallyport::app
