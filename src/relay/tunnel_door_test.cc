// The door with real TLS connections over socket pairs, since a proof is bound to its connection.
#include "relay/tunnel_door.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>

#include "base/random.h"
#include "net/tls_transport.h"
#include "relay/state_dir.h"
#include "store/credential.h"
#include "wire/authorization.h"
#include "wire/concealed_auth.h"
#include "wire/http1_parser.h"

namespace sallyport::relay {
namespace {

using namespace std::chrono_literals;

// Both ends of one TLS connection.
struct Connection {
    std::unique_ptr<TlsTransport> relay;
    std::unique_ptr<TlsTransport> agent;

    std::string prove(const Ed25519PrivateKey& key, const ConcealedOrigin& origin = {"https", "relay.example.org", 8443}) const {
        const std::string public_key = key.public_key();
        const std::string context = concealed_exporter_context(as_octets(public_key), as_octets(public_key), origin);
        const auto exported = agent->export_keying_material(kConcealedExporterLabel, as_octets(context), kConcealedExporterOctets);
        return format_concealed(make_concealed_proof(key, public_key, as_octets(exported.value())));
    }
};

// Reads the answer at the agent's end.
class Answer final : public Transport::Owner {
public:
    void on_receive(MutableOctets octets) override { text.append(as_text(octets)); }
    void on_receive_end() override {}
    void on_send_ready() override {}
    void on_transport_error(const Error&) override {}
    std::string text;
};

class DoorTest : public testing::Test {
protected:
    DoorTest() {
        EXPECT_TRUE(prepare_state_dir(folder_));
        auto store = std::move(store::Store::open(folder_ / "relay.db", {"test", wall_now()}).value());
        const auto issue = [&](const char* name, store::CredentialKind kind) {
            return store->add_agent({.name = name, .credential = kind}, {"test", wall_now()}).value();
        };
        home_ = issue("home", store::CredentialKind::enrolment);
        token_ = issue("token", store::CredentialKind::token).issued;
        device_ = issue("device", store::CredentialKind::device).issued;
        store::AgentKey key;
        std::ranges::copy(as_octets(known_key_.public_key()), key.begin());
        (void)issue("known", store::CredentialKind::enrolment);
        EXPECT_TRUE(store->enrol_key("known", key, {"test", wall_now()}));
        publish(*store);
        store_ = std::make_unique<store::StoreThread>(std::move(store));
        door_ = std::make_unique<Door>(0, agents_, *store_, [this](store::Store& changed, const store::AgentId&) { publish(changed); });
        server_tls_ = ServerTls::make({make_self_signed(KeyType::p256, {"relay.example.org"}).value()}, &identity_).value();
        TrustPolicy trust;
        trust.pin = pin_of_certificate(identity_.chain_pem).value();
        trust.alpn = {"sallyport/1"};
        client_tls_ = ClientTls::make(trust).value();
        turn();
    }
    ~DoorTest() override {
        store_->stop();
        bool closed = false;
        agents_.at(0).close_all([&] { closed = true; });
        while (!closed) turn();
        turn();
        std::filesystem::remove_all(folder_);
    }

    void publish(store::Store& store) {
        agents_.set_directory(std::make_shared<const Directory>(store.load_snapshot().value(), PublicPort{}));
    }
    void turn() { loop_.turn(1ms); }
    template <class Condition>
    void until(Condition&& condition) {
        const TimePoint deadline = Clock::now() + 20s;
        while (!condition()) {
            ASSERT_LT(Clock::now(), deadline) << "it didn't happen";
            turn();
        }
    }

