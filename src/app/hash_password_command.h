// hash_password_command.h: `sallyport hash-password`: makes the hash of a password for a route's basic_auth. The password is typed
// twice at the terminal, unseen, or is the first line of standard input; never an argument, which other users could see.
#pragma once
#include <CLI/App.hpp>

#include <functional>

namespace sallyport::app {

// The returned function runs it and gives the exit code.
std::function<int()> add_hash_password_command(CLI::App& program);

}  // namespace sallyport::app
