#include "relay/open_listeners.h"

#include <fcntl.h>

namespace sallyport::relay {

Descriptor copy_of(int descriptor) { return Descriptor(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3)); }

void OpenListeners::add(std::string name, std::string configured, int descriptor) {
    const std::lock_guard lock(mutex_);
    open_.push_back({std::move(name), std::move(configured), copy_of(descriptor)});
}

Result<std::vector<OpenListener>> OpenListeners::copies() const {
    const std::lock_guard lock(mutex_);
    std::vector<OpenListener> copies;
    for (const OpenListener& listener : open_) {
        copies.push_back({listener.name, listener.configured, copy_of(listener.descriptor.get())});
        if (!copies.back().descriptor) return fail(Errc::no_space, "descriptors have run out");
    }
    return copies;
}

void OpenListeners::remove(std::string_view name, std::string_view configured) {
    const std::lock_guard lock(mutex_);
    std::erase_if(open_, [&](const OpenListener& listener) { return listener.name == name && listener.configured == configured; });
}

void OpenListeners::close() {
    const std::lock_guard lock(mutex_);
    open_.clear();
}

}  // namespace sallyport::relay
