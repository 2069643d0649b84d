// parts.h: what every user's connection works with: the gateway's parts, made once and outliving all connections. One loop.
#pragma once
#include <optional>

#include "config/gateway_config.h"
#include "gateway/admission.h"
#include "gateway/counters.h"
#include "gateway/key_fetcher.h"
#include "gateway/local_keys.h"
#include "gateway/password_judge.h"
#include "gateway/remote_pool.h"
#include "gateway/terminals.h"

namespace sallyport::gateway {

struct Parts {
    Loop& loop;
    Log& log;
    const GatewayConfig& config;
    Counters& counters;
    Admission& admission;
    const RemoteSite& site;
    LocalKeys& local_keys;
    PasswordJudge& passwords;
    RemotePool& pool;
    const ssh::PrivateKey* own_key;  // null: users log in to the remote with their agents
    KeyFetcher* fetcher;             // null without own_key
    Terminals& terminals;
};

}  // namespace sallyport::gateway
