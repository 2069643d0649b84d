// doctor_report.h: what `sallyport doctor` found out, step by step from here outwards. Plain values; step names, results and facts
// are a contract (docs/doctor.md). Texts may hold what another machine said: escape before showing.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sallyport {

struct DoctorStep {
    enum class Result : std::uint8_t {
        ok,
        failed,
        skipped,    // doesn't apply here, or can't be found out: detail says why
        not_tried,  // a step before it failed
    };
    using Fact = std::variant<std::string, std::int64_t, bool>;

    std::string step;    // "dns"
    Result result = Result::not_tried;
    std::string detail;  // one line: what was found
    std::string cure;    // of failed (sometimes of skipped): what to do, in plain words
    std::vector<std::string> hints;
    std::vector<std::pair<std::string, Fact>> facts;
    std::int64_t took_ms = 0;
};

constexpr std::string_view name_of(DoctorStep::Result result) {
    switch (result) {
        case DoctorStep::Result::ok: return "ok";
        case DoctorStep::Result::failed: return "failed";
        case DoctorStep::Result::skipped: return "skipped";
        case DoctorStep::Result::not_tried: return "not_tried";
    }
    return "not_tried";
}

struct DoctorReport {
    std::string subject;  // "agent" or "relay"
    std::vector<DoctorStep> steps;

    const DoctorStep* first_failed() const {
        const auto found = std::ranges::find(steps, DoctorStep::Result::failed, &DoctorStep::result);
        return found == steps.end() ? nullptr : &*found;
    }
};

}  // namespace sallyport
