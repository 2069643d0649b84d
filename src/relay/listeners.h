// listeners.h: listening sockets, one a loop, all on the same address (SO_REUSEPORT); the kernel spreads connections over them.
// Called before the loops run.
#pragma once
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/descriptor.h"
#include "net/socket_address.h"
#include "wire/listen_address.h"

namespace sallyport::relay {

struct Listeners {
    SocketAddress address;  // with the port the kernel chose, if it was to choose
    std::vector<Descriptor> descriptors;
};

class Predecessor;

// `key` is the configuration's (https_listen): an error names it, and says what to do where the right to bind is missing.
Result<Listeners> listen_on(const ListenAddress& address, std::size_t count, std::string_view key);

// In an upgrade (`predecessor`, may be null) those of the process before, where the configuration still says the same: none of the
// connections that wait in them is lost. At least `count`: where there are fewer, some stand there twice.
Result<Listeners> take_or_listen(Predecessor* predecessor, const ListenAddress& address, std::size_t count, std::string_view name);

}  // namespace sallyport::relay
