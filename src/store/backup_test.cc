#include <gmock/gmock.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/stat.h>

#include <atomic>
#include <latch>

#include "store/store_thread.h"
#include "store/testing.h"

namespace sallyport::store {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

const std::vector<BackupFile> kFiles = {{"certificates/home.pem", 0644, "certificate\n"},
                                        {"identity.key", 0600, std::string("private \0 key", 13)}};

class BackupTest : public testing::Test {
protected:
    TempFolder folder, elsewhere;
    std::filesystem::path backup = elsewhere / "relay.backup";
    std::filesystem::path new_home = elsewhere / "state";

    void make_backup(std::string agent) {
        auto store = open_store(folder.path());
        EXPECT_OK(store->add_agent({.name = std::move(agent), .routes = {{.hostname = "home.example.org"}}}, kOwner));
        EXPECT_OK(store->backup_to(backup, kFiles, kOwner));
    }
    Result<Restored> restore(Replace replace) { return restore_backup(backup, new_home, replace, kOwner); }

    void change_backup(const std::string& statement) {
        soci::session sql(soci::sqlite3, backup.string());
        sql << statement;
    }
};

TEST_F(BackupTest, CarriesEverythingToANewServer) {
    make_backup("home");
    struct stat found{};
    ASSERT_EQ(::stat(backup.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);

    const auto restored = restore(Replace::no);
    EXPECT_OK(restored);
    EXPECT_THAT(restored->files, ElementsAre("certificates/home.pem", "identity.key"));
    EXPECT_EQ(restored->replaced_kept, std::nullopt);
    for (const BackupFile& file : kFiles) {
        EXPECT_EQ(read_file(new_home / file.path), file.content);
        ASSERT_EQ(::stat((new_home / file.path).c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 0777, file.mode);
    }
    ASSERT_EQ(::stat(new_home.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0700u);
    EXPECT_FALSE(read_file(new_home / kDatabaseName).contains("cHJpdmF0ZS")) << "keys stay out of the database";
    const auto store = open_store(new_home);
    EXPECT_EQ(store->load_snapshot()->routes, open_store(folder.path())->load_snapshot()->routes);
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(new_home)) names.push_back(entry.path().filename());
    EXPECT_THAT(names, testing::UnorderedElementsAre("relay.db", "relay.db.lock", "relay.db-wal", "relay.db-shm", "certificates", "identity.key"));
}

TEST_F(BackupTest, KeepsWhatItReplaces) {
    make_backup("home");
    std::filesystem::create_directory(new_home);
    EXPECT_OK(open_store(new_home)->add_agent({.name = "older"}, kOwner));
    write_text(new_home / "identity.key", "older key");
    write_text(new_home / "untouched", "stays");

    EXPECT_FAILS(restore(Replace::no), Errc::conflict, "there is a database already");
    EXPECT_TRUE(open_store(new_home)->find_agent("older"));
    const auto restored = restore(Replace::yes);
    EXPECT_OK(restored);
    EXPECT_TRUE(open_store(new_home)->find_agent("home"));
    EXPECT_FALSE(open_store(new_home)->find_agent("older"));
    EXPECT_EQ(read_file(new_home / "untouched"), "stays");
    ASSERT_TRUE(restored->replaced_kept);
    EXPECT_EQ(read_file(*restored->replaced_kept / "identity.key"), "older key");
    EXPECT_TRUE(open_store(*restored->replaced_kept)->find_agent("older"));
}

TEST_F(BackupTest, ReplacesADamagedDatabase) {
    make_backup("home");
    std::filesystem::create_directory(new_home);
    write_text(new_home / kDatabaseName, std::string(8192, 'x'));
    EXPECT_OK(restore(Replace::yes));
    EXPECT_TRUE(open_store(new_home)->find_agent("home"));
}

TEST_F(BackupTest, NeverOverwritesAFile) {
    write_text(backup, "precious");
    const auto store = open_store(folder.path());
    EXPECT_FAILS(store->backup_to(backup, {}, kOwner), Errc::conflict, "exists already");
    EXPECT_EQ(read_file(backup), "precious");
    EXPECT_FAILS(store->backup_to(elsewhere / "absent/file", {}, kOwner), Errc::not_found, "absent");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(elsewhere.path()), {}), 1) << "no partial file is left";
}

TEST_F(BackupTest, RefusesToRestoreUnderARunningRelay) {
    make_backup("home");
    std::filesystem::create_directory(new_home);
    const auto running = open_store(new_home);
    EXPECT_FAILS(restore(Replace::yes), Errc::conflict, "another relay");
}

TEST_F(BackupTest, ChecksABackupBeforeItChangesAnything) {
    std::filesystem::create_directory(new_home);
    open_store(new_home)->add_agent({.name = "older"}, kOwner).value();
    const auto expect_refused = [&](Errc code, std::string_view text) {
        const auto restored = restore(Replace::yes);
        ASSERT_FALSE(restored);
        EXPECT_EQ(restored.error().code, code) << restored.error().detail;
        EXPECT_THAT(restored.error().detail, testing::HasSubstr(text));
        EXPECT_TRUE(open_store(new_home)->find_agent("older"));
        EXPECT_EQ(std::distance(std::filesystem::directory_iterator(new_home), {}), 2) << "database and lock";
    };
    expect_refused(Errc::not_found, "relay.backup");
    write_text(backup, "no database");
    expect_refused(Errc::io, "damaged");
    std::filesystem::remove(backup);
    std::filesystem::copy_file(new_home / kDatabaseName, backup);
    expect_refused(Errc::invalid_argument, "not a backup");
    std::filesystem::remove(backup);
    make_backup("home");
    change_backup("update backup_files set path = '../evil' where path = 'identity.key'");
    expect_refused(Errc::invalid_argument, "leads out of the state folder");
    change_backup("update backup_files set path = 'relay.db-wal' where path = '../evil'");
    expect_refused(Errc::invalid_argument, "or to the database");
    change_backup("update backup_files set path = 'x', content = '!'  where path = 'relay.db-wal'");
    expect_refused(Errc::io, "unreadable content");
    change_backup("insert into migrations values (99, 'later', 0)");
    expect_refused(Errc::newer_version, "newer Sallyport");
}

TEST_F(BackupTest, RefusesPathsThatLeaveTheStateFolder) {
    const auto store = open_store(folder.path());
    for (const auto* const path : {"", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "relay.db", "relay.db-wal", "a\nb"}) {
        const BackupFile file{path, 0600, "x"};
        EXPECT_FAILS(store->backup_to(backup, {&file, 1}, kOwner), Errc::invalid_argument, "path");
    }
    const BackupFile large{"large", 0600, std::string(kMaxBackupFile + 1, 'x')};
    EXPECT_FAILS(store->backup_to(backup, {&large, 1}, kOwner), Errc::too_large, "large");
}

TEST_F(BackupTest, IsConsistentWhileOthersWrite) {
    StoreThread thread(open_store(folder.path()));
    std::atomic<int> failures = 0;
    std::jthread writer([&](const std::stop_token& stop) {
        for (int i = 0; !stop.stop_requested(); ++i) {
            std::latch done(1);
            const std::string name = "agent-" + std::to_string(i);
            const auto submitted = thread.submit([&](Store& store) {
                if (!store.add_agent({.name = name, .routes = {{.hostname = name + ".example.org"}}}, kOwner)) ++failures;
                done.count_down();
            });
            if (submitted) done.wait();
        }
    });
    for (int round = 0; round < 5; ++round) {
        backup = elsewhere / ("backup-" + std::to_string(round));
        new_home = elsewhere / ("state-" + std::to_string(round));
        std::latch done(1);
        EXPECT_OK(thread.submit([&](Store& store) {
            if (!store.backup_to(backup, kFiles, kOwner)) ++failures;
            done.count_down();
        }));
        done.wait();
        EXPECT_OK(restore(Replace::no));
        const auto found = open_store(new_home)->load_snapshot();
        EXPECT_EQ(found->routes.size(), found->agents.size());
        EXPECT_EQ(found->credentials.size(), found->agents.size());
    }
    writer.request_stop();
    writer.join();
    EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace sallyport::store
