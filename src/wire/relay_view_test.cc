#include "wire/relay_view.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

RelayView some_view() {
    RelayView view;
    view.agent = "home";
    view.relay_version = "0.1.0";
    view.time_ms = 1'795'000'000'123;
    view.peer = "192.0.2.7";
    view.tunnel = RelayView::Tunnel{"192.0.2.7", "0.1.0", 61, 20'000, true};
    view.refused_peer = "192.0.2.8";
    view.routes = {{"https://home.example.org/", "homeassistant"}};
    view.ticket = "abc";
    view.ticket_s = 120;
    return view;
}

TEST(RelayView, ReadsWhatItWrites) {
    EXPECT_EQ(*parse_relay_view(format_relay_view(some_view())), some_view());
    RelayView offline = some_view();
    offline.tunnel.reset();
    EXPECT_EQ(*parse_relay_view(format_relay_view(offline)), offline);
}

TEST(RelayView, LeavesOutRoutesBeyondItsBound) {
    RelayView view = some_view();
    view.routes.assign(256, {std::string(256, 'u'), std::string(256, 't')});
    const std::string text = format_relay_view(view);
    EXPECT_LE(text.size(), RelayView::kMaxOctets);
    const auto read = parse_relay_view(text);
    ASSERT_TRUE(read);
    EXPECT_GT(read->routes.size(), 32u);
}

TEST(RelayView, RefusesWhatItIsNot) {
    struct {
        std::string_view what, text;
        Errc code;
    } rows[] = {
        {"nothing", "", Errc::protocol},
        {"no JSON", "<html>", Errc::protocol},
        {"a list", "[]", Errc::protocol},
        {"an agent that is a number", R"({"agent":1})", Errc::protocol},
        {"a tunnel that is a text", R"({"tunnel":"x"})", Errc::protocol},
        {"a route that is a text", R"({"routes":["x"]})", Errc::protocol},
        {"a tunnel with a wrong member", R"({"tunnel":{"lost":1}})", Errc::protocol},
    };
    for (const auto& row : rows) {
        const auto read = parse_relay_view(row.text);
        ASSERT_FALSE(read) << row.what;
        EXPECT_EQ(read.error().code, row.code) << row.what;
    }
    EXPECT_EQ(parse_relay_view(std::string(RelayView::kMaxOctets + 1, ' ')).error().code, Errc::too_large);
}

TEST(RelayView, IgnoresWhatItDoesNotKnow) {
    const auto read = parse_relay_view(R"({"agent":"home","tunnel":null,"later":{"x":1},"time_ms":-5})");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->agent, "home");
    EXPECT_EQ(read->time_ms, 0);
    EXPECT_FALSE(read->tunnel);
}

}  // namespace
}  // namespace sallyport
