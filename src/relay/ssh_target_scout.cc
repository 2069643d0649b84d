#include "relay/ssh_target_scout.h"

#include "base/version.h"
#include "wire/http1_writer.h"

namespace sallyport::relay {
namespace {

constexpr std::string_view kNobody = "192.0.2.1";  // TEST-NET-1 (RFC 5737): no visitor has it

std::string head_of(std::string_view path, std::string_view forwarded_for) {
    RequestHead head;
    head.method = "GET";
    head.target = path;
    head.authority = "localhost";
    head.fields.add("User-Agent", "sallyport/" + std::string(kVersion));
    head.fields.add("Accept", "application/json");
    if (!forwarded_for.empty()) head.fields.add("X-Forwarded-For", forwarded_for);
    std::string out;
    write_request_head(out, head, ConnectionOption::close);
    return out;
}

}  // namespace

SshTargetScout::SshTargetScout(Loop& loop, StreamGet::Open open, std::function<void(bool changed)> on_looked)
    : loop_(loop), open_(std::move(open)), on_looked_(std::move(on_looked)), again_(loop, [this] {
          if (get_ || !known_) return;
          only_what_changes_ = true;
          found_ = findings_.home_assistant ? findings_ : HomeAssistantFindings{};
          if (findings_.home_assistant) get("/auth/providers", {}, &SshTargetScout::on_providers);
          else get("/manifest.json", {}, &SshTargetScout::on_manifest);
      }) {}

SshTargetScout::~SshTargetScout() {
    if (get_) get_->cancel();
    loop_.dispose(std::move(get_));
}

void SshTargetScout::look() {
    if (!known_ && !get_) find_out();
}

void SshTargetScout::look_again() {
    if (!get_ && Clock::now() - looked_at_ >= kAgain) find_out();
}

void SshTargetScout::find_out() {
    only_what_changes_ = false;
    found_ = {};
    get("/manifest.json", {}, &SshTargetScout::on_manifest);
}

void SshTargetScout::get(std::string_view path, std::string_view forwarded_for, Then then) {
    looked_at_ = Clock::now();
    again_.cancel();
    loop_.dispose(std::move(get_));
    get_ = std::make_unique<StreamGet>(loop_, open_, head_of(path, forwarded_for), [this, then](StreamGet::Got got) { (this->*then)(got); });
}

void SshTargetScout::on_manifest(StreamGet::Got& got) {
    if (!got) return give_up(got.error());
    manifest_status_ = got->status;
    found_.home_assistant = is_home_assistant(*got);
    if (found_.home_assistant) {
        only_what_changes_ = false;
        return get("/auth/providers", {}, &SshTargetScout::on_providers);
    }
    if (only_what_changes_) return settle(true, findings_);
    get("/manifest.json", kNobody, &SshTargetScout::on_forwarded);
}

void SshTargetScout::on_providers(StreamGet::Got& got) {
    if (!got) return give_up(got.error());
    const auto listed = lists_trusted_networks(*got);
    // Who can't tell must not say "no": the visitors would be let in.
    if (!listed) return give_up({true, "its login providers can't be read"});
    found_.trusted_networks = *listed;
    if (only_what_changes_) return settle(true, found_);
    get("/manifest.json", kNobody, &SshTargetScout::on_forwarded);
}

void SshTargetScout::on_forwarded(StreamGet::Got& got) {
    if (!got) return give_up(got.error());
    found_.forwarded_for = judge_forwarded_for(manifest_status_, got->status);
    found_.answered = true;
    settle(true, found_);
}

// What is there but speaks no HTTP is no Home Assistant, unless it was one a moment ago; what isn't there may become anything.
void SshTargetScout::give_up(const StreamGet::Failed& why) {
    const bool was_one = found_.home_assistant || findings_.home_assistant;
    settle(why.connected && !was_one, {});
}

void SshTargetScout::settle(bool known, HomeAssistantFindings findings) {
    loop_.dispose(std::move(get_));
    const bool changed = known != known_ || !(findings == findings_);
    known_ = known;
    findings_ = std::move(findings);
    if (known && findings_.forwarded_for != ForwardedForSupport::accepted) again_.start(kAgain);
    on_looked_(changed);
}

}  // namespace sallyport::relay
