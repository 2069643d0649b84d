// exit_code.h: what the program's exit codes mean; a contract (docs/relay.md).
#pragma once

namespace sallyport::app {

enum ExitCode : int {
    kDone = 0,
    kFailed = 1,           // one line on standard error says why
    kWrongUsage = 2,       // the command line or a configuration value can't be meant
    kRelayNotRunning = 3,  // `sallyport admin`: nobody answers on the admin socket
};

}  // namespace sallyport::app
