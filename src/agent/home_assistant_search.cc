#include "agent/home_assistant_search.h"

#include <algorithm>

#include "wire/home_assistant_answers.h"

namespace sallyport {
namespace {
constexpr std::chrono::milliseconds kGrace{300};  // arbitrary: a name may take so much longer to resolve than a literal
}

HomeAssistantSearch::HomeAssistantSearch(Loop& loop, Workers& workers, OriginTrust& trust,
                                         std::vector<Target> candidates, Done done)
    : loop_(loop),
      workers_(workers),
      trust_(trust),
      candidates_(std::move(candidates)),
      done_(std::move(done)),
      grace_(loop, [this] {
          const auto best = std::ranges::find(asked_, true, &Asked::found);
          finish(best == asked_.end() ? std::nullopt : std::optional(best->target));
      }) {
    ask("http");
    if (asked_.empty()) ask("https");
    if (asked_.empty()) grace_.start(Duration::zero());
}

HomeAssistantSearch::~HomeAssistantSearch() = default;

void HomeAssistantSearch::ask(std::string_view scheme) {
    scheme_ = scheme;
    asked_.clear();
    for (const Target& candidate : candidates_)
        if (candidate.url.scheme == scheme) asked_.push_back({candidate, nullptr, false});
    for (std::size_t i = 0; i < asked_.size(); ++i) {
        asked_[i].get =
            std::make_unique<HttpGet>(loop_, workers_, trust_, asked_[i].target, HttpGet::Request{"/manifest.json", {}},
                                      [this, i](const auto& result) { on_answer(i, result); });
    }
}

void HomeAssistantSearch::on_answer(std::size_t index,
                                    const std::expected<HttpGet::Answered, HttpGet::Failed>& result) {
    loop_.dispose(std::move(asked_[index].get));
    asked_[index].found = result && is_home_assistant(result->answer);
    settle();
}

void HomeAssistantSearch::settle() {
    for (const Asked& asked : asked_) {
        if (asked.found) return finish(asked.target);
        if (!asked.get) continue;
        // A better one is still under way.
        if (!grace_.running() && std::ranges::any_of(asked_, &Asked::found)) grace_.start(kGrace);
        return;
    }
    if (scheme_ == "http") {
        ask("https");
        if (!asked_.empty()) return;
    }
    finish(std::nullopt);
}

void HomeAssistantSearch::finish(std::optional<Target> found) {
    grace_.cancel();
    for (Asked& asked : asked_) loop_.dispose(std::move(asked.get));
    if (auto done = std::exchange(done_, nullptr)) done(std::move(found));
}

}  // namespace sallyport
