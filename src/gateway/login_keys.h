// login_keys.h: whether a key may log in, by the lines of an authorized_keys file. Pure.
#pragma once
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "wire/authorized_keys.h"

namespace sallyport::gateway {

// The options of the first line that lets `key` in from that address at that time. Errc::unauthorized, with the reason for
// our log: no line names it, or each that does has expired or is for other addresses.
Result<AuthorizedKeyOptions> judge_key(const AuthorizedKeys& keys, const SshPublicKey& key, std::string_view ip, WallTime now);

}  // namespace sallyport::gateway
