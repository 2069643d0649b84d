#include "net/ticket_keys.h"

#include <gtest/gtest.h>

#include <string>

#include "net/tls_context.h"

namespace sallyport {
namespace {

using namespace std::chrono_literals;

using SessionPtr = std::unique_ptr<SSL_SESSION, OpensslDeleter<SSL_SESSION_free>>;

// A client with no opinion of certificates, and servers as a reload makes them, joined by memory.
class TicketKeysTest : public testing::TestWithParam<int> {
protected:
    TicketKeysTest() {
        SSL_CTX_set_max_proto_version(client_.get(), GetParam());
    }

    std::shared_ptr<const ServerTls> server(std::shared_ptr<TicketKeys> keys) const {
        return ServerTls::make({certificate_}, nullptr, {TlsVersion::tls1_2, std::move(keys)}).value();
    }

    // Was `session` resumed? What the next visit may begin with is in latest_.
    bool resumes(const ServerTls& tls, SSL_SESSION* session) {
        Ssl server = tls.new_ssl(), client(SSL_new(client_.get()));
        SSL_set_connect_state(client.get());
        if (session) SSL_set_session(client.get(), session);
        BIO *ours = nullptr, *theirs = nullptr;
        EXPECT_EQ(BIO_new_bio_pair(&ours, 0, &theirs, 0), 1);
        SSL_set_bio(client.get(), ours, ours);
        SSL_set_bio(server.get(), theirs, theirs);
        char octet = 0;
        for (int turns = 0; turns < 10; ++turns) {
            SSL_do_handshake(client.get());
            SSL_do_handshake(server.get());
        }
        EXPECT_TRUE(SSL_is_init_finished(client.get()) && SSL_is_init_finished(server.get()));
        EXPECT_EQ(SSL_write(server.get(), "x", 1), 1);
        EXPECT_EQ(SSL_read(client.get(), &octet, 1), 1);  // behind TLS 1.3's ticket
        latest_.reset(SSL_get1_session(client.get()));
        const bool reused = SSL_session_reused(client.get()) == 1;
        SSL_shutdown(client.get());  // else OpenSSL spoils the session
        return reused;
    }

    Certificate certificate_ = make_self_signed(KeyType::p256, {"home.example.org"}).value();
    SslContext client_{SSL_CTX_new(TLS_client_method())};
    SessionPtr latest_;
    TimePoint now_{};
};

}  // namespace

TEST_P(TicketKeysTest, ServeEveryContextThatSharesThem) {
    const auto keys = std::make_shared<TicketKeys>();
    const auto before = server(keys), after = server(keys), stranger = server(nullptr);
    EXPECT_FALSE(resumes(*before, nullptr));
    const SessionPtr ticket = std::move(latest_);
    ASSERT_TRUE(ticket);
    EXPECT_TRUE(resumes(*after, ticket.get())) << "a reload keeps them";
    EXPECT_FALSE(resumes(*stranger, ticket.get())) << "and no other keys open it";
}

TEST_P(TicketKeysTest, TurnAndTakeTheKeyBeforeOnceMore) {
    const auto keys = std::make_shared<TicketKeys>([this] { return now_; });
    const auto tls = server(keys);
    resumes(*tls, nullptr);
    const SessionPtr old = std::move(latest_);
    now_ += kTicketKeyTurn;
    EXPECT_TRUE(resumes(*tls, old.get()));
    const SessionPtr renewed = std::move(latest_);  // with a ticket of the new key
    now_ += kTicketKeyTurn;
    EXPECT_FALSE(resumes(*tls, old.get()));
    EXPECT_TRUE(resumes(*tls, renewed.get()));
}

TEST_P(TicketKeysTest, AreForgottenWhileNobodyComes) {
    const auto keys = std::make_shared<TicketKeys>([this] { return now_; });
    const auto tls = server(keys);
    resumes(*tls, nullptr);
    const SessionPtr old = std::move(latest_);
    now_ += 3 * kTicketKeyTurn;
    EXPECT_FALSE(resumes(*tls, old.get()));
}

INSTANTIATE_TEST_SUITE_P(Versions, TicketKeysTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) { return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

}  // namespace sallyport
