// login.h: who a user is and what let him in.
#pragma once
#include <string>

#include "base/secret.h"
#include "gateway/counters.h"
#include "gateway/terminal_session.h"
#include "wire/authorized_keys.h"

namespace sallyport::gateway {

struct Login {
    std::string user;
    std::string ip;
    LoginBy by = LoginBy::local_key;
    std::string key;                  // fingerprint, or "password"
    AuthorizedKeyOptions options{};
    Secret password{};                // what he typed, where the remote is to be asked with it, too

    SessionHolder holder() const { return {user, key}; }
};

}  // namespace sallyport::gateway
