#include "net/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <fstream>

#include "base/encoding.h"
#include "net/socket_address.h"

namespace sallyport {
namespace {

using Names = std::unique_ptr<GENERAL_NAMES, OpensslDeleter<GENERAL_NAMES_free>>;

constexpr std::size_t kMostPem = 1 << 20;

Bio memory_bio(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string text_of(BIO& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(&bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

// An encrypted key must fail, not ask on the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

X509Ptr parse_leaf(std::string_view pem) {
    return X509Ptr(PEM_read_bio_X509(memory_bio(pem).get(), nullptr, no_passphrase, nullptr));
}
PrivateKey parse_key(std::string_view pem) {
    return PrivateKey(PEM_read_bio_PrivateKey(memory_bio(pem).get(), nullptr, no_passphrase, nullptr));
}

Result<std::string> read_pem(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail_errno(errno, "read " + path.string());
    std::string text(kMostPem + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMostPem) return fail(Errc::too_large, "read " + path.string() + ": larger than 1 MiB");
    return text;
}

std::vector<std::string> names_of(X509& certificate) {
    std::vector<std::string> result;
    const Names names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS) continue;
        std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        result.push_back(std::move(text));
    }
    return result;
}

Result<Certificate> sign_with(EVP_PKEY& key, const std::vector<std::string>& names) {
    const X509Ptr certificate(X509_new());
    if (!certificate) return fail(Errc::tls, "make a certificate: " + openssl_reason());
    X509_set_version(certificate.get(), X509_VERSION_3);
    std::array<unsigned char, 16> serial{};
    RAND_bytes(serial.data(), serial.size());
    serial[0] &= 0x7f;
    const std::unique_ptr<BIGNUM, OpensslDeleter<BN_free>> number(BN_bin2bn(serial.data(), serial.size(), nullptr));
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
    constexpr long kDay = 24 * 60 * 60;
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDay);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3650 * kDay);
    X509_set_pubkey(certificate.get(), &key);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    // A common name has at most 64 octets (RFC 5280 A.1); the names that count are the alternative ones.
    const std::string common = names.empty() || names.front().size() > 64 ? "sallyport" : names.front();
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common.c_str()), -1,
                               -1, 0);
    X509_set_issuer_name(certificate.get(), subject);

    std::string alternatives;
    for (const std::string& name : names) {
        if (!alternatives.empty()) alternatives += ',';
        alternatives += SocketAddress::parse(name, 0) ? "IP:" : "DNS:";
        alternatives += name;
    }
    const auto extend = [&](int what, const std::string& value) {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, certificate.get(), certificate.get(), nullptr, nullptr, 0);
        const std::unique_ptr<X509_EXTENSION, OpensslDeleter<X509_EXTENSION_free>> extension(
            X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()));
        return extension && X509_add_ext(certificate.get(), extension.get(), -1) == 1;
    };
    const bool extended = (alternatives.empty() || extend(NID_subject_alt_name, alternatives)) &&
                          extend(NID_basic_constraints, "critical,CA:TRUE") && extend(NID_subject_key_identifier, "hash");
    if (!extended) return fail(Errc::tls, "certificate for " + alternatives + ": " + openssl_reason());
    if (X509_sign(certificate.get(), &key, EVP_PKEY_is_a(&key, "ED25519") == 1 ? nullptr : EVP_sha256()) == 0)
        return fail(Errc::tls, "sign a certificate: " + openssl_reason());

    const Bio chain(BIO_new(BIO_s_mem())), secret(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(chain.get(), certificate.get());
    PEM_write_bio_PKCS8PrivateKey(secret.get(), &key, nullptr, nullptr, 0, nullptr, nullptr);
    return Certificate{text_of(*chain), text_of(*secret), names_of(*certificate)};
}

}  // namespace

Result<ParsedCertificate> parse_certificate(const Certificate& certificate) {
    ERR_clear_error();
    ParsedCertificate parsed;
    parsed.leaf = parse_leaf(certificate.chain_pem);
    if (!parsed.leaf) return fail(Errc::tls, "the certificate is not PEM: " + openssl_reason());
    parsed.key = parse_key(certificate.key_pem);
    if (!parsed.key) return fail(Errc::tls, "the key is not PEM without a passphrase: " + openssl_reason());
    if (X509_check_private_key(parsed.leaf.get(), parsed.key.get()) != 1) {
        ERR_clear_error();
        return fail(Errc::tls, "certificate and key don't match");
    }
    const Bio rest = memory_bio(certificate.chain_pem);
    const X509Ptr first(PEM_read_bio_X509(rest.get(), nullptr, no_passphrase, nullptr));  // the leaf, taken already
    while (X509Ptr next{PEM_read_bio_X509(rest.get(), nullptr, no_passphrase, nullptr)}) parsed.chain.push_back(std::move(next));
    ERR_clear_error();  // the end of the PEM text is an error to OpenSSL
    return parsed;
}

Result<Certificate> load_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key) {
    auto chain_pem = read_pem(certificate);
    if (!chain_pem) return std::unexpected(chain_pem.error());
    auto key_pem = read_pem(key);
    if (!key_pem) return std::unexpected(key_pem.error());
    Certificate result{std::move(*chain_pem), std::move(*key_pem), {}};
    const auto parsed = parse_certificate(result);
    if (!parsed)
        return fail(parsed.error().code, certificate.string() + " with " + key.string() + ": " + parsed.error().detail);
    result.names = names_of(*parsed->leaf);
    return result;
}

Result<Certificate> make_self_signed(KeyType type, const std::vector<std::string>& names) {
    const PrivateKey key(type == KeyType::p256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    if (!key) return fail(Errc::tls, "make a key: " + openssl_reason());
    return sign_with(*key, names);
}

Result<Certificate> sign_anew(const Certificate& self_signed, const std::vector<std::string>& names) {
    const auto parsed = parse_certificate(self_signed);
    if (!parsed) return std::unexpected(parsed.error());
    return sign_with(*parsed->key, names);
}

std::string pin_of(X509& certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &der);
    if (size <= 0) return {};
    std::array<unsigned char, 32> digest;
    EVP_Digest(der, static_cast<std::size_t>(size), digest.data(), nullptr, EVP_sha256(), nullptr);
    OPENSSL_free(der);
    return to_base64url(as_octets(digest.data(), digest.size()));
}

Result<std::string> pin_of_certificate(std::string_view chain_pem) {
    const X509Ptr certificate = parse_leaf(chain_pem);
    if (!certificate) return fail(Errc::tls, "not a PEM certificate: " + openssl_reason());
    return pin_of(*certificate);
}

Result<CertificateTimes> times_of_certificate(std::string_view chain_pem) {
    const X509Ptr leaf = parse_leaf(chain_pem);
    std::tm from{};
    std::tm until{};
    if (!leaf || ASN1_TIME_to_tm(X509_get0_notBefore(leaf.get()), &from) != 1 || ASN1_TIME_to_tm(X509_get0_notAfter(leaf.get()), &until) != 1)
        return fail(Errc::tls, "the certificate's dates can't be read");
    const auto wall = [](std::tm& time) { return WallTime(std::chrono::seconds(::timegm(&time))); };
    return CertificateTimes{wall(from), wall(until)};
}

bool names_cover(const std::vector<std::string>& names, std::string_view host) {
    return std::ranges::any_of(names, [host](std::string_view name) {
        if (name == host) return true;
        if (!name.starts_with("*.") || host.starts_with("*.")) return false;
        const std::size_t dot = host.find('.');
        return dot != std::string_view::npos && dot > 0 && host.substr(dot) == name.substr(1);
    });
}

}  // namespace sallyport
