// mosh_engine.h: a terminal carried by mosh: mosh-client in a pty of its own, its datagrams relayed by us (DatagramLink), so that we
// know contact, round trip and loss, and so that its arguments name nothing but this machine.
// mosh-client's own escape key is off (ours is in KeyFilter), and it draws the bar "last contact" itself.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "gateway/mosh_server_start.h"
#include "gateway/process_reaper.h"
#include "gateway/terminal_engine.h"
#include "net/loop.h"
#include "net/socket_address.h"

namespace sallyport::gateway {

enum class MoshPrediction { adaptive, always, never, experimental };
Result<MoshPrediction> parse_mosh_prediction(std::string_view text);

struct MoshSettings {
    std::filesystem::path client = "mosh-client";  // looked up in PATH where it has no slash
    MoshPrediction prediction = MoshPrediction::adaptive;
    bool predict_overwrite = false;
    std::chrono::milliseconds contact_timeout{6'000};  // without any answer by then: TerminalEnd::no_contact
    bool repeat = true;                                // see DatagramLink
    std::chrono::seconds refused_after{20};            // ICMP "port unreachable" for so long: mosh-server is gone
};

struct MoshStart {
    SocketAddress remote;    // of mosh-server; its port is server.port
    MoshServer server;
    std::string exit_nonce;  // as in the request
    std::string term;        // of the user's terminal; decides which escape sequences mosh-client may use
};

// The reaper outlives the engine. A mosh-client that can't be started is told by on_terminal_end, at the end of the turn.
std::unique_ptr<TerminalEngine> make_mosh_engine(Loop& loop, ProcessReaper& reaper, const MoshSettings& settings, MoshStart start);

}  // namespace sallyport::gateway
