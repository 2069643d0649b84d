// home_assistant_search.h: finds the Home Assistant behind the built-in target `homeassistant`: asks the usual
// addresses, first over http, then over https, and takes the first that answers like it; the order of the candidates
// decides among those that answer at about the same time. Lives on one loop; destroying it cancels it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/http_get.h"
#include "agent/targets.h"

namespace sallyport {

class HomeAssistantSearch {
public:
    // Called once, on the loop, never inside the constructor: the candidate, or no value when none of them is it.
    using Done = std::function<void(std::optional<Target>)>;

    HomeAssistantSearch(Loop& loop, Workers& workers, OriginTrust& trust, std::vector<Target> candidates, Done done);
    ~HomeAssistantSearch();

private:
    struct Asked {
        Target target;
        std::unique_ptr<HttpGet> get;  // null once it is over
        bool found = false;
    };
    void ask(std::string_view scheme);
    void on_answer(std::size_t index, const std::expected<HttpGet::Answered, HttpGet::Failed>& result);
    void settle();
    void finish(std::optional<Target> found);

    Loop& loop_;
    Workers& workers_;
    OriginTrust& trust_;
    std::vector<Target> candidates_;
    Done done_;
    std::vector<Asked> asked_;
    std::string scheme_;
    Timer grace_;  // runs from the first that was found: how long better ones may take
};

}  // namespace sallyport
