#include "wire/ip_network.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

std::string show(std::string_view text) {
    const auto network = IpNetwork::parse(text);
    return network ? network->text() : "! " + network.error().detail;
}

TEST(IpNetwork, ReadsAddressesAndNetworks) {
    const std::pair<std::string_view, std::string_view> table[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"192.0.2.1/32", "192.0.2.1"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"2001:DB8:0::/32", "2001:db8::/32"},
        {"::/0", "::/0"},
        {"::1", "::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
        {"10.0.0.0/33", "! \"10.0.0.0/33\": the length behind / is 0 to 32"},
        {"10.0.0.0/", "! \"10.0.0.0/\": the length behind / is 0 to 32"},
        {"10.0.0.0/+8", "! \"10.0.0.0/+8\": the length behind / is 0 to 32"},
        {"10.0.0.0/08", "! \"10.0.0.0/08\": the length behind / is 0 to 32"},
        {"::/129", "! \"::/129\": the length behind / is 0 to 128"},
        {"10.0.0.1/8", "! \"10.0.0.1/8\" is an address within a network; write 10.0.0.0/8 or leave the / out"},
        {"10.0.0", "! \"10.0.0\" is no IP address"},
        {"010.0.0.1", "! \"010.0.0.1\" is no IP address"},
        {"[::1]", "! \"[::1]\" is no IP address"},
        {"fe80::1%eth0", "! \"fe80::1%eth0\" is no IP address"},
        {"", "! \"\" is no IP address"},
        {std::string_view("1.2.3.4\0", 8), std::string_view("! \"1.2.3.4\0\" is no IP address", 29)},
    };
    for (const auto& [in, expected] : table) EXPECT_EQ(show(in), expected) << in;
}

TEST(IpNetwork, SaysWhoIsInIt) {
    const auto in = [](std::string_view network, std::string_view address) {
        return IpNetwork::parse(network)->contains(*parse_ip_address(address));
    };
    EXPECT_TRUE(in("192.0.2.0/24", "192.0.2.255"));
    EXPECT_FALSE(in("192.0.2.0/24", "192.0.3.0"));
    EXPECT_TRUE(in("192.0.2.0/24", "::ffff:192.0.2.7"));
    EXPECT_TRUE(in("192.0.2.128/25", "192.0.2.128"));
    EXPECT_FALSE(in("192.0.2.128/25", "192.0.2.127"));
    EXPECT_TRUE(in("0.0.0.0/0", "255.255.255.255"));
    EXPECT_FALSE(in("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(in("::/0", "2001:db8::1"));
    EXPECT_FALSE(in("::/0", "192.0.2.1"));
    EXPECT_FALSE(in("::/90", "192.0.2.1"));
    EXPECT_TRUE(in("::ffff:0:0/96", "192.0.2.1"));
    EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
    EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
}

}  // namespace
}  // namespace sallyport
