// strand.h: one loop of a relay and what lives on it.
#pragma once
#include <memory>
#include <thread>
#include <vector>

#include "edge/edge.h"
#include "net/loop.h"
#include "relay/ssh_door.h"
#include "relay/tunnel_door.h"

namespace sallyport::relay {

struct Strand {
    Loop loop;
    std::unique_ptr<Door> door;
    std::unique_ptr<Edge> edge;
    std::unique_ptr<SshDoor> ssh;
    std::thread thread;  // of the first one none: Relay::run() uses the caller's
};
using Strands = std::vector<std::unique_ptr<Strand>>;

}  // namespace sallyport::relay
