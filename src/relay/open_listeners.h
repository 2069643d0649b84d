// open_listeners.h: what a relay listens on, ready to be passed to the process that replaces it: a copy of each descriptor beside the
// one that is accepted from, both of one open socket with one queue. Any thread.
#pragma once
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/descriptor.h"

namespace sallyport::relay {

struct OpenListener {
    std::string name;        // "https", "http", "plain", "metrics", "admin", "tcp"
    std::string configured;  // what the configuration says (":443"), so that a successor knows whether it wants the same
    Descriptor descriptor;
};

class OpenListeners {
public:
    void add(std::string name, std::string configured, int descriptor);
    Result<std::vector<OpenListener>> copies() const;  // no_space: descriptors have run out
    void remove(std::string_view name, std::string_view configured);
    void close();  // a socket is gone with its last copy

private:
    mutable std::mutex mutex_;
    std::vector<OpenListener> open_;
};

// A second descriptor of the same socket; empty if descriptors have run out.
Descriptor copy_of(int descriptor);

}  // namespace sallyport::relay
