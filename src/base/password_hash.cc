#include "base/password_hash.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <cerrno>
#include <memory>

#include "base/encoding.h"

namespace sallyport {
namespace {

constexpr std::string_view kAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kBcryptOctets = 60;     // $2b$12$ and 53 characters of salt and hash
constexpr std::size_t kBcryptPassword = 72;   // bcrypt ignores what follows
constexpr unsigned kBcryptLeast = 4, kBcryptMost = 15;
constexpr unsigned kYescryptMost = 8;         // 128 MiB
constexpr std::size_t kMostMemory = std::size_t{128} << 20;
constexpr std::size_t kLongestHash = 256;

// libxcrypt's work area: 32 KiB, wiped by its deleter since intermediate values of the password go through it.
struct Wipe {
    void operator()(crypt_data* data) const noexcept {
        OPENSSL_cleanse(data, sizeof *data);
        delete data;
    }
};

bool is_of_alphabet(std::string_view text) { return text.find_first_not_of(kAlphabet) == std::string_view::npos; }

bool is_bcrypt(std::string_view hash) {
    return hash.size() == kBcryptOctets && hash.starts_with("$2") && (hash[2] == 'a' || hash[2] == 'b' || hash[2] == 'y') && hash[3] == '$' &&
           hash[4] >= '0' && hash[4] <= '9' && hash[5] >= '0' && hash[5] <= '9' && hash[6] == '$' && is_of_alphabet(hash.substr(7));
}

Result<> check_bcrypt(std::string_view hash) {
    const auto cost = static_cast<unsigned>((hash[4] - '0') * 10 + (hash[5] - '0'));
    if (cost < kBcryptLeast || cost > kBcryptMost) return fail(Errc::invalid_argument, "a bcrypt hash has to have a cost from 4 to 15");
    return {};
}

// $y$ flavour N r $ salt $ hash, the parameters one character each in their usual form: N is 2 to the power of its place + 1, r its
// place + 1; a hash takes 128 * N * r octets of memory.
Result<> check_yescrypt(std::string_view hash) {
    const auto strange = fail(Errc::invalid_argument, "a yescrypt hash has to be like $y$j9T$SALT$HASH");
    if (hash.size() < 8 || hash[3] != 'j' || hash[6] != '$') return strange;
    const auto parameters = hash.substr(3, 3);
    const std::size_t power = kAlphabet.find(parameters[1]) + 1;
    const std::size_t blocks = kAlphabet.find(parameters[2]) + 1;
    if (power == 0 || blocks == 0) return strange;
    if (power > 20 || (std::size_t{128} << power) * blocks > kMostMemory)
        return fail(Errc::invalid_argument, "a yescrypt hash may take at most 128 MiB of memory (cost 8)");
    const std::string_view rest = hash.substr(7);
    const std::size_t dollar = rest.find('$');
    if (dollar == std::string_view::npos || dollar == 0 || rest.size() - dollar - 1 != 43 || !is_of_alphabet(rest.substr(0, dollar)) ||
        !is_of_alphabet(rest.substr(dollar + 1)))
        return strange;
    return {};
}

Result<std::string> compute(std::string_view password, const std::string& setting) {
    const std::unique_ptr<crypt_data, Wipe> data(new crypt_data{});
    const Secret phrase{std::string(password)};
    const char* hash = ::crypt_rn(phrase.reveal().data(), setting.c_str(), data.get(), sizeof *data);
    if (!hash) return fail_errno(errno, "password hash");
    return std::string(hash);
}

}  // namespace

Result<std::string> check_password_hash(std::string_view text) {
    if (text.size() > kLongestHash) return fail(Errc::invalid_argument, "the hash is too long");
    std::string hash(text);
    if (!hash.starts_with('$'))
        if (const auto unwrapped = from_base64(text); unwrapped && is_bcrypt(*unwrapped)) hash = *unwrapped;
    if (!is_bcrypt(hash) && !hash.starts_with("$y$"))
        return fail(Errc::invalid_argument, "the hash has to be bcrypt ($2b$…) or yescrypt ($y$…), as `sallyport hash-password` makes it");
    if (auto fits = is_bcrypt(hash) ? check_bcrypt(hash) : check_yescrypt(hash); !fits) return std::unexpected(fits.error());
    return hash;
}

bool password_fits(std::string_view password, const std::string& hash) {
    // A NUL would end the password early for libxcrypt.
    if (password.size() > kLongestPassword || password.find('\0') != std::string_view::npos) return false;
    const auto computed = compute(password, hash);
    return computed && equal_in_constant_time(*computed, hash);
}

Result<std::string> make_password_hash(PasswordScheme scheme, const Secret& password, unsigned cost) {
    const bool bcrypt = scheme == PasswordScheme::bcrypt;
    const std::string_view text = password.reveal();
    if (text.empty()) return fail(Errc::invalid_argument, "the password is empty");
    if (text.find('\0') != std::string_view::npos) return fail(Errc::invalid_argument, "the password has a NUL in it");
    if (text.size() > (bcrypt ? kBcryptPassword : kLongestPassword))
        return fail(Errc::invalid_argument, bcrypt ? "bcrypt ignores what stands behind 72 octets: take a shorter password, or yescrypt"
                                                   : "a password has at most 511 octets");
    if (bcrypt ? cost != 0 && (cost < kBcryptLeast || cost > kBcryptMost) : cost > kYescryptMost)
        return fail(Errc::invalid_argument, bcrypt ? "the cost of bcrypt is from 4 to 15" : "the cost of yescrypt is from 1 to 8");
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const unsigned long used = cost != 0 ? cost : bcrypt ? 12 : 5;
    if (!::crypt_gensalt_rn(bcrypt ? "$2b$" : "$y$", used, nullptr, 0, setting, sizeof setting)) return fail_errno(errno, "salt");
    return compute(text, setting);
}

}  // namespace sallyport
