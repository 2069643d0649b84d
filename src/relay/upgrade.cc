#include "relay/upgrade.h"

#include <unistd.h>

#include <algorithm>

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 100ms;        // whether it was given up
constexpr auto kLastWords = 5000ms;       // for a process that has closed its end, to end
constexpr auto kOpenAgainEvery = 1000ms;  // the store, when it can't be opened after a failure

}  // namespace

Upgrade::Upgrade(Host& host, Program program, const ServiceNotifier& notifier, Log& log, std::chrono::milliseconds patience)
    : host_(host), program_(std::move(program)), notifier_(notifier), log_(log), patience_(patience) {}

Upgrade::~Upgrade() {
    give_up();
    if (thread_.joinable()) thread_.join();
}

void Upgrade::begin(Done done) {
    if (under_way_.exchange(true)) return done(fail(Errc::conflict, "an upgrade is under way already"));
    if (thread_.joinable()) thread_.join();  // of an attempt that has ended
    thread_ = std::thread([this, done = std::move(done)]() mutable { run(std::move(done)); });
}

void Upgrade::run(Done done) {
    auto outcome = attempt();
    if (!outcome) {
        log_.error("relay.upgrade_failed", {{"detail", outcome.error().detail}, {"kept", "this process goes on"}});
        if (store_is_away_) open_store_again();
        if (store_is_away_) outcome.error().detail += "; and the database can't be opened again at the moment (see the log)";
    }
    const bool failed = !outcome;
    done(std::move(outcome));
    while (failed && store_is_away_ && !given_up_) {
        std::this_thread::sleep_for(kOpenAgainEvery);
        open_store_again();
    }
    under_way_ = false;
}

void Upgrade::open_store_again() {
    const auto opened = host_.take_store_back();
    if (opened) store_is_away_ = false;
    else log_.error("relay.store_unavailable", {{"detail", opened.error().detail}});
}

Result<UpgradeOutcome> Upgrade::attempt() {
    began_ = Clock::now();
    deadline_ = began_ + patience_;
    auto ends = MessageChannel::make();
    if (!ends) return std::unexpected(ends.error());
    auto child = ChildProcess::start(program_, ends->second.get());
    if (!child) return std::unexpected(child.error());
    ends->second.close();
    channel_ = std::move(ends->first);
    log_.info("relay.upgrade_begun", {{"pid", child->pid()}, {"program", program_.path}});

    UpgradeOutcome outcome;
    outcome.pid = child->pid();
    note(outcome, "started pid " + std::to_string(child->pid()));
    if (auto done = converse(*child, outcome); !done) {
        const bool it_left = done.error().code == Errc::reset;
        const std::string end = child->wait_or_kill(it_left ? kLastWords : 0ms);
        const std::string reason = it_left ? last_words() : "";
        channel_.close();
        if (!reason.empty()) done.error().detail = reason;
        else if (it_left) done.error().detail = "the new process did not get ready: " + end + " (its own words are in the log)";
        return std::unexpected(done.error());
    }
    log_.info("relay.upgraded", {{"pid", outcome.pid}, {"version", outcome.version}, {"took_ms", outcome.steps.back().at.count()}});
    host_.on_replaced(std::move(*child), std::move(channel_));
    return outcome;
}

Result<> Upgrade::converse(ChildProcess& child, UpgradeOutcome& outcome) {
    const auto hello = expect("hello");
    if (!hello) return std::unexpected(hello.error());
    outcome.version = hello->text("version");
    const auto listeners = host_.copy_listeners();
    if (!listeners) return std::unexpected(listeners.error());
    for (const OpenListener& listener : *listeners) {
        auto sent = send_upgrade_message(channel_, deadline_, "listener",
                                         {{"name", listener.name}, {"configured", listener.configured}}, listener.descriptor.get());
        if (!sent) return sent;
    }
    if (auto sent = send_upgrade_message(channel_, deadline_, "listeners_end"); !sent) return sent;
    if (const auto prepared = expect("prepared"); !prepared) return std::unexpected(prepared.error());
    note(outcome, "it is version " + outcome.version + ", read its configuration and got the listening sockets");

    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
    if (auto given = host_.give_store_away(std::max(left, 0ms)); !given) return given;
    store_is_away_ = true;
    note(outcome, "store handed over");
    if (auto sent = send_upgrade_message(channel_, deadline_, "store"); !sent) return sent;
    if (const auto accepting = expect("accepting"); !accepting) return std::unexpected(accepting.error());
    note(outcome, "new process accepts");

    // Before the new one says READY: a manager that listens to the main process only has to know which that is.
    notifier_.main_pid(child.pid());
    if (auto sent = send_upgrade_message(channel_, deadline_, "farewell"); !sent) {
        notifier_.main_pid(::getpid());
        return sent;
    }
    store_is_away_ = false;  // it is the new one's
    return {};
}

// In small pieces of time, to notice that it was given up.
Result<UpgradeMessage> Upgrade::expect(std::string_view kind) {
    for (;;) {
        auto message = receive_upgrade_message(channel_, std::min(deadline_, Clock::now() + kLookEvery));
        if (given_up_) return fail(Errc::refused, "the relay was told to stop");
        if (!message) {
            if (message.error().code != Errc::timeout) return std::unexpected(message.error());
            if (Clock::now() < deadline_) continue;
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience_).count();
            return fail(Errc::timeout, "the new process was not ready within " + std::to_string(seconds) + " s");
        }
        if (message->kind == kind) return message;
        if (message->kind == "failed") return fail(Errc::refused, message->text("detail"));
    }
}

// It may have said why, and ended, before we noticed. That it left what we sent unread is told once, before what it sent.
std::string Upgrade::last_words() {
    for (int ends = 0; ends < 2;) {
        const auto message = receive_upgrade_message(channel_, Clock::now());
        if (message && message->kind == "failed") return message->text("detail");
        if (!message && message.error().code != Errc::protocol) ++ends;
    }
    return {};
}

void Upgrade::note(UpgradeOutcome& outcome, std::string text) const {
    outcome.steps.push_back({std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_), std::move(text)});
}

}  // namespace sallyport::relay
