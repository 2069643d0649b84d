#include "agent/test_octets.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/encoding.h"

namespace sallyport {

std::uint64_t TestOctets::next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void TestOctets::fill(MutableOctets room) {
    while (!room.empty()) {
        if (left_ == 0) {
            word_ = next();
            left_ = sizeof word_;
        }
        const std::size_t count = std::min<std::size_t>(left_, room.size());
        // The word's octets lowest first, on any machine.
        for (std::size_t i = 0; i < count; ++i) room[i] = static_cast<std::byte>(word_ >> (8 * (sizeof word_ - left_ + i)));
        left_ -= static_cast<unsigned>(count);
        room = room.subspan(count);
    }
}

struct Sha256::Impl {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) { EVP_DigestInit_ex(impl_->context.get(), EVP_sha256(), nullptr); }
Sha256::~Sha256() = default;
void Sha256::add(Octets octets) { EVP_DigestUpdate(impl_->context.get(), octets.data(), octets.size()); }

std::string Sha256::hex() {
    std::array<std::byte, 32> digest{};
    EVP_DigestFinal_ex(impl_->context.get(), reinterpret_cast<unsigned char*>(digest.data()), nullptr);
    return to_hex(digest);
}

std::string sha256_of_test_octets(std::uint64_t seed, ByteCount octets) {
    TestOctets source(seed);
    Sha256 hash;
    std::array<std::byte, 16 * 1024> buffer;
    while (octets > 0) {
        const MutableOctets piece = MutableOctets(buffer).first(std::min<ByteCount>(buffer.size(), octets));
        source.fill(piece);
        hash.add(piece);
        octets -= piece.size();
    }
    return hash.hex();
}

}  // namespace sallyport
