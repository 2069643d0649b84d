// revoked.h: what a change of the directory took away: those who were let in by it have to go.
#pragma once
#include <string>
#include <vector>

namespace sallyport::relay {

struct Revoked {
    std::vector<std::string> agents;       // ids; removed or disabled
    std::vector<std::string> credentials;  // ids; revoked or removed
    bool empty() const { return agents.empty() && credentials.empty(); }
};

}  // namespace sallyport::relay
