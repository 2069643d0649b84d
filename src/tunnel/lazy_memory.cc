#include "tunnel/lazy_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace sallyport {
namespace {

constexpr std::size_t kLarge = 16 * 1024;  // nghttp2's frame buffer is just above, everything else far below

// Stands in front of each block, aligned as malloc aligns.
struct alignas(std::max_align_t) Header {
    std::size_t size;  // of the block, without this
};

void* allocate(std::size_t size, void*) {
    if (size > SIZE_MAX - sizeof(Header)) return nullptr;
    const std::size_t all = size + sizeof(Header);
    void* memory = size >= kLarge
                       ? ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                       : std::malloc(all);
    if (!memory || memory == MAP_FAILED) return nullptr;
    auto* header = static_cast<Header*>(memory);
    header->size = size;
    return header + 1;
}

void release(void* block, void*) {
    if (!block) return;
    Header* header = static_cast<Header*>(block) - 1;
    if (header->size >= kLarge) ::munmap(header, header->size + sizeof(Header));
    else std::free(header);
}

void* allocate_zeroed(std::size_t count, std::size_t size, void*) {
    std::size_t all = 0;
    if (__builtin_mul_overflow(count, size, &all)) return nullptr;
    void* block = allocate(all, nullptr);
    if (block && all < kLarge) std::memset(block, 0, all);  // fresh mappings are zero
    return block;
}

void* reallocate(void* block, std::size_t size, void*) {
    void* moved = allocate(size, nullptr);
    if (!moved || !block) return moved;
    std::memcpy(moved, block, std::min(size, (static_cast<Header*>(block) - 1)->size));
    release(block, nullptr);
    return moved;
}

}  // namespace

nghttp2_mem* lazy_memory() {
    static nghttp2_mem functions{nullptr, allocate, release, allocate_zeroed, reallocate};
    return &functions;
}

}  // namespace sallyport
