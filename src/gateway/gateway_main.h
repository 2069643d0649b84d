// gateway_main.h: runs a gateway as a program: loop, signals, what it tells people. SIGTERM and SIGINT stop it in order (drain_timeout);
// a second one at once.
#pragma once
#include "base/log.h"
#include "config/gateway_config.h"

namespace sallyport::gateway {

// The exit code: 0 after a signal, 1 when it could not start (one line on standard error says why).
int run_gateway(GatewayConfig config, Log& log);

}  // namespace sallyport::gateway
