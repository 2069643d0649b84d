// upgrade.h: the running relay's side of an upgrade: starts the program anew and hands over to it what it asks for, step by step
// (upgrade_message.h). Until the new process accepts, nothing is lost: if it dies, fails or takes longer than its patience, it is
// killed, the store is opened again and all goes on as before.
//
// A thread of its own for each attempt, since it waits for a process and a disk. begin() and the destructor are called on one
// loop. At most one attempt at a time.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "net/service_notifier.h"
#include "relay/open_listeners.h"
#include "relay/program.h"
#include "relay/upgrade_message.h"

namespace sallyport::relay {

struct UpgradeStep {
    std::chrono::milliseconds at;  // since the beginning
    std::string text;              // for people
};

struct UpgradeOutcome {
    pid_t pid = 0;        // of the new process
    std::string version;  // its own word
    std::vector<UpgradeStep> steps;
};

class Upgrade {
public:
    // Called on the attempt's thread.
    class Host {
    public:
        virtual Result<std::vector<OpenListener>> copy_listeners() = 0;
        virtual Result<> give_store_away(std::chrono::milliseconds longest) = 0;
        virtual Result<> take_store_back() = 0;
        // The new process accepts. Stop accepting, and drain. `channel` tells what is revoked meanwhile.
        virtual void on_replaced(ChildProcess successor, MessageChannel channel) = 0;

    protected:
        ~Host() = default;
    };
    using Done = std::move_only_function<void(Result<UpgradeOutcome>)>;

    Upgrade(Host& host, Program program, const ServiceNotifier& notifier, Log& log,
            std::chrono::milliseconds patience = std::chrono::seconds(30));
    ~Upgrade();  // gives up what is under way

    // `done` is called on the attempt's thread, when the new process accepts or all is as before. conflict: one is under way.
    void begin(Done done);
    bool under_way() const { return under_way_; }
    void give_up() { given_up_ = true; }  // soon: the new process is killed, unless it accepts already

private:
    void run(Done done);
    Result<UpgradeOutcome> attempt();
    Result<UpgradeMessage> expect(std::string_view kind);
    std::string last_words();
    Result<> converse(ChildProcess& child, UpgradeOutcome& outcome);
    void note(UpgradeOutcome& outcome, std::string text) const;
    void open_store_again();

    Host& host_;
    const Program program_;
    const ServiceNotifier& notifier_;
    Log& log_;
    const std::chrono::milliseconds patience_;

    // The attempt's.
    TimePoint began_{};
    TimePoint deadline_{};
    MessageChannel channel_{Descriptor()};
    bool store_is_away_ = false;

    std::atomic<bool> under_way_{false};
    std::atomic<bool> given_up_{false};
    std::thread thread_;
};

}  // namespace sallyport::relay
