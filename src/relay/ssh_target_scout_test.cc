// Services that answer at once, by the request that they get.
#include "relay/ssh_target_scout.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kManifest = R"({"name":"Home Assistant","short_name":"Assistant","start_url":"/?homescreen=1"})";

std::string answer(int status, std::string_view content) {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(content.size()) + "\r\n\r\n" + std::string(content);
}

// Takes the request as soon as it is woken and gives the answer at the end of the turn.
class Service final : public Stream {
public:
    using Answer = std::function<std::string(const std::string& request)>;
    Service(Loop& loop, Owner& owner, Answer answer) : owner_(owner), answer_(std::move(answer)), reply_(loop, [this] { reply(); }) {}
    void wake() override {
        std::array<std::byte, 4096> room{};
        const Pulled pulled = owner_.on_stream_pull(room);
        request_.append(as_text(Octets(room).first(pulled.octets)));
        reply_.ask();
    }
    void consumed(ByteCount) override {}
    void reset() override { cut_ = true; }

private:
    void reply() {
        if (cut_) return;
        const std::string octets = answer_(request_);
        owner_.on_stream_accepted();
        if (!cut_) owner_.on_stream_octets(as_octets(octets));
        if (!cut_) owner_.on_stream_end();
    }
    Owner& owner_;
    Answer answer_;
    std::string request_;
    bool cut_ = false;
    TurnEnd reply_;
};

struct SshTargetScoutTest : testing::Test {
    void settle() {
        const int before = looks;
        scout.look();
        while (looks == before) loop.turn(10ms);
    }
    void be_home_assistant(std::string providers, int with_field) {
        service = [=](const std::string& request) {
            if (request.starts_with("GET /auth/providers ")) return answer(200, providers);
            return request.contains("X-Forwarded-For: 192.0.2.1") ? answer(with_field, with_field == 200 ? kManifest : "") : answer(200, kManifest);
        };
    }

    Loop loop;
    std::optional<Service::Answer> service;
    int looks = 0;
    int changes = 0;
    SshTargetScout scout{loop, [this](Stream::Owner& owner) -> Result<StreamPtr> {
                             if (!service) return fail(Errc::no_space, "nobody is there");
                             return std::make_unique<Service>(loop, owner, *service); },
                         [this](bool changed) {
                             ++looks;
                             changes += changed ? 1 : 0;
                         }};
};

TEST_F(SshTargetScoutTest, KnowsAHomeAssistantThatTakesTheField) {
    be_home_assistant(R"([{"type":"homeassistant"}])", 200);
    settle();
    EXPECT_TRUE(scout.known());
    EXPECT_TRUE(scout.findings().home_assistant);
    EXPECT_FALSE(scout.findings().trusted_networks);
    EXPECT_EQ(scout.findings().forwarded_for, ForwardedForSupport::accepted);
    EXPECT_EQ(changes, 1);
}

TEST_F(SshTargetScoutTest, KnowsOneThatWouldLetTheInternetIn) {
    be_home_assistant(R"([{"type":"homeassistant"},{"type":"trusted_networks"}])", 400);
    settle();
    EXPECT_TRUE(scout.known());
    EXPECT_TRUE(scout.findings().trusted_networks);
    EXPECT_EQ(scout.findings().forwarded_for, ForwardedForSupport::refused);
}

TEST_F(SshTargetScoutTest, ProvidersThatCantBeReadAreNoNo) {
    be_home_assistant("no list", 400);
    settle();
    EXPECT_FALSE(scout.known());
}

TEST_F(SshTargetScoutTest, WhatSpeaksNoHttpIsNoHomeAssistant) {
    service = [](const std::string&) { return std::string("220 mail.example ESMTP\r\n"); };
    settle();
    EXPECT_TRUE(scout.known());
    EXPECT_FALSE(scout.findings().home_assistant);
}

TEST_F(SshTargetScoutTest, WhoIsntThereIsAskedAgain) {
    settle();
    EXPECT_FALSE(scout.known());
    be_home_assistant(R"([{"type":"homeassistant"}])", 200);
    settle();
    EXPECT_TRUE(scout.known());
    scout.look_again();  // too soon
    EXPECT_EQ(looks, 2);
}

}  // namespace
}  // namespace sallyport::relay