    Connection connect() {
        int pair[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
        Connection connection{TlsTransport::make(loop_, Descriptor(pair[0]), server_tls_->new_ssl()),
                              TlsTransport::make(loop_, Descriptor(pair[1]), client_tls_->new_ssl())};
        int shaken = 0;
        for (TlsTransport* end : {connection.relay.get(), connection.agent.get()})
            end->on_handshake([&shaken](const Result<>& done) { shaken += done ? 1 : 0; });
        until([&] { return shaken == 2; });
        return connection;
    }

    std::unique_ptr<TunnelDoor::Admission> judge(const Connection& connection, const std::string& fields,
                                                 const std::string& protocol = "sallyport.1", const std::string& host = "relay.example.org:8443") {
        const std::string text = "GET /tunnel HTTP/1.1\r\nHost: " + host +
                                 "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " +
                                 protocol +
                                 "\r\nSallyport-Session: new\r\n" + fields + "\r\n";
        RequestHead head;
        EXPECT_TRUE(parse_request_head(text, head)) << text;
        return door_->judge(head, connection.relay.get(), Scheme::https);
    }
    static std::string authorization(std::string_view value) { return "Authorization: " + std::string(value) + "\r\n"; }
    std::string enroll(std::string_view secret) const {
        return "Sallyport-Enroll: " + home_.issued.credential.id.text + "." + std::string(secret) + "\r\n";
    }
    std::uint64_t refused(AdmissionRefusal reason) { return agents_.at(0).counters().refused(reason); }

    // What the agent hears once its connection was taken over.
    std::string answer_of(Connection& connection, TunnelDoor::Admission& admission) {
        auto answer = std::make_unique<Answer>();
        connection.agent->set_owner(answer.get());
        admission.take(std::move(connection.relay), "");
        until([&] { return answer->text.find("\r\n\r\n") != std::string::npos; });
        connection.agent->set_owner(nullptr);
        return answer->text;
    }

    std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("door-" + random_token(8));
    Loop loop_;
    Log log_{LogLevel::error, LogFormat::key_value};
    Agents agents_{{&loop_}, log_, TunnelSettings{}, 10, [](std::vector<store::AgentId>) {}};
    Certificate identity_ = make_self_signed(KeyType::ed25519, {"sallyport-relay"}).value();
    std::shared_ptr<const ServerTls> server_tls_;
    std::shared_ptr<const ClientTls> client_tls_;
    Ed25519PrivateKey known_key_ = Ed25519PrivateKey::generate();
    Ed25519PrivateKey new_key_ = Ed25519PrivateKey::generate();
    store::AddedAgent home_;
    store::IssuedCredential token_;
    store::IssuedCredential device_;
    std::unique_ptr<store::StoreThread> store_;
    std::unique_ptr<Door> door_;
};

TEST_F(DoorTest, AdmitsAKnownKeyProvedOverItsConnection) {
    auto connection = connect();
    const auto admission = judge(connection, authorization(connection.prove(known_key_)));
    ASSERT_TRUE(admission);
    const std::string answer = answer_of(connection, *admission);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 101")) << answer;
    EXPECT_NE(answer.find("Sallyport-Received: 0\r\n"), std::string::npos);
}

TEST_F(DoorTest, KnowsNobodyWithoutAProof) {
    auto connection = connect();
    EXPECT_FALSE(judge(connection, ""));
    EXPECT_FALSE(judge(connection, authorization("Bearer x")));
    EXPECT_FALSE(judge(connection, authorization("Concealed k=YQ, a=YQ, s=AAAA, v=AAAA, p=YQ")));
    EXPECT_FALSE(judge(connection, authorization(connection.prove(new_key_)))) << "a key that nobody enrolled";
    EXPECT_FALSE(judge(connection, authorization(connection.prove(known_key_)), "chat")) << "another protocol";
    EXPECT_EQ(refused(AdmissionRefusal::unknown_credential), 1u);
}

TEST_F(DoorTest, TakesNoProofFromAnotherConnectionOrForAnotherOrigin) {
    auto connection = connect();
    auto other = connect();
    EXPECT_FALSE(judge(connection, authorization(other.prove(known_key_)))) << "replayed";
    EXPECT_FALSE(judge(connection, authorization(connection.prove(known_key_, {"https", "elsewhere.example.org", 8443}))));
    EXPECT_FALSE(judge(connection, authorization(connection.prove(known_key_, {"https", "relay.example.org", 443}))));
    EXPECT_EQ(refused(AdmissionRefusal::wrong_proof), 3u);
}

TEST_F(DoorTest, TakesTokensAndDeviceSecrets) {
    auto connection = connect();
    const SharedCredential token{token_.credential.id.text, token_.secret};
    const SharedCredential device{device_.credential.id.text, device_.secret};
    EXPECT_TRUE(judge(connection, authorization(format_bearer(token).reveal())));
    EXPECT_TRUE(judge(connection, authorization(format_basic(device).reveal())));
    EXPECT_FALSE(judge(connection, authorization(format_basic(token).reveal()))) << "a token is no device secret";
    EXPECT_FALSE(judge(connection, authorization(format_bearer({token.id, Secret(std::string(22, 'A'))}).reveal())));
    EXPECT_EQ(refused(AdmissionRefusal::wrong_secret), 1u);
}

TEST_F(DoorTest, ShowsAProvenAgentHowItStandsWithoutATunnel) {
    auto connection = connect();
    const auto admission = judge(connection, authorization(connection.prove(known_key_)), "sallyport-view.1");
    ASSERT_TRUE(admission);
    const std::string answer = answer_of(connection, *admission);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    const auto view = parse_relay_view(std::string_view(answer).substr(answer.find("\r\n\r\n") + 4));
    ASSERT_TRUE(view) << answer;
    EXPECT_EQ(view->agent, "known");
    EXPECT_FALSE(view->tunnel) << "none was opened";
    EXPECT_TRUE(agents_.tickets().admit(view->ticket, agents_.at(0).directory()->credential_of_key(as_octets(known_key_.public_key()))->agent.text, Clock::now()));
}

TEST_F(DoorTest, ShowsNothingToStrangersAndEnrolsNobodyForAView) {
    auto connection = connect();
    EXPECT_FALSE(judge(connection, authorization(connection.prove(new_key_)), "sallyport-view.1"));
    EXPECT_FALSE(judge(connection, authorization(connection.prove(new_key_)) + enroll(home_.issued.secret.reveal()), "sallyport-view.1"));
}

TEST_F(DoorTest, EnrolsAKeyOnceAndKnowsItFromThenOn) {
    auto connection = connect();
    const auto admission = judge(connection, authorization(connection.prove(new_key_)) + enroll(home_.issued.secret.reveal()));
    ASSERT_TRUE(admission);
    EXPECT_TRUE(answer_of(connection, *admission).starts_with("HTTP/1.1 101"));

    auto again = connect();
    EXPECT_TRUE(judge(again, authorization(again.prove(new_key_)))) << "the code is not needed any more";

    const auto other_key = Ed25519PrivateKey::generate();
    auto thief = connect();
    const auto late = judge(thief, authorization(thief.prove(other_key)) + enroll(home_.issued.secret.reveal()));
    ASSERT_TRUE(late) << "the secret is right, so he may hear what is wrong";
    const std::string answer = answer_of(thief, *late);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 403")) << answer;
    EXPECT_NE(answer.find("Sallyport-Refused: enrolment_used"), std::string::npos);
}

TEST_F(DoorTest, TakesNoWrongOneTimeSecret) {
    auto connection = connect();
    const std::string proof = authorization(connection.prove(new_key_));
    EXPECT_FALSE(judge(connection, proof + enroll(std::string(22, 'A'))));
    EXPECT_FALSE(judge(connection, proof + "Sallyport-Enroll: nobody.AAAAAAAAAAAAAAAAAAAAAA\r\n"));
    EXPECT_FALSE(judge(connection, proof + "Sallyport-Enroll: \r\n"));
    EXPECT_FALSE(judge(connection, proof + "Sallyport-Enroll: " + token_.credential.id.text + "." + std::string(token_.secret.reveal()) + "\r\n"))
        << "a token enrols nothing";
}

TEST_F(DoorTest, TakesSecretsAloneWhereTlsEndedBeforeAndNobodyInTheClear) {
    const auto judged = [&](const std::string& authorization_value, Scheme scheme) {
        RequestHead head;
        EXPECT_TRUE(parse_request_head(
            "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sallyport.1\r\nAuthorization: " + authorization_value + "\r\n\r\n",
            head));
        return door_->judge(head, nullptr, scheme) != nullptr;
    };
    const std::string bearer(format_bearer({token_.credential.id.text, token_.secret}).reveal());
    EXPECT_FALSE(judged(bearer, Scheme::http));
    EXPECT_EQ(refused(AdmissionRefusal::no_tls), 1u);
    EXPECT_TRUE(judged(bearer, Scheme::https));
    EXPECT_FALSE(judged("Concealed k=YQ, a=YQ, s=AAAA, v=AAAA, p=YQ", Scheme::https));
    EXPECT_EQ(refused(AdmissionRefusal::no_tls), 2u);
}

}  // namespace
}  // namespace sallyport::relay
