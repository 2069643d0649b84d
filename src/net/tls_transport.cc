#include "net/tls_transport.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>
#include <cassert>
#include <cstring>

namespace sallyport {
namespace {

// What OpenSSL may answer by itself while we receive (alerts, key updates) when the peer doesn't read; arbitrary,
// stops a peer that makes us collect answers without end.
constexpr std::size_t kMostUnasked = 128 * 1024;  // beside one piece of the owner's with its record framing
static_assert(LoopBuffers::kSend >= Transport::kSendQuantum);
constexpr std::size_t kRecord = 16 * 1024;  // largest plaintext of one record (RFC 8446 5.1)

}  // namespace

// OpenSSL reads wire octets from incoming_ and writes records to the loop's `sealed` buffer; no system call in between.
struct TlsBio {
    static int read(BIO* bio, char* out, int size) {
        auto& transport = *static_cast<TlsTransport*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (transport.incoming_.empty()) {
            BIO_set_retry_read(bio);
            return -1;
        }
        const std::size_t count = std::min(transport.incoming_.size(), static_cast<std::size_t>(size));
        std::memcpy(out, transport.incoming_.data(), count);
        transport.incoming_ = transport.incoming_.subspan(count);
        return static_cast<int>(count);
    }
    static int write(BIO* bio, const char* in, int size) {
        auto& transport = *static_cast<TlsTransport*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        auto& sealed = transport.loop_.buffers().sealed;
        const auto octets = as_octets({in, static_cast<std::size_t>(size)});
        sealed.insert(sealed.end(), octets.begin(), octets.end());
        return size;
    }
    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
    static const BIO_METHOD* method() {
        static const auto made = [] {
            std::unique_ptr<BIO_METHOD, OpensslDeleter<BIO_meth_free>> m(
                BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sallyport"));
            BIO_meth_set_read(m.get(), read);
            BIO_meth_set_write(m.get(), write);
            BIO_meth_set_ctrl(m.get(), control);
            return m;
        }();
        return made.get();
    }
};

std::unique_ptr<TlsTransport> TlsTransport::make(Loop& loop, Descriptor connected, Ssl ssl, std::string received) {
    auto transport =
        std::unique_ptr<TlsTransport>(new TlsTransport(loop, std::move(connected), std::move(ssl), std::move(received)));
    return transport;
}

TlsTransport::TlsTransport(Loop& loop, Descriptor connected, Ssl ssl, std::string received)
    : SocketTransport(loop, std::move(connected), std::move(received), LoopBuffers::kReceive), ssl_(std::move(ssl)) {
    BIO* bio = BIO_new(TlsBio::method());
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    handshaking_ = !SSL_is_init_finished(ssl_.get());
}

TlsTransport::~TlsTransport() = default;

void TlsTransport::on_handshake(std::function<void(Result<>)> done) {
    on_handshake_ = std::move(done);
    update_read();
    if (!SSL_is_server(ssl_.get())) continue_handshake();
}

void TlsTransport::continue_handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    // An alert of ours is in the buffer too and must leave before the connection ends.
    const Error error = result == 1 ? Error{} : tls_error("handshake", result);
    flush_sealed();
    if (result == 1) {
        handshaking_ = false;
        auto done = std::exchange(on_handshake_, nullptr);
        update_read();
        if (done) done({});
        return;
    }
    if (error.code != Errc::would_block) fail_with(error);
}

void TlsTransport::on_failed(const Error& error) {
    if (auto done = std::exchange(on_handshake_, nullptr)) done(std::unexpected(error));
}

void TlsTransport::take_wire(MutableOctets octets) {
    incoming_ = octets;
    if (handshaking_) continue_handshake();
    if (!closed_ && !handshaking_ && !incoming_.empty()) {
        if (owner_ && !paused_) deliver_plaintext();
    }
    if (closed_) return;
    // Only what nobody may take yet is kept: what follows a handshake before there is an owner, or behind a pause.
    if (!incoming_.empty()) received_.assign(as_text(incoming_));
    incoming_ = {};
}

void TlsTransport::deliver_plaintext() {
    auto& plaintext = loop_.buffers().plaintext;
    std::size_t filled = 0;
    Error end{Errc::would_block, {}};
    ERR_clear_error();
    while (filled < plaintext.size()) {
        std::size_t count = 0;
        const int result = SSL_read_ex(ssl_.get(), plaintext.data() + filled, plaintext.size() - filled, &count);
        if (result != 1) {
            end = tls_error("receive", result);
            break;
        }
        filled += count;
    }
    flush_sealed();  // what OpenSSL answered by itself
    if (filled > 0) owner_->on_receive(MutableOctets(plaintext.data(), filled));
    if (closed_ || end.code == Errc::would_block) return;
    if (end.code == Errc::end_of_stream) {
        in_order_ = true;
        receive_ended_ = true;
        update_read();
        if (owner_) owner_->on_receive_end();
        return;
    }
    fail_with(end);
}

void TlsTransport::take_wire_end() {
    if (in_order_) return;
    fail_with({Errc::reset, handshaking_ ? "closed during the TLS handshake" : "closed without close_notify"});
}

void TlsTransport::send(Octets head, Octets body) {
    assert(send_ready() && !handshaking_ && head.size() + body.size() <= kSendQuantum);
    // The first record carries head and body together; the rest is encrypted from where it lies.
    if (!head.empty() && !body.empty()) {
        auto& scratch = loop_.buffers().scratch;
        assert(head.size() <= kSendQuantum);
        std::memcpy(scratch.data(), head.data(), head.size());
        const std::size_t beside = std::min(body.size(), kRecord - head.size() % kRecord);
        std::memcpy(scratch.data() + head.size(), body.data(), beside);
        head = Octets(scratch.data(), head.size() + beside);
        body = body.subspan(beside);
    }
    for (const Octets part : {head, body}) {
        if (part.empty()) continue;
        ERR_clear_error();
        std::size_t written = 0;
        const int result = SSL_write_ex(ssl_.get(), part.data(), part.size(), &written);
        if (result != 1) {
            loop_.buffers().sealed.clear();
            return fail_later(tls_error("send", result));
        }
        assert(written == part.size());
    }
    flush_sealed();
}

void TlsTransport::flush_sealed() {
    auto& sealed = loop_.buffers().sealed;
    if (sealed.empty()) return;
    if (!closed_) put_wire(sealed);
    sealed.clear();
    if (pending_.size() > Transport::kSendQuantum + kMostUnasked) fail_later({Errc::too_large, "the peer makes us answer and doesn't read"});
}

void TlsTransport::before_end() {
    if (handshaking_) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    flush_sealed();
}

Error TlsTransport::tls_error(std::string_view what, int result) const {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return {Errc::would_block, {}};
        case SSL_ERROR_ZERO_RETURN: return {Errc::end_of_stream, {}};
        default: break;
    }
    std::string detail = "TLS " + std::string(what) + ": ";
    if (const long verified = SSL_get_verify_result(ssl_.get()); handshaking_ && verified != X509_V_OK) {
        detail += X509_verify_cert_error_string(verified);
    } else if (const unsigned long code = ERR_get_error(); code != 0) {
        std::array<char, 256> text;
        ERR_error_string_n(code, text.data(), text.size());
        const char* reason = ERR_reason_error_string(code);
        detail += reason ? reason : text.data();
    } else {
        detail += "cut by the peer";
    }
    ERR_clear_error();
    return {Errc::tls, std::move(detail)};
}

