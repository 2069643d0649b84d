#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <unordered_map>

#include "net/socket_address.h"

namespace sallyport {
namespace {

constexpr std::string_view kTunnelAlpn = "sallyport/1";
constexpr std::string_view kHttp2Alpn = "h2";
constexpr std::string_view kHttp1Alpn = "http/1.1";

// Errors: what is wrong with the pair, in words for its owner.
Result<> use_certificate(SSL_CTX& context, const Certificate& certificate) {
    auto parsed = parse_certificate(certificate);
    if (!parsed) return std::unexpected(parsed.error());
    if (SSL_CTX_use_certificate(&context, parsed->leaf.get()) != 1 || SSL_CTX_use_PrivateKey(&context, parsed->key.get()) != 1)
        return fail(Errc::tls, "certificate: " + openssl_reason());
    for (X509Ptr& next : parsed->chain)
        if (SSL_CTX_add0_chain_cert(&context, next.get()) == 1) next.release();
    return {};
}

// OpenSSL calls back into what made the SSL; each SSL holds a share of it (as its ex_data), so that a reload may drop it.
using Keeper = std::shared_ptr<const void>;

int keeper_index() {
    static const int index = SSL_get_ex_new_index(
        0, nullptr, nullptr, nullptr,
        [](void*, void* keeper, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Keeper*>(keeper); });
    return index;
}

void keep_alive(SSL& ssl, Keeper keeper) {
    SSL_set_ex_data(&ssl, keeper_index(), std::make_unique<Keeper>(std::move(keeper)).release());
}

SslContext new_context(const SSL_METHOD* method) {
    SslContext context(SSL_CTX_new(method));
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    // RELEASE_BUFFERS: an idle connection holds 14 instead of 28 KiB.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                           SSL_OP_PRIORITIZE_CHACHA);
    // TLS 1.2 with forward secrecy and AEAD only; AES-128 before AES-256: as strong here, cheaper.
    SSL_CTX_set_cipher_list(context.get(), "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!kRSA");
    SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set1_groups_list(context.get(), "X25519:P-256:P-384");
    return context;
}

}  // namespace

// ---- ServerTls

struct ServerTls::Impl {
    std::shared_ptr<TicketKeys> ticket_keys;  // outlives the contexts
    std::vector<SslContext> contexts;  // [0] is the default
    SslContext identity;
    std::unordered_map<std::string, SSL_CTX*> by_name;

    SSL_CTX* context_for(std::string name) const {
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        if (const auto found = by_name.find(name); found != by_name.end()) return found->second;
        const auto dot = name.find('.');
        if (dot == std::string::npos) return nullptr;
        const auto found = by_name.find("*" + name.substr(dot));
        return found == by_name.end() ? nullptr : found->second;
    }

    // Before anything is negotiated: picks the certificate by ALPN and SNI.
    static int on_client_hello(SSL* ssl, int*, void* argument) {
        const auto& self = *static_cast<const Impl*>(argument);
        const unsigned char* data = nullptr;
        std::size_t size = 0;
        if (self.identity && SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) == 1 &&
            offers_tunnel({reinterpret_cast<const char*>(data), size})) {
            SSL_set_SSL_CTX(ssl, self.identity.get());  // takes certificate and callbacks along, but not these two:
            SSL_set_min_proto_version(ssl, TLS1_3_VERSION);
            SSL_set_num_tickets(ssl, 0);  // agents resume nothing
        }
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    // `list` is the extension's content: two octets of length, then names with one octet of length each (RFC 7301 3.1).
    static bool offers_tunnel(std::string_view list) {
        for (list.remove_prefix(std::min<std::size_t>(2, list.size())); !list.empty();) {
            const auto size = static_cast<unsigned char>(list.front());
            if (list.size() < 1u + size) return false;
            if (list.substr(1, size) == kTunnelAlpn) return true;
            list.remove_prefix(1u + size);
        }
        return false;
    }
    static int on_server_name(SSL* ssl, int*, void* argument) {
        const auto& self = *static_cast<const Impl*>(argument);
        const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        if (!name || SSL_get_SSL_CTX(ssl) == self.identity.get()) return SSL_TLSEXT_ERR_OK;
        if (SSL_CTX* context = self.context_for(name)) SSL_set_SSL_CTX(ssl, context);
        return SSL_TLSEXT_ERR_OK;
    }
    static int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                       unsigned in_size, void* argument) {
        const auto& self = *static_cast<const Impl*>(argument);
        const bool tunnel = SSL_get_SSL_CTX(ssl) == self.identity.get();
        for (const std::string_view wanted : {kHttp2Alpn, kHttp1Alpn, kTunnelAlpn}) {
            if ((wanted == kTunnelAlpn) != tunnel) continue;
            for (std::string_view list{reinterpret_cast<const char*>(in), in_size}; !list.empty();) {
                const auto size = static_cast<unsigned char>(list.front());
                if (list.size() < 1u + size) break;
                if (list.substr(1, size) == wanted) {
                    *out = reinterpret_cast<const unsigned char*>(list.data() + 1);
                    *out_size = size;
                    return SSL_TLSEXT_ERR_OK;
                }
                list.remove_prefix(1u + size);
            }
        }
        return SSL_TLSEXT_ERR_NOACK;  // a client that offers only others may still speak HTTP/1.1
    }
};

