// home_assistant_probe.h: asks one target three times over: is it Home Assistant, does it list `trusted_networks`, does
// it take X-Forwarded-For from us. At most 5 s and 64 KiB each. Lives on one loop; destroying it cancels it. What is
// known already can be asked anew for `trusted_networks` alone: Home Assistant logs an error for each X-Forwarded-For
// that it doesn't want.
#pragma once
#include <functional>
#include <memory>

#include "wire/home_assistant_answers.h"
#include "agent/http_get.h"

namespace sallyport {

class HomeAssistantProbe {
public:
    struct Outcome {
        HomeAssistantFindings findings;
        Refusal why;             // if nothing was answered
        bool connected = false;  // and whether anything was there
    };
    using Done = std::function<void(Outcome)>;  // called once, on the loop, never inside the constructor

    HomeAssistantProbe(Loop& loop, Workers& workers, OriginTrust& trust, Target target, Done done);
    // The rest of `known` is taken to hold still.
    HomeAssistantProbe(Loop& loop, Workers& workers, OriginTrust& trust, Target target, HomeAssistantFindings known,
                       Done done);
    ~HomeAssistantProbe();

private:
    using Got = std::expected<HttpGet::Answered, HttpGet::Failed>;
    void get(std::string path, std::string forwarded_for, void (HomeAssistantProbe::*then)(Got&));
    void on_manifest(Got& result);
    void on_providers(Got& result);
    void on_forwarded(Got& result);
    void finish();
    void give_up(const HttpGet::Failed& why);

    Loop& loop_;
    Workers& workers_;
    OriginTrust& trust_;
    Target target_;
    Done done_;
    Outcome outcome_;
    int manifest_status_ = 0;
    bool only_providers_ = false;
    std::unique_ptr<HttpGet> get_;
};

}  // namespace sallyport
