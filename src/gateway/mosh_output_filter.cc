#include "gateway/mosh_output_filter.h"

#include <algorithm>

namespace sallyport::gateway {
namespace {

constexpr std::string_view kFarewell = "[mosh is exiting.]\n";
constexpr std::string_view kFarewellCooked = "[mosh is exiting.]\r\n";

bool begins(std::string_view whole, std::string_view part) { return whole.substr(0, part.size()) == part; }

}  // namespace

MoshOutputFilter::MoshOutputFilter(std::string_view nonce)
    : title_(std::string("\x1b]0;").append(kExitTitle).append(nonce).append("-")) {}

MoshOutputFilter::Match MoshOutputFilter::match(std::string_view rest) const {
    if (rest.front() == '[') {
        for (const std::string_view farewell : {kFarewell, kFarewellCooked}) {
            if (begins(rest, farewell)) return {Match::Kind::farewell, farewell.size()};
            if (begins(farewell, rest)) return {Match::Kind::partial};
        }
        return {};
    }
    if (!begins(rest, title_)) return {begins(title_, rest) ? Match::Kind::partial : Match::Kind::none};
    std::size_t at = title_.size();
    int status = 0;
    for (; at < rest.size() && at < title_.size() + 3 && rest[at] >= '0' && rest[at] <= '9'; ++at) status = status * 10 + (rest[at] - '0');
    if (at == rest.size()) return {Match::Kind::partial};
    if (rest[at] != '\a' || at == title_.size()) return {};
    return {Match::Kind::exit_title, at + 1, status};
}

Octets MoshOutputFilter::feed(Octets octets) {
    out_.clear();
    held_ += as_text(octets);
    std::string_view rest = held_;
    while (!rest.empty()) {
        const std::size_t at = rest.find_first_of("\x1b[");
        out_ += rest.substr(0, at);
        if (at == rest.npos) {
            rest = {};
            break;
        }
        rest.remove_prefix(at);
        const Match found = match(rest);
        if (found.kind == Match::Kind::partial) break;
        if (found.kind == Match::Kind::exit_title) {
            exit_status_ = found.status & 0xFF;
            rest.remove_prefix(found.octets);
            continue;
        }
        if (found.kind == Match::Kind::farewell && found.octets == rest.size()) break;  // the last thing it says, unless more follows
        out_ += rest.front();
        rest.remove_prefix(1);
    }
    held_.erase(0, held_.size() - rest.size());
    return as_octets(out_);
}

Octets MoshOutputFilter::finish() {
    out_ = std::move(held_);
    held_.clear();
    if (out_ == kFarewell || out_ == kFarewellCooked) out_.clear();
    return as_octets(out_);
}

}  // namespace sallyport::gateway
