#include "wire/enrolment_code.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/encoding.h"

namespace sallyport {
namespace {

EnrolmentCode code() {
    return {.public_url = "https://relay.example.org:8443",
            .pin = to_base64url(as_octets(std::string(32, 'p'))),
            .agent_id = "a7q2",
            .secret = Secret("0123456789abcdefABCDEF"),
            .targets = {{"homeassistant", "http://homeassistant:8123"}, {"nas", "https://10.0.0.5"}}};
}

TEST(EnrolmentCode, ComesBackHoweverPasted) {
    const std::string text(format_enrolment_code(code())->reveal());
    EXPECT_TRUE(text.starts_with("sallyport1_"));
    std::string wrapped = "\r\n  ";
    for (std::size_t i = 0; i < text.size(); ++i) wrapped += (i % 76 == 75 ? "\n\t" : "") + text.substr(i, 1);
    for (const std::string& pasted : {text, text + "\n", wrapped}) {
        const auto read = parse_enrolment_code(pasted);
        ASSERT_TRUE(read) << read.error().detail;
        EXPECT_EQ(read->public_url, code().public_url);
        EXPECT_EQ(read->pin, code().pin);
        EXPECT_EQ(read->agent_id, code().agent_id);
        EXPECT_EQ(read->secret.reveal(), code().secret.reveal());
        EXPECT_EQ(read->targets, code().targets);
    }
}

TEST(EnrolmentCode, SaysWhatIsWrong) {
    const std::string text(format_enrolment_code(code())->reveal());
    for (std::size_t size = 1; size < text.size(); ++size) {
        const auto cut = parse_enrolment_code(text.substr(0, size));
        ASSERT_FALSE(cut);
        EXPECT_NE(cut.error().detail.find("cut off"), std::string::npos) << size << " " << cut.error().detail;
    }
    std::string mistyped = text;
    mistyped[40] = mistyped[40] == 'A' ? 'B' : 'A';
    EXPECT_NE(parse_enrolment_code(mistyped).error().detail.find("mistyped"), std::string::npos);
    EXPECT_EQ(parse_enrolment_code("sallyport2_" + text).error().code, Errc::newer_version);
    EXPECT_EQ(parse_enrolment_code(" \n").error().detail, "no enrolment code was given");
    EXPECT_EQ(parse_enrolment_code("hello").error().detail, "this is no enrolment code: it begins with sallyport1_");
    EXPECT_EQ(parse_enrolment_code(std::string(5000, 'a')).error().detail, "this is longer than any enrolment code");
}

TEST(EnrolmentCode, BoundsItsValues) {
    const std::vector<std::function<void(EnrolmentCode&)>> spoil = {
        [](EnrolmentCode& c) { c.public_url = "relay"; },
        [](EnrolmentCode& c) { c.pin = "short"; },
        [](EnrolmentCode& c) { c.agent_id = ""; },
        [](EnrolmentCode& c) { c.agent_id = "a/b"; },
        [](EnrolmentCode& c) { c.secret = Secret("short"); },
        [](EnrolmentCode& c) { c.secret = Secret(std::string(200, 's')); },
        [](EnrolmentCode& c) { c.targets[0].name = "A b"; },
        [](EnrolmentCode& c) { c.targets[0].url = "homeassistant"; },
        [](EnrolmentCode& c) { c.targets.resize(17, c.targets[0]); },
        [](EnrolmentCode& c) {
            c.targets.assign(16, {"a", "http://" + std::string(60, 'a') + "." + std::string(60, 'a') + "." +
                                           std::string(60, 'a') + "." + std::string(60, 'a')});
        },
    };
    for (std::size_t i = 0; i < spoil.size(); ++i) {
        EnrolmentCode bad = code();
        spoil[i](bad);
        EXPECT_FALSE(format_enrolment_code(bad)) << i;
    }
    EnrolmentCode least = code();
    least.pin.clear();
    least.targets.clear();
    EXPECT_TRUE(parse_enrolment_code(format_enrolment_code(least)->reveal()));
}

}  // namespace
}  // namespace sallyport
