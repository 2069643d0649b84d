#include "agent/relay_dialler.h"

#include "agent/agent_test_support.h"
#include "wire/authorization.h"

namespace sallyport {
namespace {

using Kind = DialFailure::Kind;

class RelayDiallerTest : public testing::Test {
protected:
    RelayEndpoint endpoint_of(const test::LoopbackRelay& relay, const std::string& pin) {
        RelayEndpoint endpoint;
        endpoint.url = *parse_relay_url(relay.url());
        endpoint.tls = *make_relay_tls(endpoint.url, pin, {});
        endpoint.proof = key;
        return endpoint;
    }
    std::expected<OpenedConnection, DialFailure> dial(const RelayEndpoint& endpoint, RelayDialler::Limits limits = {}) {
        std::optional<std::expected<OpenedConnection, DialFailure>> result;
        RelayDialler dialler(loop, workers, endpoint, limits, [&] { return ask; },
                             [&](auto dialled) { result.emplace(std::move(dialled)); });
        EXPECT_TRUE(test::run_until(loop, [&] { return result.has_value(); }));
        return std::move(*result);
    }
    Loop loop;
    Workers workers{2};
    Result<SessionState> ask = SessionState{};
    Ed25519PrivateKey key = Ed25519PrivateKey::generate();
};

TEST_F(RelayDiallerTest, ProvesItsKeyOverThisConnection) {
    test::LoopbackRelay relay(loop);
    RelayEndpoint endpoint = endpoint_of(relay, relay.pin());
    endpoint.enrolment = Secret{"credential.secret"};
    bool proven = false;
    relay.on_request = [&] {
        const auto proof = parse_concealed(relay.request.fields.find("Authorization").value_or(""));
        ASSERT_TRUE(proof);
        EXPECT_EQ(proof->public_key, key.public_key());
        proven = relay.verify(*proof).has_value();
    };
    const auto opened = dial(endpoint);
    ASSERT_TRUE(opened) << opened.error().reason;
    EXPECT_TRUE(proven);
    EXPECT_EQ(opened->session.id, "s1");
    EXPECT_EQ(opened->session.received, 0u);
    EXPECT_EQ(relay.request.target, "/tunnel");
    EXPECT_EQ(relay.request.fields.find("Sec-WebSocket-Protocol"), "sallyport.1");
    EXPECT_EQ(relay.request.fields.find("Sallyport-Enroll"), "credential.secret");
}

TEST_F(RelayDiallerTest, AsksForASessionWithTheCountOfTheLastMoment) {
    test::LoopbackRelay relay(loop);
    const RelayEndpoint endpoint = endpoint_of(relay, relay.pin());
    ask = SessionState{"s7", 12'345'678'901};
    ASSERT_TRUE(dial(endpoint));
    EXPECT_EQ(relay.request.fields.find("Sallyport-Session"), "s7");
    EXPECT_EQ(relay.request.fields.find("Sallyport-Received"), "12345678901");
    ask = fail(Errc::conflict, "not needed any more");
    const auto given_up = dial(endpoint);
    ASSERT_FALSE(given_up);
    EXPECT_EQ(given_up.error().kind, Kind::network);
    EXPECT_EQ(given_up.error().reason, "not needed any more");
}

TEST_F(RelayDiallerTest, ReadsTheCountOfTheRelay) {
    for (const auto& [said, count] : std::vector<std::pair<std::string, std::optional<ByteCount>>>{
             {"12345678901", 12'345'678'901}, {"0", 0}, {"", std::nullopt}, {"-1", std::nullopt}, {"1x", std::nullopt}, {"99999999999999999999", std::nullopt}}) {
        test::LoopbackRelay relay(loop);
        relay.on_request = [&] {
            ResponseHead head;
            fill_websocket_response(head, *check_websocket_request(relay.request));
            head.fields.add("Sec-WebSocket-Protocol", "sallyport.1");
            head.fields.add("Sallyport-Session", "s9");
            head.fields.add("Sallyport-Received", said);
            relay.answer.clear();
            write_response_head(relay.answer, head, ConnectionOption::upgrade);
        };
        const auto opened = dial(endpoint_of(relay, relay.pin()));
        ASSERT_EQ(opened.has_value(), count.has_value()) << said;
        if (count) EXPECT_EQ(opened->session.received, *count);
        else EXPECT_EQ(opened.error().kind, Kind::protocol);
    }
}

TEST_F(RelayDiallerTest, ShowsASharedSecretWhereThatIsConfigured) {
    test::LoopbackRelay relay(loop);
    RelayEndpoint endpoint = endpoint_of(relay, relay.pin());
    endpoint.proof = SharedProof{format_bearer({"id", Secret{"secret"}})};
    ASSERT_TRUE(dial(endpoint));
    EXPECT_EQ(relay.request.fields.find("Authorization"), "Bearer id.secret");
    EXPECT_FALSE(relay.request.fields.contains("Sallyport-Enroll"));
}

TEST_F(RelayDiallerTest, TellsAnotherIdentityFromAnUntrustedCertificate) {
    test::LoopbackRelay relay(loop);
    const auto other = dial(endpoint_of(relay, std::string(43, 'A')));
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().kind, Kind::pin_mismatch);
    EXPECT_TRUE(other.error().needs_person());
    const auto untrusted = dial(endpoint_of(relay, ""));
    ASSERT_FALSE(untrusted);
    EXPECT_EQ(untrusted.error().kind, Kind::certificate);
    EXPECT_NE(untrusted.error().reason.find("not trusted"), std::string::npos);
    EXPECT_TRUE(relay.request.fields.empty()) << "nothing may be said to a relay that isn't trusted";
}

TEST_F(RelayDiallerTest, TellsWhatRefusalsMean) {
    test::LoopbackRelay relay(loop);
    const struct {
        const char* what;
        std::string answer;
        Kind kind;
        const char* reason;
    } rows[] = {
        {"unknown", test::http_answer(404, "<h1>not here</h1>"), Kind::not_recognised, "doesn't know this credential"},
        {"expired code", "HTTP/1.1 403 X\r\nSallyport-Refused: enrolment_expired\r\nContent-Length: 0\r\n\r\n",
         Kind::not_recognised, "expired"},
        {"disabled", "HTTP/1.1 403 X\r\nSallyport-Refused: disabled\r\nContent-Length: 0\r\n\r\n", Kind::forbidden,
         "disabled"},
        {"duplicate", "HTTP/1.1 409 X\r\nSallyport-Refused: duplicate_live\r\nContent-Length: 0\r\n\r\n",
         Kind::duplicate_live, "another process"},
        {"a reason of a later release", "HTTP/1.1 403 X\r\nSallyport-Refused: moon\r\nContent-Length: 0\r\n\r\n",
         Kind::forbidden, "moon"},
        {"unauthorized", test::http_answer(401, ""), Kind::forbidden, "401"},
        {"trouble",
         "HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Type: application/json\r\nContent-Length: "
         "31\r\n\r\n{\"error\":{\"detail\":\"too much\"}} ",
         Kind::relay_trouble, "too much"},
        {"a web server", test::http_answer(200, "welcome"), Kind::protocol, "200"},
        {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", Kind::protocol, "no HTTP"},
        {"another Accept",
         "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
         Kind::protocol, "Accept"},
        {"closed in the middle", "HTTP/1.1 10", Kind::network, "closed"},
    };
    for (const auto& row : rows) {
        relay.answer = row.answer;
        const auto result = dial(endpoint_of(relay, relay.pin()));
        ASSERT_FALSE(result) << row.what;
        EXPECT_EQ(name_of(result.error().kind), name_of(row.kind)) << row.what << ": " << result.error().reason;
        EXPECT_NE(result.error().reason.find(row.reason), std::string::npos)
            << row.what << ": " << result.error().reason;
    }
}

TEST_F(RelayDiallerTest, ObeysRetryAfterWithinReason) {
    ResponseHead head;
    head.status = 503;
    head.fields.add("Retry-After", "7");
    EXPECT_EQ(judge_answer(head, "", false).retry_after, std::chrono::seconds(7));
    head.fields.set("Retry-After", "100000");
    EXPECT_EQ(judge_answer(head, "", false).retry_after, DialFailure::kMaxRetryAfter);
    head.fields.set("Retry-After", "Fri, 20 Nov 2026 06:00:00 GMT");
    EXPECT_EQ(judge_answer(head, "", false).retry_after, std::chrono::seconds(0));
}

TEST_F(RelayDiallerTest, GivesUpOnARelayThatSaysNothing) {
    test::LoopbackOrigin silent(loop, {});
    RelayEndpoint endpoint;
    endpoint.url = *parse_relay_url("wss://127.0.0.1:" + std::to_string(silent.port()));
    endpoint.tls = *make_relay_tls(endpoint.url, std::string(43, 'A'), {});
    endpoint.proof = key;
    RelayDialler::Limits limits;
    limits.tls = std::chrono::milliseconds(50);
    const auto result = dial(endpoint, limits);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, Kind::network);
    EXPECT_NE(result.error().reason.find("TLS handshake took too long"), std::string::npos);
}

TEST_F(RelayDiallerTest, ProvesNoKeyWithoutTls) {
    test::LoopbackOrigin plain(loop, {});
    RelayEndpoint endpoint;
    endpoint.url = *parse_relay_url("ws://127.0.0.1:" + std::to_string(plain.port()));
    endpoint.proof = key;
    const auto result = dial(endpoint);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, Kind::setup);
}

}  // namespace
}  // namespace sallyport
