// certificate.h: certificates and their keys as PEM text: reading, making, and the pin by which a key is recognised. Any thread.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/openssl_handles.h"

namespace sallyport {

// A certificate chain and its key, as PEM. Names are the DNS names it is valid for, lower case, wildcards included.
struct Certificate {
    std::string chain_pem;
    std::string key_pem;
    std::vector<std::string> names;
};

// Reads and checks a pair of PEM files: unreadable, not PEM, key of another certificate: each its own clear line.
Result<Certificate> load_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key);
enum class KeyType { p256, ed25519 };
// Makes a key and a certificate signed by itself, valid for ten years from a day ago.
Result<Certificate> make_self_signed(KeyType type, const std::vector<std::string>& names);
// Another certificate for the key of one signed by itself.
Result<Certificate> sign_anew(const Certificate& self_signed, const std::vector<std::string>& names);

// From when until when the first certificate of a chain is valid.
struct CertificateTimes {
    WallTime from;
    WallTime until;
};
Result<CertificateTimes> times_of_certificate(std::string_view chain_pem);
// Whether one of a certificate's names, wildcards included (one label), is that host's. Lower case.
bool names_cover(const std::vector<std::string>& names, std::string_view host);

// SHA-256 of the certificate's SubjectPublicKeyInfo, base64url: the pin (RFC 7469 2.4 hashes the same octets).
Result<std::string> pin_of_certificate(std::string_view chain_pem);
std::string pin_of(X509& certificate);

// For a TLS context: the certificate with the rest of its chain, and the key, which belongs to it.
struct ParsedCertificate {
    X509Ptr leaf;
    std::vector<X509Ptr> chain;
    PrivateKey key;
};
Result<ParsedCertificate> parse_certificate(const Certificate& certificate);

}  // namespace sallyport
