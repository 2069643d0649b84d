// Any stored policy: it is read or it serves nothing; what is read can be stored, shown and read again, and shows no hash.
#include <cstdint>
#include <cstdlib>

#include "edge/route_policy_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    const std::string_view stored(reinterpret_cast<const char*>(data), size);
    const auto policy = load_route_policy(stored);
    const auto shown = show_route_policy(stored);
    if (policy && policy->basic_auth)
        for (const auto& user : policy->basic_auth->users)
            if (boost::json::serialize(shown).find(user.hash) != std::string::npos) std::abort();
    if (policy && policy->unreadable) return 0;
    const auto kept = change_route_policy(stored, {});
    if (!kept) return 0;  // too long only
    const auto again = load_route_policy(*kept);
    if (!again != !policy || (again && again->unreadable)) std::abort();
    if (!policy) return 0;
    if (policy->idle_timeout && *policy->idle_timeout < kLeastIdleTimeout) std::abort();
    (void)policy->addresses.admits("192.0.2.1");
    (void)policy->paths.judge("/api/%68assio");
    return 0;
}
