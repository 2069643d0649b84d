// ssh_target_scout.h: what is known of the service behind one forward of an SSH client. Nobody at home asks it, so the relay does,
// through the forward: is it Home Assistant, does its login page let some addresses in without a password (trusted_networks), does it
// take X-Forwarded-For from the client's machine. Until that is known, nothing is sent to it.
//
// Asked at once, again when somebody wants to open a stream and it isn't known, and each minute unless the field is taken: a Home
// Assistant that still starts answers like something else, and one whose login providers change must not be served as before.
// One GET then; all three only when it has to be found out. Lives on the client's loop; give it to Loop::dispose.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "relay/stream_get.h"
#include "wire/home_assistant_answers.h"

namespace sallyport::relay {

class SshTargetScout {
public:
    static constexpr std::chrono::seconds kAgain{60};

    // on_looked: a look has come to its end, and whether something below says something new; never called inside a call to this.
    SshTargetScout(Loop& loop, StreamGet::Open open, std::function<void(bool changed)> on_looked);
    ~SshTargetScout();
    SshTargetScout(const SshTargetScout&) = delete;
    SshTargetScout& operator=(const SshTargetScout&) = delete;

    void look();        // unless it is known, or being asked
    void look_again();  // what is known may not hold any more; at most once in kAgain

    bool known() const { return known_; }
    const HomeAssistantFindings& findings() const { return findings_; }

private:
    using Then = void (SshTargetScout::*)(StreamGet::Got&);
    void find_out();
    void get(std::string_view path, std::string_view forwarded_for, Then then);
    void on_manifest(StreamGet::Got& got);
    void on_providers(StreamGet::Got& got);
    void on_forwarded(StreamGet::Got& got);
    void give_up(const StreamGet::Failed& why);
    void settle(bool known, HomeAssistantFindings findings);

    Loop& loop_;
    StreamGet::Open open_;
    std::function<void(bool changed)> on_looked_;
    bool known_ = false;
    bool only_what_changes_ = false;  // of this look
    HomeAssistantFindings findings_;  // what is told
    HomeAssistantFindings found_;     // by the look under way
    int manifest_status_ = 0;
    TimePoint looked_at_ = Clock::now() - std::chrono::hours(1);
    std::unique_ptr<StreamGet> get_;
    Timer again_;
};

}  // namespace sallyport::relay
