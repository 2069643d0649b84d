#include "relay/machine_memory.h"

#include <gtest/gtest.h>

#include <fstream>

namespace sallyport::relay {
namespace {

class MachineMemoryTest : public testing::Test {
protected:
    MachineMemoryTest() { std::filesystem::remove_all(root); }
    ~MachineMemoryTest() override { std::filesystem::remove_all(root); }
    void write(const std::string& file, std::string_view content) {
        std::filesystem::create_directories((root / file).parent_path());
        std::ofstream(root / file) << content;
    }
    const std::filesystem::path root = std::filesystem::path(testing::TempDir()) / ("machine_memory." + std::to_string(::getpid()));
};

TEST_F(MachineMemoryTest, IsWhatTheMachineHas) {
    EXPECT_EQ(usable_memory(root), 0u);
    write("proc/meminfo", "MemFree:  5 kB\nMemTotal:        2048 kB\nBuffers: 1 kB\n");
    EXPECT_EQ(usable_memory(root), 2_MiB);
}

TEST_F(MachineMemoryTest, IsTheLeastLimitOfTheGroupsAbove) {
    write("proc/meminfo", "MemTotal: 1048576 kB\n");
    write("proc/self/cgroup", "0::/system.slice/sallyport.service\n");
    EXPECT_EQ(usable_memory(root), 1_GiB);
    write("sys/fs/cgroup/system.slice/sallyport.service/memory.max", "max\n");
    EXPECT_EQ(usable_memory(root), 1_GiB);
    write("sys/fs/cgroup/system.slice/memory.max", "268435456\n");
    EXPECT_EQ(usable_memory(root), 256_MiB);
    write("sys/fs/cgroup/memory.max", "134217728\n");
    EXPECT_EQ(usable_memory(root), 128_MiB);
}

TEST_F(MachineMemoryTest, KnowsContainersOfBothVersions) {
    write("proc/meminfo", "MemTotal: 1048576 kB\n");
    write("proc/self/cgroup", "0::/\n");
    write("sys/fs/cgroup/memory.max", "134217728\n");
    EXPECT_EQ(usable_memory(root), 128_MiB);
    write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/ab\n");
    write("sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes", "67108864\n");
    EXPECT_EQ(usable_memory(root), 64_MiB);
    write("sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(usable_memory(root), 1_GiB);
}

TEST_F(MachineMemoryTest, LeavesTwoThirds) {
    EXPECT_EQ(default_max_buffered(3_GiB), 1_GiB);
    EXPECT_EQ(default_max_buffered(16_MiB), 64_MiB);
    EXPECT_GT(default_max_buffered(0), 0u);
}

}  // namespace
}  // namespace sallyport::relay
