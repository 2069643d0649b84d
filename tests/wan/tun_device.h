// tun_device.h: a TUN device in a named network namespace: whatever the kernel routes to it can be read, one IP packet a
// read, and what is written arrives there.
#pragma once
#include <string>

#include "base/result.h"
#include "net/descriptor.h"

namespace sallyport::wan {

// `space` is a name `ip netns` knows. The device is gone with its descriptor (non-blocking). Moves the calling thread into
// the namespace and back: call it before there are other threads. Needs root.
Result<Descriptor> make_tun_device(const std::string& space, const std::string& name);

}  // namespace sallyport::wan
