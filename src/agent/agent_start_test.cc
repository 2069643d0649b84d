#include "agent/agent_start.h"

#include "agent/agent_test_support.h"
#include "agent/identity.h"

namespace sallyport {
namespace {

class AgentStartTest : public testing::Test {
protected:
    AgentStartTest() { config.services = {{"homeassistant"}}; }
    Result<AgentSetup> prepare(const std::optional<EnrolmentCode>& code = std::nullopt) {
        return prepare_agent(config, folder, code, log, out);
    }
    ~AgentStartTest() override { std::fclose(out); }
    static EnrolmentCode make_code(std::string secret) {
        return {"https://relay.example.org:8443",
                std::string(43, 'A'),
                "credential",
                Secret{std::move(secret)},
                {{"sample", "http://127.0.0.1:9"}}};
    }
    static std::string key_of(const AgentSetup& setup) {
        return std::get<Ed25519PrivateKey>(setup.relay.proof).public_key();
    }

    test::TemporaryFolder temporary;
    StateFolder folder = *StateFolder::open(temporary.path());
    Log log{LogLevel::error, LogFormat::key_value};
    std::FILE* out = std::tmpfile();
    AgentConfig config{.state_dir = temporary.path()};
};

TEST_F(AgentStartTest, SaysHowToEnrol) {
    const auto setup = prepare();
    ASSERT_FALSE(setup);
    EXPECT_NE(setup.error().detail.find("--enroll"), std::string::npos);
    EXPECT_FALSE(folder.has(kIdentityFile));
}

TEST_F(AgentStartTest, EnrolsByACodeAndNeedsNothingAfterwards) {
    const auto first = prepare(make_code("one"));
    ASSERT_TRUE(first) << first.error().detail;
    EXPECT_EQ(first->relay.url.text(), "wss://relay.example.org:8443");
    EXPECT_EQ(first->relay.tls->policy().pin, std::string(43, 'A'));
    EXPECT_EQ(first->relay.enrolment->reveal(), "credential.one");
    EXPECT_TRUE(first->targets.has("sample"));
    EXPECT_TRUE(first->targets.has("homeassistant"));

    // Nothing is kept before the relay has taken it: the same key repeats the trade.
    const auto repeated = prepare(make_code("one"));
    ASSERT_TRUE(repeated);
    EXPECT_TRUE(repeated->relay.enrolment.has_value());
    EXPECT_EQ(key_of(*repeated), key_of(*first));

    repeated->keep_enrolment();
    for (const auto& code : {std::optional<EnrolmentCode>(), std::optional(make_code("one"))}) {
        const auto next = prepare(code);
        ASSERT_TRUE(next) << next.error().detail;
        EXPECT_EQ(next->relay.url.text(), "wss://relay.example.org:8443");
        EXPECT_EQ(next->relay.tls->policy().pin, std::string(43, 'A'));
        EXPECT_FALSE(next->relay.enrolment) << "the code was used";
        EXPECT_TRUE(next->targets.has("sample"));
        EXPECT_EQ(key_of(*next), key_of(*first));
    }
}

TEST_F(AgentStartTest, ANewCodeGetsANewKeyThatWaitsForTheRelay) {
    const auto first = prepare(make_code("one"));
    first->keep_enrolment();
    const auto second = prepare(make_code("two"));
    ASSERT_TRUE(second);
    EXPECT_NE(key_of(*second), key_of(*first));
    EXPECT_EQ(key_of(*prepare(make_code("two"))), key_of(*second)) << "a lost answer: the same key again";
    EXPECT_EQ(key_of(*prepare()), key_of(*first)) << "without the code the old enrolment stands";
    second->keep_enrolment();
    EXPECT_EQ(key_of(*prepare()), key_of(*second));
    EXPECT_FALSE(prepare(make_code("one"))->relay.enrolment) << "older codes stay used";
}

TEST_F(AgentStartTest, FinishesWhatAKilledProcessBegan) {
    const auto first = prepare(make_code("one"));
    first->keep_enrolment();
    const auto second = prepare(make_code("two"));
    Enrolment enrolment = *load_enrolment(folder);
    enrolment.note_used(fingerprint_of(make_code("two")));
    ASSERT_TRUE(store_enrolment(folder, enrolment));  // killed here, before the key was renamed
    EXPECT_EQ(key_of(*prepare()), key_of(*second));
}

TEST_F(AgentStartTest, ConfigurationDecidesOverTheEnrolment) {
    prepare(make_code("one"))->keep_enrolment();
    config.relay_url = *parse_relay_url("wss://other.example.org");
    const auto elsewhere = prepare();
    ASSERT_TRUE(elsewhere);
    EXPECT_EQ(elsewhere->relay.url.host, "other.example.org");
    EXPECT_EQ(elsewhere->relay.tls->policy().pin, "") << "the pin is another relay's";
    config.pin = std::string(43, 'B');
    EXPECT_EQ(prepare()->relay.tls->policy().pin, config.pin);
}

TEST_F(AgentStartTest, SharedSecretsNeedNoKey) {
    config.relay_url = *parse_relay_url("wss://relay.example.org");
    config.api_key = Secret{"id.secret"};
    const auto setup = prepare(make_code("one"));
    ASSERT_TRUE(setup);
    EXPECT_EQ(std::get<SharedProof>(setup->relay.proof).authorization.reveal(), "Bearer id.secret");
    EXPECT_FALSE(setup->relay.enrolment);
    EXPECT_FALSE(folder.has(kIdentityFile));
    config.api_key = Secret{"nonsense"};
    EXPECT_FALSE(prepare());
    config.api_key = Secret{};
    config.device_id = "device";
    config.secret = Secret{"secret"};
    EXPECT_EQ(std::get<SharedProof>(prepare()->relay.proof).authorization.reveal(), "Basic ZGV2aWNlOnNlY3JldA==");
}

TEST_F(AgentStartTest, ServicesComeBeforeProposals) {
    config.services = {{"sample", *parse_target_url("http://10.0.0.1:1")}};
    const TargetTable table =
        make_target_table(config, {{"sample", "http://127.0.0.1:9"}, {"nas", "tcp://127.0.0.1:22"}});
    EXPECT_EQ(table.find("sample")->url.host, "10.0.0.1");
    EXPECT_TRUE(table.has("nas"));
    EXPECT_FALSE(table.has("homeassistant"));
    config.services = {{"homeassistant"}};
    const TargetTable located = make_target_table(config, {{"homeassistant", "http://127.0.0.1:8123"}});
    EXPECT_TRUE(located.find("homeassistant")->is_located()) << "who says where it is spares the search";
}

TEST_F(AgentStartTest, ChoosesTheCodeInTheStatedOrder) {
    EXPECT_FALSE(choose_code(config, {}).value());
    config.enroll = Secret{std::string(format_enrolment_code(make_code("from-the-configuration"))->reveal())};
    EXPECT_EQ((*choose_code(config, {}))->secret.reveal(), "from-the-configuration");
    const EnrolmentInput input{true,
                               Secret{std::string(format_enrolment_code(make_code("from-the-argument"))->reveal())}};
    EXPECT_EQ((*choose_code(config, input))->secret.reveal(), "from-the-argument");
    config.enroll = Secret{"sallyport1_broken"};
    EXPECT_FALSE(choose_code(config, {}));
}

}  // namespace
}  // namespace sallyport
