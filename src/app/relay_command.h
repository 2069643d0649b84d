// relay_command.h: `sallyport relay`.
#pragma once
#include <CLI/App.hpp>

#include <functional>
#include <span>

namespace sallyport::app {

// Adds the subcommand; the function given back runs it after parsing, and gives the exit code.
// `arguments` are main()'s: an upgrade starts the program with them again.
std::function<int()> add_relay_command(CLI::App& program, std::span<char* const> arguments);

}  // namespace sallyport::app
