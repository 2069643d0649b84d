#include "tun_device.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace sallyport::wan {
namespace {

Result<Descriptor> open_path(const std::string& path, int flags) {
    Descriptor opened{::open(path.c_str(), flags | O_CLOEXEC)};
    if (!opened) return fail_errno(errno, "open " + path);
    return opened;
}

Result<> move_to(const Descriptor& space) {
    if (::setns(space.get(), CLONE_NEWNET) != 0) return fail_errno(errno, "setns");
    return {};
}

Result<Descriptor> make_here(const std::string& name) {
    Result<Descriptor> device = open_path("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (!device) return device;
    ifreq request{};
    if (name.size() >= sizeof request.ifr_name) return fail(Errc::invalid_argument, name + ": too long for a device");
    std::memcpy(request.ifr_name, name.data(), name.size());
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(device->get(), TUNSETIFF, &request) != 0) return fail_errno(errno, "TUNSETIFF " + name);
    return device;
}

}  // namespace

Result<Descriptor> make_tun_device(const std::string& space, const std::string& name) {
    Result<Descriptor> home = open_path("/proc/thread-self/ns/net", O_RDONLY);
    if (!home) return home;
    Result<Descriptor> there = open_path("/run/netns/" + space, O_RDONLY);
    if (!there) return there;
    if (Result<> moved = move_to(*there); !moved) return std::unexpected(moved.error());
    Result<Descriptor> device = make_here(name);
    if (Result<> back = move_to(*home); !back) return std::unexpected(back.error());
    return device;
}

}  // namespace sallyport::wan
