#include "edge/doctor_tickets.h"

#include <openssl/crypto.h>

#include "base/random.h"
#include "wire/relay_view.h"

namespace sallyport {

std::string DoctorTickets::issue(const std::string& agent_id, TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (by_agent_.size() >= kMostTickets && !by_agent_.contains(agent_id)) {
        std::erase_if(by_agent_, [now](const auto& item) { return item.second.until <= now; });
        if (by_agent_.size() >= kMostTickets) return {};
    }
    Ticket& ticket = by_agent_[agent_id];
    ticket = {random_token(16), now + kLife, kMostRequests};
    return ticket.text;
}

bool DoctorTickets::admit(std::string_view ticket, std::string_view agent_id, TimePoint now) {
    const std::lock_guard lock(mutex_);
    const auto found = by_agent_.find(std::string(agent_id));
    if (found == by_agent_.end()) return false;
    Ticket& known = found->second;
    if (known.text.size() != ticket.size() || CRYPTO_memcmp(known.text.data(), ticket.data(), ticket.size()) != 0) return false;
    if (known.until <= now || known.left == 0) return false;
    --known.left;
    return true;
}

DoctorPath DoctorPath::of(std::string_view target) {
    if (!target.starts_with(kDoctorPath)) return {};
    target.remove_prefix(kDoctorPath.size());
    if (!target.starts_with('/')) return {};
    target.remove_prefix(1);
    const std::size_t end = target.find('/');
    if (end == std::string_view::npos) return {};
    return {target.substr(0, end), target.substr(end)};
}

}  // namespace sallyport
