// key_cache.h: what the remote's authorized_keys files said, by user, for a while; and for which users nobody asks now, since
// asking failed three times within a minute. Bounded in entries and octets. Pure: the time comes as an argument.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/octets.h"

namespace sallyport::gateway {

class KeyCache {
public:
    using Text = std::shared_ptr<const std::string>;  // of one file, as it was fetched

    static constexpr std::size_t kMostUsers = 4'096;
    static constexpr ByteCount kMostOctets = 32_MiB;
    static constexpr std::size_t kMostFailures = 3;
    static constexpr std::chrono::seconds kFailureWindow{60};

    explicit KeyCache(Duration kept_for) : kept_for_(kept_for) {}

    Text find(std::string_view user, TimePoint now);  // null: nothing, or too old
    void keep(std::string_view user, std::string text, TimePoint now);
    void forget(std::string_view user);

    void note_failure(std::string_view user, TimePoint now);
    bool may_fetch(std::string_view user, TimePoint now);

    std::size_t users() const { return kept_.size(); }

private:
    struct Kept {
        Text text;
        TimePoint until;
    };
    using KeptByUser = std::map<std::string, Kept, std::less<>>;
    void drop(KeptByUser::iterator place);
    void make_room(TimePoint now, ByteCount octets);

    const Duration kept_for_;
    KeptByUser kept_;
    ByteCount octets_ = 0;
    std::map<std::string, std::vector<TimePoint>, std::less<>> failures_;  // those of the last kFailureWindow, oldest first
};

}  // namespace sallyport::gateway
