#include "tls_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace sallyport::bench {
namespace {

constexpr std::size_t kMaxHeaderSection = 16_KiB;  // our own peers answer with less than 1 KiB

std::unexpected<Error> fail_tls(std::string_view what) {
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return fail(Errc::tls, std::string(what) + ": " + text);
}

Result<> connect_socket(int socket, std::uint16_t port, std::chrono::seconds limit) {
    const timeval timeout{.tv_sec = limit.count(), .tv_usec = 0};
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail_errno(errno, "connect");
    }
    return {};
}

}  // namespace

Result<SslContext> make_client_context(const std::string& ca_file) {
    SslContext context{SSL_CTX_new(TLS_client_method())};
    if (!context || SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) return fail_tls(ca_file);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    return context;
}

Result<TlsClient> TlsClient::connect(SSL_CTX& context, const Destination& to, std::chrono::seconds limit) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return fail_errno(errno, "socket");
    TlsClient client{socket, Ssl{SSL_new(&context)}};
    if (Result<> connected = connect_socket(socket, to.port, limit); !connected) return std::unexpected(connected.error());
    SSL* ssl = client.ssl_.get();
    if (ssl == nullptr || SSL_set_fd(ssl, socket) != 1 ||
        SSL_set_tlsext_host_name(ssl, const_cast<char*>(to.server_name.c_str())) != 1 ||
        SSL_set1_host(ssl, to.server_name.c_str()) != 1 || SSL_connect(ssl) != 1) {
        return fail_tls("handshake");
    }
    return client;
}

TlsClient::~TlsClient() {
    if (socket_ < 0) return;
    if (SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());  // close_notify, best effort: the run is over
    ERR_clear_error();
    ::close(socket_);
}

Result<> TlsClient::write_all(Octets octets) {
    while (!octets.empty()) {
        std::size_t written = 0;
        if (SSL_write_ex(ssl_.get(), octets.data(), octets.size(), &written) != 1) return fail_tls("write");
        octets = octets.subspan(written);
    }
    return {};
}

Result<std::size_t> TlsClient::read_some(MutableOctets out) {
    std::size_t count = 0;
    if (const int ok = SSL_read_ex(ssl_.get(), out.data(), out.size(), &count); ok == 1) return count;
    switch (SSL_get_error(ssl_.get(), 0)) {
        case SSL_ERROR_WANT_READ: return fail(Errc::would_block);
        case SSL_ERROR_ZERO_RETURN: return fail(Errc::end_of_stream);
        default: return fail_tls("read");
    }
}

Result<std::string> TlsClient::read_header_section(std::string& rest) {
    std::string text;
    std::byte chunk[4096];
    while (text.size() < kMaxHeaderSection) {
        Result<std::size_t> count = read_some(chunk);
        if (!count) return std::unexpected(count.error());
        text += as_text({chunk, *count});
        if (const std::size_t end = text.find("\r\n\r\n"); end != std::string::npos) {
            rest = text.substr(end + 4);
            text.resize(end + 4);
            return text;
        }
    }
    return fail(Errc::too_large, "header section");
}

Result<> TlsClient::set_non_blocking() {
    if (fcntl(socket_, F_SETFL, O_NONBLOCK) != 0) return fail_errno(errno, "fcntl");
    return {};
}

}  // namespace sallyport::bench