std::string_view TlsTransport::alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

std::string_view TlsTransport::server_name() const {
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
}

bool TlsTransport::certificate_covers(const std::string& host) const {
    X509* certificate = SSL_get_certificate(ssl_.get());
    if (!certificate) return false;
    return X509_check_host(certificate, host.data(), host.size(), 0, nullptr) == 1 || X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
}

std::string TlsTransport::peer_pin() const {
    const X509Ptr certificate(SSL_get1_peer_certificate(ssl_.get()));
    return certificate ? pin_of(*certificate) : "";
}

Result<std::string> TlsTransport::export_keying_material(std::string_view label, Octets context, std::size_t size) {
    std::string out(size, '\0');
    if (SSL_export_keying_material(ssl_.get(), reinterpret_cast<unsigned char*>(out.data()), size, label.data(),
                                   label.size(), as_u8(context), context.size(), 1) != 1)
        return fail(Errc::tls, "no keying material");
    return out;
}

TlsTransport::ParkedPtr TlsTransport::park() {
    assert(!handshaking_ && !closed_);
    auto parked = std::make_unique<Parked>();
    parked->received = std::string(as_text(incoming_)) + received_;
    incoming_ = {};
    parked->pending = std::move(pending_);
    parked->peer = peer_address();
    parked->receive_ended = receive_ended_;
    parked->descriptor = take_descriptor();
    parked->ssl = std::move(ssl_);
    return parked;
}

std::unique_ptr<TlsTransport> TlsTransport::unpark(Loop& loop, ParkedPtr parked) {
    auto transport = make(loop, std::move(parked->descriptor), std::move(parked->ssl), std::move(parked->received));
    transport->name_peer(parked->peer);
    transport->receive_ended_ = parked->receive_ended;
    if (!parked->pending.empty()) transport->put_wire(parked->pending);
    return transport;
}

}  // namespace sallyport
