#include "app/doctor_output.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace sallyport::app {
namespace {

DoctorReport some_report() {
    DoctorReport report{.subject = "agent", .steps = {}};
    report.steps.push_back({.step = "dns", .result = DoctorStep::Result::ok, .detail = "relay.example.org is 203.0.113.7", .cure = {}, .hints = {}, .facts = {{"addresses", std::string("203.0.113.7")}}});
    report.steps.push_back({.step = "relay_view", .result = DoctorStep::Result::failed, .detail = "no \x1b[31mURL", .cure = "add one", .hints = {"look twice"}, .facts = {}});
    report.steps.push_back({.step = "target_port", .result = DoctorStep::Result::not_tried, .detail = "not tried", .cure = {}, .hints = {}, .facts = {}});
    return report;
}

TEST(DoctorOutput, IsOneAlignedLineAStepAndItsCureBelow) {
    const DoctorReport report = some_report();
    EXPECT_EQ(doctor_line(report.steps[0], Marks::unicode), "✓ dns             relay.example.org is 203.0.113.7\n");
    EXPECT_EQ(doctor_line(report.steps[0], Marks::ascii), "ok    dns             relay.example.org is 203.0.113.7\n");
    EXPECT_EQ(doctor_line(report.steps[1], Marks::ascii),
              "FAIL  relay view      no ?[31mURL\n"
              "                      cure: add one\n"
              "                      hint: look twice\n");
    EXPECT_EQ(doctor_line(report.steps[2], Marks::unicode), "– target port     not tried\n");
    EXPECT_EQ(doctor_summary(report), "The first hop that fails: relay_view. no ?[31mURL\n");
    EXPECT_EQ(doctor_summary({}), "All is well.\n");
}

TEST(DoctorOutput, IsOneObjectForPrograms) {
    const auto object = boost::json::parse(doctor_json(some_report())).as_object();
    EXPECT_EQ(object.at("doctor"), "agent");
    EXPECT_EQ(object.at("ok"), false);
    EXPECT_EQ(object.at("first_failed"), "relay_view");
    const auto& steps = object.at("steps").as_array();
    ASSERT_EQ(steps.size(), 3u);
    for (const auto& step : steps)
        for (const char* member : {"step", "result", "detail", "cure", "hints", "took_ms", "facts"}) EXPECT_TRUE(step.as_object().contains(member)) << member;
    EXPECT_EQ(steps[0].at("facts").at("addresses"), "203.0.113.7");
    EXPECT_EQ(steps[2].at("result"), "not_tried");
    EXPECT_TRUE(boost::json::parse(doctor_json({})).at("first_failed").is_null());
}

}  // namespace
}  // namespace sallyport::app
