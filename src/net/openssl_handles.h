// openssl_handles.h: OpenSSL's objects, each owned from the line that made it.
#pragma once
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace sallyport {

template <auto Free>
struct OpensslDeleter {
    void operator()(auto* p) const noexcept { Free(p); }
};
using SslContext = std::unique_ptr<SSL_CTX, OpensslDeleter<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, OpensslDeleter<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslDeleter<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, OpensslDeleter<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, OpensslDeleter<BIO_free>>;

// What the last failed call on this thread said, "unknown reason" if nothing; clears the thread's error queue.
std::string openssl_reason();

}  // namespace sallyport
