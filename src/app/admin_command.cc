#include "app/admin_command.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "app/admin_agents.h"
#include "app/admin_bans.h"
#include "app/admin_context.h"
#include "app/admin_routes.h"
#include "app/admin_tcp_routes.h"
#include "app/table.h"
#include "net/descriptor.h"
#include "store/store.h"

namespace sallyport::app {
namespace {

namespace json = boost::json;

void show_status(const json::object& status) {
    Table facts({"version", text_of(status, "version")});
    facts.add({"since", text_of(status, "started_at")});
    facts.add({"public url", text_of(status, "public_url").empty() ? "-" : text_of(status, "public_url")});
    facts.add({"pin", text_of(status, "pin")});
    facts.add({"state", text_of(status, "state_dir")});
    for (const json::value& item : array_of(status, "listeners"))
        facts.add({text_of(item.as_object(), "name"), text_of(item.as_object(), "address")});
    if (const json::object& ssh = object_of(status, "ssh"); !ssh.empty()) {
        if (const std::string why = text_of(ssh, "why_not"); !why.empty()) facts.add({"ssh", "not listening: " + why});
        facts.add({"ssh key", text_of(ssh, "fingerprint")});
        facts.add({"known_hosts", text_of(ssh, "known_hosts")});
    }
    const json::object& agents = object_of(status, "agents");
    facts.add({"agents", text_of(agents, "online") + " of " + text_of(agents, "total") + " online"});
    const json::object& health = object_of(status, "health");
    facts.add({"routes", text_of(status, "routes") + ": " + text_of(health, "healthy") + " ok, " + text_of(health, "unhealthy") + " failing, " +
                             text_of(health, "unknown") + " not known"});
    facts.add({"visitors", text_of(status, "open_connections") + " connections"});
    print(facts.text());
    for (const json::value& warning : array_of(status, "warnings"))
        print("warning: " + printable(std::string_view(warning.as_string())) + "\n");
}

void show_audit(const json::object& answer) {
    Table table({"AT", "WHO", "WHAT", "OF", ""});
    for (const json::value& item : array_of(answer, "audit")) {
        const json::object& entry = item.as_object();
        table.add({text_of(entry, "at"), text_of(entry, "actor"), text_of(entry, "action"), text_of(entry, "subject"), text_of(entry, "detail")});
    }
    print(table.text());
}

// Never over an existing file, and readable by nobody else: it holds the relay's keys.
Result<> write_new_file(const std::filesystem::path& file, std::string_view content) {
    const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!descriptor) return fail_errno(errno, "backup " + file.string());
    const auto give_up = [&file]() -> Result<> {
        const int error = errno;
        ::unlink(file.c_str());
        return fail_errno(error, "backup " + file.string());
    };
    while (!content.empty()) {
        const ssize_t n = ::write(descriptor.get(), content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return give_up();
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(descriptor.get()) != 0) return give_up();
    return {};
}

Result<> backup(const AdminContext& context, const std::filesystem::path& file) {
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) return fail(Errc::conflict, "backup " + file.string() + ": the file exists already");
    const auto answer = context.client().ask("POST", "backup");
    if (!answer) return std::unexpected(answer.error());
    if (answer->status != 200) return std::unexpected(error_of_answer(*answer));
    if (auto written = write_new_file(file, answer->content); !written) return written;
    if (context.json()) print(json::serialize(json::object{{"backup", file.string()}, {"octets", answer->content.size()}}) + "\n");
    else print("wrote " + file.string() + ": it holds the relay's private keys\n");
    return {};
}

Result<> restore(const AdminContext& context, const std::filesystem::path& file, store::Replace replace) {
    const std::filesystem::path folder = context.client().state_dir();
    const auto restored = store::restore_backup(file, folder, replace, {"admin-restore", wall_now()});
    if (!restored) return std::unexpected(restored.error());
    if (context.json()) {
        json::object answer{{"state_dir", folder.string()}, {"files", json::value_from(restored->files)}};
        if (restored->replaced_kept) answer["replaced_kept"] = restored->replaced_kept->string();
        print(json::serialize(answer) + "\n");
        return {};
    }
    print("restored " + folder.string() + "; start the relay now\n");
    if (std::ranges::any_of(restored->files, [](const std::string& name) { return name.starts_with("from-backup/"); }))
        print("the configuration and certificates of then are in " + (folder / "from-backup").string() + "\n");
    if (restored->replaced_kept) print("what was there before is kept in " + restored->replaced_kept->string() + "\n");
    return {};
}

void add_backup_actions(AdminContext& context) {
    CLI::App* back_up = context.command().add_subcommand("backup", "Write everything a new server needs into one file");
    auto backup_file = std::make_shared<std::string>();
    back_up->add_option("FILE", *backup_file, "a new file; it will hold private keys")->required();
    context.on(back_up, [&context, backup_file] { return backup(context, *backup_file); });

    struct RestoreOptions {
        std::string file;
        bool replace = false;
    };
    CLI::App* restoring = context.command().add_subcommand("restore", "Put a backup into the state folder; the relay must not run");
    auto options = std::make_shared<RestoreOptions>();
    restoring->add_option("FILE", options->file, "the backup")->required();
    restoring->add_flag("--replace", options->replace, "if there is a database already, put it aside");
    context.on(restoring, [&context, options] {
        return restore(context, options->file, options->replace ? store::Replace::yes : store::Replace::no);
    });
}

}  // namespace

std::function<int()> add_admin_command(CLI::App& program) {
    CLI::App* command = program.add_subcommand("admin", "The relay owner's commands; they talk to the relay that runs here");
    command->footer("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the relay is not running.");
    auto context = std::make_shared<AdminContext>(*command);
    add_agent_actions(*context);
    add_route_actions(*context);
    add_tcp_route_actions(*context);
    add_ban_actions(*context);

    AdminContext& shared = *context;
    context->on(command->add_subcommand("status", "The relay at a glance"),
                [&shared] { return shared.show("GET", "status", {}, show_status); });
    context->on(command->add_subcommand("audit", "The last changes, and who made them"),
                [&shared] { return shared.show("GET", "audit", {}, show_audit); });
    context->on(command->add_subcommand("reload", "Read configuration and certificates anew"), [&shared] {
        return shared.show("POST", "reload", {}, [](const json::object& answer) {
            print("reloaded\n");
            for (const json::value& note : array_of(answer, "notes"))
                print_note("note: " + printable(std::string_view(note.as_string())) + "\n");
        });
    });
    context->on(command->add_subcommand("upgrade", "Replace the running relay by the program that is installed now; no request is lost"), [&shared] {
        return shared.show("POST", "upgrade", {}, [](const json::object& answer) {
            for (const json::value& item : array_of(answer, "steps"))
                if (const auto* step = item.if_object()) print(printable(text_of(*step, "text")) + "\n");
        });
    });
    add_backup_actions(shared);
    return [context] { return context->run(); };
}

}  // namespace sallyport::app
