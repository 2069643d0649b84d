#include "gateway/login_keys.h"

namespace sallyport::gateway {

Result<AuthorizedKeyOptions> judge_key(const AuthorizedKeys& keys, const SshPublicKey& key, std::string_view ip, WallTime now) {
    const auto address = parse_ip_address(ip);
    std::string why = "no line names it";
    for (const AuthorizedKey& line : keys.keys) {
        if (line.options.cert_authority || line.key != key) continue;
        if (line.options.expired(now)) why = "its line has expired";
        else if (!address || !line.options.lets_in_from(*address)) why = "its line is for other addresses";
        else return line.options;
    }
    return fail(Errc::unauthorized, std::move(why));
}

}  // namespace sallyport::gateway
