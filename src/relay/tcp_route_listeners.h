// tcp_route_listeners.h: the listening sockets of TCP routes: binds the ports that routes name, keeps them bound over changes, and makes of
// stored routes what the edges take (edge/tcp_ports.h). Used on the store's thread only.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "edge/tcp_ports.h"
#include "net/socket_address.h"
#include "relay/open_listeners.h"
#include "store/records.h"

namespace sallyport::relay {

class TcpRouteListeners {
public:
    struct Shown {
        std::string address;  // where it listens really
        std::string error;    // or why it doesn't
    };
    // `open`: where an upgrade finds what listens.
    TcpRouteListeners(Log& log, OpenListeners& open) : log_(log), open_(open) {}

    // A socket that the process before us has bound.
    void adopt(const std::string& listen, Descriptor listener);

    // Takes a port, unless it is held already: before a route for it is stored, so that the owner hears at once if it can't be.
    Result<> bind(const std::string& listen);
    // Holds what enabled routes need and no more. A port that can't be bound now is noted, and tried again at the next call.
    void keep(const std::vector<store::TcpRoute>& routes);

    std::shared_ptr<const Descriptor> listener(const std::string& listen) const;  // null: not bound
    Shown shown(const std::string& listen) const;

private:
    struct Port {
        std::shared_ptr<const Descriptor> listener;
        SocketAddress address;
        std::string error;
    };
    void hold(const std::string& listen, Descriptor listener);

    Log& log_;
    OpenListeners& open_;
    std::map<std::string, Port> ports_;
};

// What an edge serves of a stored route.
TcpRoute served_form(const store::TcpRoute& route, const store::Agent& agent);

}  // namespace sallyport::relay
