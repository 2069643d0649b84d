// target_scout.h: what is known about each target: where the built-in `homeassistant` is, and what a Home Assistant
// says about itself. A stream to an http target waits until that was asked once, because a Home Assistant with
// `trusted_networks` must not be served before the relay knows, and the relay sends nothing of a request before reports()
// say that it was probed. Asked anew at each connect, when the relay wants it,
// and after the target was gone. Lives on one loop.
#pragma once
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/home_assistant_probe.h"
#include "agent/home_assistant_search.h"
#include "agent/targets.h"
#include "base/log.h"
#include "wire/control_message.h"

namespace sallyport {

class TargetScout {
public:
    struct Pace {
        // At the relay's wish a target is asked no more often than this; and what was found out about a Home Assistant
        // that doesn't take X-Forwarded-For is taken to hold no longer: its next stream waits until the login providers
        // were read anew.
        std::chrono::milliseconds again{60'000};
        // What a stream waits at most for a target that nothing speaks for being a Home Assistant.
        std::chrono::milliseconds patience{2'000};
        // For so long after a Home Assistant has come to need the field, streams are refused: the relay may have sent them
        // before it heard.
        std::chrono::milliseconds on_the_way{5'000};
        // Nobody else decides by reports(): while a Home Assistant needs the field, streams to it are refused.
        bool decides = false;
    };

    // on_change: reports() says something new.
    TargetScout(Loop& loop, Workers& workers, OriginTrust& trust, Log& log, const TargetTable& table,
                std::function<void()> on_change, Pace pace);
    ~TargetScout();
    TargetScout(const TargetScout&) = delete;
    TargetScout& operator=(const TargetScout&) = delete;

    using Ready = std::function<void(std::expected<Target, Refusal>)>;
    // Calls `ready` with where to dial, inside this call when that is known. It may come much later: `ready` must bear
    // that its caller is gone.
    void prepare(const Target& target, Ready ready);

    // A new tunnel is up: what was found out may be out of date, and reports() says so until it was asked anew.
    void begin_anew();
    // Asks these targets of the table now unless they were asked since begin_anew().
    void look_at(const std::vector<std::string>& names);
    // The relay wants to know again.
    void look_again();
    // Dialling failed: where it is and what it says is not known any more.
    void forget(std::string_view name);

    std::vector<TargetReport> reports() const;

private:
    enum class State : std::uint8_t { unknown, asking, known };
    struct Known;
    Known& known_of(const Target& target);
    void ask(Known& known);
    void ask_for_providers(Known& known);
    void ask_target(Known& known);
    void on_found(Known& known, std::optional<Target> target);
    std::optional<Refusal> objection(const Known& known) const;
    void forget_verdict(Known& known);
    void on_outcome(Known& known, const HomeAssistantProbe::Outcome& outcome);
    void lose_patience(Known& known);
    void answer(Known& known, std::expected<Target, Refusal> answer);
    void show(const Known& known) const;

    Loop& loop_;
    Workers& workers_;
    OriginTrust& trust_;
    Log& log_;
    const TargetTable& table_;
    std::function<void()> on_change_;
    Pace pace_;
    std::map<std::string, std::unique_ptr<Known>, std::less<>> known_;
};

}  // namespace sallyport
