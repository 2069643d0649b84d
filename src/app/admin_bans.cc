#include "app/admin_bans.h"

#include "app/table.h"
#include "wire/ip_network.h"

namespace sallyport::app {
namespace {

namespace json = boost::json;

void show_list(const json::object& answer) {
    Table table({"ADDRESS", "AGENT", "FOR", "LEFT", "TIMES"});
    for (const json::value& item : array_of(answer, "bans")) {
        const json::object& ban = item.as_object();
        const std::string agent = text_of(ban, "agent");
        table.add({text_of(ban, "address"), agent.empty() ? "all" : agent, text_of(ban, "kind") + (flag_of_member(ban, "cross_site") ? " (cross-site)" : ""),
                   text_of(ban, "left_s") + " s", text_of(ban, "times")});
    }
    print(table.text());
}

}  // namespace

void add_ban_actions(AdminContext& context) {
    CLI::App* bans = context.command().add_subcommand("bans", "Who failed to log in too often and has to wait");
    bans->require_subcommand(1);
    bans->fallthrough();
    context.on(bans->add_subcommand("list", "All of them"), [&context] { return context.show("GET", "bans", {}, show_list); });

    CLI::App* lift = bans->add_subcommand("lift", "Let an address log in again, and forget what it did");
    auto word = std::make_shared<std::string>();
    lift->add_option("ADDRESS", *word, "as the list shows it")->required();
    context.on(lift, [&context, word]() -> Result<> {
        const auto address = parse_ip_address(std::string_view(*word).substr(0, word->find('/')));
        if (!address) return std::unexpected(address.error());
        return context.show("DELETE", "bans/" + address->text(), {}, [&](const json::object& answer) {
            print(text_of(answer, "lifted") == "0" ? printable(*word) + " was not banned\n" : "lifted the ban of " + printable(*word) + "\n");
        });
    });
}

}  // namespace sallyport::app
