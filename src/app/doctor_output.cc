#include "app/doctor_output.h"

#include <boost/json.hpp>

#include "app/table.h"
#include "base/version.h"
#include "relay/api_json.h"

namespace sallyport::app {
namespace json = boost::json;
namespace {

constexpr std::size_t kNameWidth = 16;  // of the longest step's name and some room

std::string_view mark_of(DoctorStep::Result result, Marks marks) {
    const bool unicode = marks == Marks::unicode;
    switch (result) {
        case DoctorStep::Result::ok: return unicode ? "✓ " : "ok    ";
        case DoctorStep::Result::failed: return unicode ? "✗ " : "FAIL  ";
        default: return unicode ? "– " : "-     ";
    }
}

std::string name_of_step(std::string name) {
    for (char& c : name)
        if (c == '_') c = ' ';
    name.resize(std::max(name.size() + 1, kNameWidth), ' ');
    return name;
}

json::value value_of(const DoctorStep::Fact& fact) {
    return std::visit([](const auto& value) { return json::value(value); }, fact);
}

json::object to_json(const DoctorStep& step) {
    json::object facts;
    for (const auto& [name, fact] : step.facts) facts[name] = value_of(fact);
    return {{"step", step.step},
            {"result", name_of(step.result)},
            {"detail", step.detail},
            {"cure", step.cure},
            {"hints", json::value_from(step.hints)},
            {"took_ms", step.took_ms},
            {"facts", std::move(facts)}};
}

}  // namespace

std::string doctor_line(const DoctorStep& step, Marks marks) {
    std::string out = std::string(mark_of(step.result, marks)) + name_of_step(step.step) + printable(step.detail) + "\n";
    const std::string indent(mark_of(DoctorStep::Result::ok, Marks::ascii).size() * (marks == Marks::ascii) + 2 * (marks == Marks::unicode) + kNameWidth, ' ');
    if (!step.cure.empty()) out += indent + (step.result == DoctorStep::Result::failed ? "cure: " : "note: ") + printable(step.cure) + "\n";
    for (const std::string& hint : step.hints) out += indent + "hint: " + printable(hint) + "\n";
    return out;
}

std::string doctor_summary(const DoctorReport& report) {
    const DoctorStep* failed = report.first_failed();
    if (!failed) return "All is well.\n";
    return "The first hop that fails: " + failed->step + ". " + printable(failed->detail) + "\n";
}

std::string doctor_json(const DoctorReport& report) {
    const DoctorStep* failed = report.first_failed();
    json::array steps;
    for (const DoctorStep& step : report.steps) steps.push_back(to_json(step));
    return json::serialize(json::object{{"doctor", report.subject},
                                        {"version", kVersion},
                                        {"at", relay::iso_time(wall_now())},
                                        {"ok", failed == nullptr},
                                        {"first_failed", failed ? json::value(failed->step) : json::value(nullptr)},
                                        {"steps", std::move(steps)}}) +
           "\n";
}

}  // namespace sallyport::app
