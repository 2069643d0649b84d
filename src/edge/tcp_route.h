// tcp_route.h: a public TCP port, where it leads and how: MQTT, SSH, RTSP, anything. Plain values, immutable once shared.
#pragma once
#include <string>
#include <vector>

#include "wire/ip_network.h"

namespace sallyport {

struct TcpRoute {
    std::string id;
    std::string listen;      // as configured, ":1883": what logs and metrics call it
    std::string agent_id;
    std::string agent_name;  // for logs
    std::string target;
    bool tls = false;             // TLS ends at the relay; else its octets pass like any others
    bool proxy_protocol = false;  // the target is told the visitor's address by a PROXY header, version 2
    std::vector<IpNetwork> allow;  // who may connect; empty: everybody
};

}  // namespace sallyport