ServerTls::ServerTls() : impl_(std::make_unique<Impl>()) {}
ServerTls::~ServerTls() = default;

Result<std::shared_ptr<const ServerTls>> ServerTls::make(const std::vector<Certificate>& certificates,
                                                         const Certificate* identity, ServerTlsSettings settings) {
    if (certificates.empty()) return fail(Errc::invalid_argument, "no certificate");
    const std::shared_ptr<ServerTls> result(new ServerTls);
    Impl& impl = *result->impl_;
    impl.ticket_keys = settings.ticket_keys ? std::move(settings.ticket_keys) : std::make_shared<TicketKeys>();
    const auto add = [&](const Certificate& certificate) -> Result<SslContext> {
        SslContext context = new_context(TLS_server_method());
        SSL_CTX_set_min_proto_version(context.get(), static_cast<int>(settings.min_version));
        if (auto used = use_certificate(*context, certificate); !used) return std::unexpected(used.error());
        SSL_CTX_set_client_hello_cb(context.get(), Impl::on_client_hello, &impl);
        SSL_CTX_set_tlsext_servername_callback(context.get(), Impl::on_server_name);
        SSL_CTX_set_tlsext_servername_arg(context.get(), &impl);
        SSL_CTX_set_alpn_select_cb(context.get(), Impl::on_alpn, &impl);
        // Sessions resume by ticket alone: a cache on our side would hold memory per visitor.
        SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
        constexpr std::string_view kSessionContext = "sallyport";
        SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                       kSessionContext.size());
        SSL_CTX_set_num_tickets(context.get(), 1);
        impl.ticket_keys->serve(*context);
        return context;
    };
    for (const Certificate& certificate : certificates) {
        auto context = add(certificate);
        if (!context) return std::unexpected(context.error());
        impl.contexts.push_back(std::move(*context));
        for (const std::string& name : certificate.names) impl.by_name.try_emplace(name, impl.contexts.back().get());
    }
    if (identity) {
        auto context = add(*identity);
        if (!context) return std::unexpected(context.error());
        impl.identity = std::move(*context);
    }
    return result;
}

Ssl ServerTls::new_ssl() const {
    Ssl ssl(SSL_new(impl_->contexts.front().get()));
    SSL_set_accept_state(ssl.get());
    keep_alive(*ssl, shared_from_this());
    return ssl;
}

// ---- ClientTls

ClientTls::ClientTls(TrustPolicy policy) : policy_(std::move(policy)) {}
ClientTls::~ClientTls() = default;

namespace {

// The key decides, whatever the chain says. `argument` is the policy, which lives as long as the context.
int verify_by_key(X509_STORE_CTX* store, void* argument) {
    const auto& policy = *static_cast<const TrustPolicy*>(argument);
    X509* leaf = X509_STORE_CTX_get0_cert(store);
    if (leaf && (policy.accept_new_pin || pin_of(*leaf) == policy.pin)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

}  // namespace

Result<std::shared_ptr<const ClientTls>> ClientTls::make(TrustPolicy policy) {
    const std::shared_ptr<ClientTls> result(new ClientTls(std::move(policy)));
    result->context_ = new_context(TLS_client_method());
    SSL_CTX& context = *result->context_;
    const TrustPolicy& trust = result->policy_;
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, nullptr);
    if (trust.tls13_only) SSL_CTX_set_min_proto_version(&context, TLS1_3_VERSION);
    if (trust.accept_new_pin || !trust.pin.empty()) {
        SSL_CTX_set_cert_verify_callback(&context, verify_by_key, const_cast<TrustPolicy*>(&trust));
    } else if (trust.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(&context);
    } else if (SSL_CTX_load_verify_file(&context, trust.ca_file.c_str()) != 1) {
        return fail(Errc::tls, "read CA file " + trust.ca_file.string() + ": " + openssl_reason());
    }
    std::string list;
    for (const std::string& name : trust.alpn) {
        list += static_cast<char>(name.size());
        list += name;
    }
    if (!list.empty())
        SSL_CTX_set_alpn_protos(&context, reinterpret_cast<const unsigned char*>(list.data()),
                                static_cast<unsigned>(list.size()));
    return result;
}

Ssl ClientTls::new_ssl() const {
    Ssl ssl(SSL_new(context_.get()));
    SSL_set_connect_state(ssl.get());
    keep_alive(*ssl, shared_from_this());
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl.get());
    if (SocketAddress::parse(policy_.server_name, 0)) {
        X509_VERIFY_PARAM_set1_ip_asc(parameters, policy_.server_name.c_str());
    } else {
        SSL_set_tlsext_host_name(ssl.get(), policy_.server_name.c_str());
        X509_VERIFY_PARAM_set1_host(parameters, policy_.server_name.c_str(), 0);
    }
    return ssl;
}

}  // namespace sallyport
