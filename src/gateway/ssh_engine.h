// ssh_engine.h: a terminal carried by a pty on a session channel of the connection to the remote: what interactive sessions use where
// mosh doesn't work, or isn't wanted. Lives on the link's loop, and keeps the link.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/remote_link.h"
#include "gateway/terminal_engine.h"

namespace sallyport::gateway {

struct SshTerminalStart {
    std::string term;
    std::vector<std::pair<std::string, std::string>> variables;
    std::string command;  // "": the login shell
    bool agent = false;   // its programs may ask the user's agent
};

std::unique_ptr<TerminalEngine> make_ssh_engine(Loop& loop, RemoteLinkPtr link, SshTerminalStart start);

}  // namespace sallyport::gateway
