#include "config/document.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace sallyport {
namespace {

using testing::ElementsAre;

TEST(Document, PutsTheHighestLayerFirst) {
    const auto document = Document::load({.file_name = "relay.yaml",
                                          .file_text = "a: file\n\nempty:\n",
                                          .environment = {{"SALLYPORT_A", "variable"}, {"SALLYPORT_EMPTY", ""}, {"PATH", "/bin"}},
                                          .flags = {{"a", "flag"}, {"empty", ""}}});
    ASSERT_TRUE(document);
    std::vector<std::string> seen;
    for (const Entry& entry : document->entries()) seen.push_back(entry.key + " " + entry.where + " " + entry.value.text);
    EXPECT_THAT(seen, ElementsAre("a --a flag", "a environment SALLYPORT_A variable", "a relay.yaml:1 file", "empty relay.yaml:3 "));
}

TEST(Document, SpellsKeysAsFlagsAndVariables) {
    EXPECT_EQ(flag_of("some_key"), "--some-key");
    EXPECT_EQ(variable_of("some_key"), "SALLYPORT_SOME_KEY");
}

TEST(Document, WantsKeysAtTheTop) {
    for (const auto* const text : {"word", "[a, b]", "- a"}) {
        const auto document = Document::load({.file_name = "x.yaml", .file_text = text});
        ASSERT_FALSE(document) << text;
        EXPECT_EQ(document.error().detail, "x.yaml:1: write \"key: value\" lines");
    }
}

class ReadSources : public testing::Test {
protected:
    ReadSources() {
        std::string name = (std::filesystem::temp_directory_path() / "config-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        folder = name;
    }
    ~ReadSources() override { std::filesystem::remove_all(folder); }
    std::filesystem::path write(std::string_view name, std::string_view text) {
        std::ofstream(folder / name) << text;
        return folder / name;
    }
    void expect_refused(const std::filesystem::path& file, std::string_view why) {
        const auto sources = read_sources(file, {});
        ASSERT_FALSE(sources);
        EXPECT_EQ(sources.error().code, Errc::invalid_config);
        EXPECT_EQ(sources.error().detail, file.string() + ": " + std::string(why));
    }
    std::filesystem::path folder;
};

TEST_F(ReadSources, TakesFileEnvironmentAndFlags) {
    ::setenv("SALLYPORT_TEST_ONLY", "x=y", 1);
    const auto sources = read_sources(write("a.yaml", "a: b\n"), {{"c", "d"}});
    ::unsetenv("SALLYPORT_TEST_ONLY");
    ASSERT_TRUE(sources);
    EXPECT_EQ(sources->file_text, "a: b\n");
    EXPECT_EQ(sources->environment.find("SALLYPORT_TEST_ONLY")->second, "x=y");
    EXPECT_THAT(sources->flags, ElementsAre(std::pair<std::string, std::string>("c", "d")));
    EXPECT_EQ(read_sources(std::nullopt, {})->file_text, std::nullopt);
}

TEST_F(ReadSources, SaysWhyAFileCantBeRead) {
    expect_refused(folder / "absent.yaml", "No such file or directory");
    expect_refused(folder, "Is a directory");
    expect_refused(write("large.yaml", std::string((1 << 20) + 1, '#')), "larger than 1 MiB");
}

TEST_F(ReadSources, DoesNotWaitForAFifo) {
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_sources(folder / "fifo", {})->file_text, "");
}

}  // namespace
}  // namespace sallyport
