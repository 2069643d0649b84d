// mosh_output_filter.h: takes out of mosh-client's output what isn't the terminal's: the title by which the remote says how its shell
// ended (see mosh_server_command), and mosh-client's farewell. Octets pass as they come but for a few that may be the beginning of
// either. Pure.
//
// The exit status travels as a title since mosh carries titles reliably, up to the very last state, and mosh-client itself always
// exits with 0.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/octets.h"

namespace sallyport::gateway {

inline constexpr std::string_view kExitTitle = "sallyport-exit-";  // then the nonce, "-" and the status in decimal

class MoshOutputFilter {
public:
    explicit MoshOutputFilter(std::string_view nonce);

    // What may be shown of `octets` and of what was held back before; valid until the next call.
    Octets feed(Octets octets);
    // No more follows: the rest, without the farewell.
    Octets finish();

    std::optional<int> exit_status() const { return exit_status_; }

private:
    // How `rest`, which begins with ESC or '[', goes on.
    struct Match {
        enum class Kind { none, partial, exit_title, farewell } kind = Kind::none;
        std::size_t octets = 0;
        int status = 0;
    };
    Match match(std::string_view rest) const;
    const std::string title_;  // ESC ] 0 ; and all up to the status
    std::string held_;
    std::string out_;
    std::optional<int> exit_status_;
};

}  // namespace sallyport::gateway
