// testing.h: what the store's tests share. Only tests include it.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "store/store.h"

namespace sallyport::store {

inline const WallTime kNoon{std::chrono::seconds(1'800'000'000)};
inline const Author kOwner{"test", kNoon};

inline AgentKey key_of(int number) {
    AgentKey key{};
    key[0] = static_cast<std::byte>(number);
    key[31] = std::byte{7};
    return key;
}

class TempFolder {
public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "store-test-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

inline std::unique_ptr<Store> open_store(const std::filesystem::path& folder) {
    auto store = Store::open(folder / kDatabaseName, kOwner);
    EXPECT_TRUE(store) << store.error().detail;
    return store ? std::move(*store) : nullptr;
}

inline std::string read_file(const std::filesystem::path& name) {
    std::ifstream in(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_text(const std::filesystem::path& name, std::string_view text) {
    std::ofstream(name, std::ios::binary) << text;
}

inline constexpr int kSkipped = 77;

// Runs body in a child process, which may drop rights, and gives its exit status: 0 is success.
inline int run_in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

#define EXPECT_FAILS(expression, expected_code, text)                        \
    do {                                                                     \
        const auto got = (expression);                                       \
        ASSERT_FALSE(got);                                                   \
        EXPECT_EQ(got.error().code, expected_code) << got.error().detail;    \
        EXPECT_THAT(got.error().detail, testing::HasSubstr(text));           \
    } while (false)

#define EXPECT_OK(expression)                                                \
    do {                                                                     \
        const auto& got = (expression);                                      \
        ASSERT_TRUE(got) << got.error().detail;                              \
    } while (false)

}  // namespace sallyport::store
