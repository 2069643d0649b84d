#include "edge/route_table.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

Route make_route(std::string hostname, std::string prefix, std::string agent = "a") {
    Route route;
    route.id = hostname + prefix;
    route.hostname = std::move(hostname);
    route.path_prefix = std::move(prefix);
    route.agent_id = std::move(agent);
    return route;
}

RouteTable make_table() {
    return RouteTable({
        make_route("home.example.org", "/", "root"),
        make_route("home.example.org", "/api", "api"),
        make_route("home.example.org", "/api/v2", "v2"),
        make_route("home.example.org", "/files/", "files"),
        make_route("home.example.org", "/a//b", "double"),
        make_route("*.example.org", "/", "wild"),
        make_route("only.example.net", "/deep/er", "deep"),
    });
}

TEST(RouteTable, FindsExactNameThenWildcardThenLongestPrefix) {
    const RouteTable table = make_table();
    struct Row {
        const char* host;
        const char* path;
        const char* agent;  // "" for none
    };
    const Row rows[] = {
        {"home.example.org", "/", "root"},
        {"home.example.org", "/apix", "root"},
        {"home.example.org", "/api", "api"},
        {"home.example.org", "/api/", "api"},
        {"home.example.org", "/api/v1", "api"},
        {"home.example.org", "/api/v2", "v2"},
        {"home.example.org", "/api/v2/x/y", "v2"},
        {"home.example.org", "/api/v20", "api"},
        {"home.example.org", "/API", "root"},
        {"home.example.org", "/files", "root"},
        {"home.example.org", "/files/", "files"},
        {"home.example.org", "/files/x", "files"},
        {"home.example.org", "//api", "root"},
        {"home.example.org", "/a//b", "double"},
        {"home.example.org", "/a//b/c", "double"},
        {"home.example.org", "/a/b", "root"},
        {"home.example.org", "/%61pi", "root"},
        {"home.example.org", "*", "root"},
        {"home.example.org", "", "root"},
        {"x.example.org", "/", "wild"},
        {"x.y.example.org", "/", ""},
        {"example.org", "/", ""},
        {".example.org", "/", ""},
        {"only.example.net", "/", ""},
        {"only.example.net", "/deep", ""},
        {"only.example.net", "/deep/er", "deep"},
        {"", "/", ""},
    };
    for (const Row& row : rows) {
        const Route* route = table.find(row.host, row.path);
        EXPECT_EQ(route ? route->agent_id : "", row.agent) << row.host << row.path;
    }
}

TEST(RouteTable, NamesTheAgentOfTheShortestPrefixForAServerName) {
    const RouteTable table = make_table();
    EXPECT_EQ(table.agent_for_server_name("home.example.org"), "root");
    EXPECT_EQ(table.agent_for_server_name("only.example.net"), "deep");
    EXPECT_EQ(table.agent_for_server_name("other.example.net"), "");
}

TEST(RouteTable, OfTwoAlikeTheFirstCounts) {
    const RouteTable table({make_route("h.example", "/x", "one"), make_route("h.example", "/x", "two")});
    EXPECT_EQ(table.find("h.example", "/x")->agent_id, "one");
}

TEST(RouteTable, FindsDisabledRoutesInsteadOfTheShorterPrefix) {
    std::vector<Route> routes{make_route("h.example", "/"), make_route("h.example", "/off")};
    routes[1].enabled = false;
    const RouteTable table(std::move(routes));
    EXPECT_FALSE(table.find("h.example", "/off/x")->enabled);
}

TEST(RouteTable, ChangesOneNameAndLeavesTheTableBeforeAsItWas) {
    const RouteTable before = make_table();
    RouteTable after = before;
    after.set_routes_of("home.example.org", {make_route("home.example.org", "/", "new")});
    after.set_routes_of("*.example.org", {});
    after.set_routes_of("*.example.com", {make_route("*.example.com", "/", "com")});
    EXPECT_EQ(before.find("home.example.org", "/api")->agent_id, "api");
    EXPECT_EQ(before.find("x.example.org", "/")->agent_id, "wild");
    EXPECT_FALSE(before.find("x.example.com", "/"));
    EXPECT_EQ(after.find("home.example.org", "/api")->agent_id, "new");
    EXPECT_FALSE(after.find("x.example.org", "/"));
    EXPECT_EQ(after.find("x.example.com", "/")->agent_id, "com");
    EXPECT_EQ(after.find("only.example.net", "/deep/er"), before.find("only.example.net", "/deep/er"));  // shared
    EXPECT_EQ(before.routes_of("home.example.org").size(), 5u);
    EXPECT_EQ(after.routes_of("*.example.com").size(), 1u);
    EXPECT_TRUE(after.routes_of("*.example.org").empty());
    const std::vector<std::string> expected{"*.example.com", "home.example.org", "only.example.net"};
    EXPECT_EQ(after.hostnames(), expected);
}

TEST(RouteTable, EmptyFindsNothing) { EXPECT_EQ(RouteTable().find("h.example", "/"), nullptr); }

}  // namespace
}  // namespace sallyport
