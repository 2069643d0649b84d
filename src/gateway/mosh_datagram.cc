#include "gateway/mosh_datagram.h"

#include <algorithm>
#include <bit>

#include "base/encoding.h"

namespace sallyport::gateway {
namespace {

constexpr std::size_t kNonce = 8;
constexpr std::size_t kTag = 16;
constexpr std::size_t kStamps = 4;
constexpr std::uint64_t kToClient = std::uint64_t{1} << 63;
constexpr std::uint16_t kNoStamp = 0xFFFF;

std::array<std::uint8_t, 12> iv_of(const std::uint8_t* nonce) {
    std::array<std::uint8_t, 12> iv{};
    std::copy_n(nonce, kNonce, iv.begin() + 4);
    return iv;
}

std::uint16_t read_u16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

}  // namespace

Result<MoshDatagramOpener> MoshDatagramOpener::make(const Secret& key) {
    if (key.reveal().size() != 22) return fail(Errc::protocol, "mosh key of a wrong length");
    const auto octets = from_base64(std::string(key.reveal()) + "==");
    if (!octets || octets->size() != 16) return fail(Errc::protocol, "mosh key that is not base64");
    MoshDatagramOpener opener;
    opener.context_.reset(EVP_CIPHER_CTX_new());
    EVP_CIPHER_CTX* context = opener.context_.get();
    if (!context || EVP_CipherInit_ex(context, EVP_aes_128_ocb(), nullptr, nullptr, nullptr, 0) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, 12, nullptr) != 1 ||
        EVP_CipherInit_ex(context, nullptr, nullptr, reinterpret_cast<const std::uint8_t*>(octets->data()), nullptr, 0) != 1)
        return fail(Errc::internal, "AES-128-OCB is not available");
    return opener;
}

std::optional<MoshDatagram> MoshDatagramOpener::open(Octets datagram) {
    if (datagram.size() < kNonce + kStamps + kTag || datagram.size() > kMostMoshDatagram) return std::nullopt;
    const std::uint8_t* in = as_u8(datagram);
    const auto iv = iv_of(in);
    std::array<std::uint8_t, kMostMoshDatagram> out;
    std::array<std::uint8_t, kTag> tag;
    std::copy_n(in + datagram.size() - kTag, kTag, tag.begin());
    EVP_CIPHER_CTX* context = context_.get();
    int size = 0, rest = 0;
    const int sealed = static_cast<int>(datagram.size() - kNonce - kTag);
    if (EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, iv.data(), 0) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) != 1 ||
        EVP_CipherUpdate(context, out.data(), &size, in + kNonce, sealed) != 1 ||
        EVP_CipherFinal_ex(context, out.data() + size, &rest) != 1)
        return std::nullopt;
    MoshDatagram opened;
    std::uint64_t nonce = 0;
    for (std::size_t i = 0; i < kNonce; ++i) nonce = nonce << 8 | in[i];
    opened.direction = nonce & kToClient ? MoshDatagram::Direction::to_client : MoshDatagram::Direction::to_server;
    opened.sequence = nonce & ~kToClient;
    opened.timestamp = read_u16(out.data());
    if (const std::uint16_t reply = read_u16(out.data() + 2); reply != kNoStamp) opened.timestamp_reply = reply;
    return opened;
}

std::vector<std::byte> MoshDatagramOpener::seal(const MoshDatagram& datagram, Octets content) {
    std::uint64_t nonce = datagram.sequence & ~kToClient;
    if (datagram.direction == MoshDatagram::Direction::to_client) nonce |= kToClient;
    std::vector<std::byte> out(kNonce + kStamps + content.size() + kTag);
    std::uint8_t* to = as_u8(MutableOctets(out));
    for (std::size_t i = 0; i < kNonce; ++i) to[i] = static_cast<std::uint8_t>(nonce >> (56 - 8 * i));
    const std::uint16_t reply = datagram.timestamp_reply.value_or(kNoStamp);
    std::vector<std::uint8_t> plain{static_cast<std::uint8_t>(datagram.timestamp >> 8), static_cast<std::uint8_t>(datagram.timestamp),
                                    static_cast<std::uint8_t>(reply >> 8), static_cast<std::uint8_t>(reply)};
    plain.insert(plain.end(), as_u8(content), as_u8(content) + content.size());
    const auto iv = iv_of(to);
    EVP_CIPHER_CTX* context = context_.get();
    int size = 0, rest = 0;
    EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, iv.data(), 1);
    EVP_CipherUpdate(context, to + kNonce, &size, plain.data(), static_cast<int>(plain.size()));
    EVP_CipherFinal_ex(context, to + kNonce + size, &rest);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTag, to + out.size() - kTag);
    return out;
}

void SequenceLoss::note(std::uint64_t sequence) {
    if (!any_) {
        any_ = true;
        highest_ = first_ = sequence;
        seen_ = 1;
        return;
    }
    if (sequence > highest_) {
        const std::uint64_t step = sequence - highest_;
        seen_ = step >= 64 ? 1 : seen_ << step | 1;
        highest_ = sequence;
    } else if (highest_ - sequence < 64) {
        seen_ |= std::uint64_t{1} << (highest_ - sequence);
    }
}

std::optional<double> SequenceLoss::loss() const {
    const std::uint64_t expected = std::min<std::uint64_t>(64, any_ ? highest_ - first_ + 1 : 0);
    if (expected < 16) return std::nullopt;
    const std::uint64_t window = expected == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << expected) - 1;
    return 1.0 - static_cast<double>(std::popcount(seen_ & window)) / static_cast<double>(expected);
}

}  // namespace sallyport::gateway
