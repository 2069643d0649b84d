// What a remote prints on being asked for a mosh-server, whole and cut in two: the same answer, a port and key that can be used.
#include <cstdint>
#include <cstdlib>

#include "gateway/mosh_datagram.h"
#include "gateway/mosh_server_start.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sallyport;
    using namespace sallyport::gateway;
    const Octets in = as_octets(data, size);
    MoshServerAnswer whole;
    whole.feed(in);
    whole.ended(1);
    MoshServerAnswer cut;
    const std::size_t at = size ? data[0] % size : 0;
    cut.feed(in.first(at));
    cut.feed(in.subspan(at));
    cut.ended(1);
    if (!whole.server() != !cut.server() || whole.failure() != cut.failure()) std::abort();
    if (const MoshServer* server = whole.server()) {
        if (server->port == 0 || (server->pid && *server->pid <= 1)) std::abort();
        if (!MoshDatagramOpener::make(server->key)) std::abort();
    } else if (!whole.failure()) {
        std::abort();
    }
    return 0;
}
