// What happens to a database that can't be opened or written: one clear line, and nothing damaged.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <iostream>

#include "store/testing.h"

namespace sallyport::store {
namespace {

Result<std::unique_ptr<Store>> open_in(const std::filesystem::path& folder) {
    return Store::open(folder / kDatabaseName, kOwner);
}

TEST(OpenStore, MakesTheFileForItsOwnerOnly) {
    TempFolder folder;
    const auto store = open_store(folder.path());
    for (const auto* const suffix : {"", "-wal", "-shm", ".lock"}) {
        struct stat found{};
        ASSERT_EQ(::stat((folder / (std::string(kDatabaseName) + suffix)).c_str(), &found), 0) << suffix;
        EXPECT_EQ(found.st_mode & 0777, 0600u) << suffix;
    }
}

TEST(OpenStore, TakesBackRightsThatOthersHave) {
    TempFolder folder;
    open_store(folder.path()).reset();
    ASSERT_EQ(::chmod((folder / kDatabaseName).c_str(), 0644), 0);
    open_store(folder.path()).reset();
    struct stat found{};
    ASSERT_EQ(::stat((folder / kDatabaseName).c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);
}

TEST(OpenStore, OneProcessAtATime) {
    TempFolder folder;
    auto store = open_store(folder.path());
    EXPECT_FAILS(open_in(folder.path()), Errc::conflict, "another relay");
    store.reset();
    EXPECT_OK(open_in(folder.path()));
}

TEST(OpenStore, LeavesANewerDatabaseUntouched) {
    TempFolder folder;
    open_store(folder.path()).reset();
    {
        soci::session sql(soci::sqlite3, (folder / kDatabaseName).string());
        sql << "insert into migrations (version, name, applied_at) values (99, 'from the future', 0)";
    }
    const std::string before = read_file(folder / kDatabaseName);
    EXPECT_FAILS(open_in(folder.path()), Errc::newer_version, "written by a newer Sallyport (tables version 99, this one knows ");
    EXPECT_EQ(read_file(folder / kDatabaseName), before);
}

TEST(OpenStore, BringsTheTablesOfAnOlderReleaseUpToDate) {
    TempFolder folder;
    {
        auto store = open_store(folder.path());
        EXPECT_OK(store->add_agent({.name = "home", .routes = {{.hostname = "home.example.org"}}}, kOwner));
    }
    {
        soci::session sql(soci::sqlite3, (folder / kDatabaseName).string());  // as version 1 left it
        sql << "alter table routes drop column policy";
        sql << "alter table routes drop column health_path";
        sql << "alter table credentials drop column retires_at";
        sql << "drop index credentials_by_ssh_fingerprint";
        sql << "alter table credentials drop column ssh_fingerprint";
        sql << "alter table credentials drop column ssh_line";
        sql << "drop table tcp_routes";
        sql << "delete from migrations where version > 1";
    }
    auto store = open_store(folder.path());
    const auto snapshot = store->load_snapshot();
    EXPECT_OK(snapshot);
    ASSERT_EQ(snapshot->routes.size(), 1u);
    EXPECT_EQ(snapshot->routes[0].health_path, "");
    EXPECT_EQ(snapshot->routes[0].policy, "{}");
    EXPECT_OK(store->set_route(snapshot->routes[0].id, {.health_path = "/manifest.json"}, kOwner));
    EXPECT_EQ(store->load_snapshot()->routes[0].health_path, "/manifest.json");
}

TEST(OpenStore, LeavesAForeignDatabaseUntouched) {
    TempFolder folder;
    {
        soci::session sql(soci::sqlite3, (folder / kDatabaseName).string());
        sql << "create table recipes (name text)";
    }
    EXPECT_FAILS(open_in(folder.path()), Errc::invalid_argument, "some other program");
}

TEST(OpenStore, SaysThatAFileIsDamaged) {
    TempFolder folder;
    write_text(folder / kDatabaseName, std::string(8192, 'x'));
    EXPECT_FAILS(open_in(folder.path()), Errc::io, "damaged");
    EXPECT_EQ(read_file(folder / kDatabaseName), std::string(8192, 'x'));
}

TEST(OpenStore, SaysThatAPageIsDamaged) {
    TempFolder folder;
    open_store(folder.path()).reset();
    std::string octets = read_file(folder / kDatabaseName);
    ASSERT_GT(octets.size(), 20000u);
    std::fill(octets.begin() + 8192, octets.begin() + 16384, 'x');
    write_text(folder / kDatabaseName, octets);
    EXPECT_FAILS(open_in(folder.path()), Errc::io, "damaged");
}

TEST(OpenStore, SaysThatTheFolderIsMissing) {
    TempFolder folder;
    EXPECT_FAILS(open_in(folder / "absent"), Errc::not_found, "absent");
}

// The superuser may write everywhere, so the child becomes nobody.
int drop_rights() { return ::geteuid() == 0 ? ::setresuid(65534, 65534, 65534) : 0; }

TEST(OpenStore, SaysThatTheFolderIsNotWritable) {
    TempFolder folder;
    ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
    EXPECT_EQ(run_in_child([&] {
                  if (drop_rights() != 0) return kSkipped;
                  const auto got = open_in(folder.path());
                  if (!got) std::cerr << got.error().detail << "\n";
                  return !got && got.error().code == Errc::permission_denied ? 0 : 1;
              }),
              0);
    ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
}

// Adds agents until that fails, makes room, and looks whether all that was acknowledged is there. In a child.
int fill_until_it_fails(const std::filesystem::path& folder, const std::function<void()>& make_room) {
    auto store = Store::open(folder / kDatabaseName, kOwner);
    if (!store) return 2;
    int acknowledged = 0;
    while (true) {
        const auto added = (*store)->add_agent({.name = "agent-" + std::to_string(acknowledged)}, kOwner);
        if (added) {
            if (++acknowledged > 100'000) return 3;
            continue;
        }
        std::cerr << "after " << acknowledged << " agents: " << added.error().detail << "\n";
        if (added.error().code != Errc::no_space && added.error().code != Errc::io) return 4;
        break;
    }
    if (const auto listed = (*store)->list_agents(); !listed || listed->size() != static_cast<std::size_t>(acknowledged)) return 5;
    make_room();
    if (!(*store)->add_agent({.name = "one-more"}, kOwner)) return 6;
    store->reset();
    auto again = Store::open(folder / kDatabaseName, kOwner);
    if (!again) return 7;
    const auto listed = (*again)->list_agents();
    return listed && listed->size() == static_cast<std::size_t>(acknowledged) + 1 ? 0 : 8;
}

TEST(OpenStore, LosesNothingWhenTheDiskIsFull) {
    TempFolder folder;
    const int status = run_in_child([&] {
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1024k") != 0)
            return kSkipped;
        write_text(folder / "ballast", std::string(2 << 20, 'x'));
        const auto without_room = open_in(folder.path());
        if (!without_room) std::cerr << without_room.error().detail << "\n";
        if (without_room || without_room.error().code != Errc::no_space) return 1;
        write_text(folder / "ballast", std::string(256 << 10, 'x'));
        return fill_until_it_fails(folder.path(), [&] { std::filesystem::remove(folder / "ballast"); });
    });
    if (status == kSkipped) GTEST_SKIP() << "needs the right to mount a small tmpfs";
    EXPECT_EQ(status, 0);
}

TEST(OpenStore, LosesNothingWhenAFileMayNotGrow) {
    TempFolder folder;
    EXPECT_EQ(run_in_child([&] {
                  std::signal(SIGXFSZ, SIG_IGN);
                  const rlimit small{300 << 10, RLIM_INFINITY};
                  if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return kSkipped;
                  return fill_until_it_fails(folder.path(), [] {
                      const rlimit any{RLIM_INFINITY, RLIM_INFINITY};
                      ::setrlimit(RLIMIT_FSIZE, &any);
                  });
              }),
              0);
}

}  // namespace
}  // namespace sallyport::store
