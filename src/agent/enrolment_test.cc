#include "agent/enrolment.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "agent/agent_test_support.h"

namespace sallyport {
namespace {

EnrolmentCode make_code(std::string secret = "c2VjcmV0c2VjcmV0c2VjcmV0") {
    return {"https://relay.example.org",
            std::string(43, 'A'),
            "abcdefgh",
            Secret{std::move(secret)},
            {{"sample", "http://127.0.0.1:8123"}}};
}

Descriptor pipe_with(std::string_view text) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    Descriptor writer(ends[1]);
    EXPECT_EQ(::write(writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return Descriptor(ends[0]);
}

TEST(Enrolment, ComesBackAsItWasStored) {
    const test::TemporaryFolder temporary;
    const auto folder = StateFolder::open(temporary.path());
    EXPECT_EQ(load_enrolment(*folder).value(), Enrolment{});
    const Enrolment enrolment{"wss://relay.example.org", "pin", {"a", "b"}, {{"sample", "http://127.0.0.1:8123"}}};
    ASSERT_TRUE(store_enrolment(*folder, enrolment));
    EXPECT_EQ(load_enrolment(*folder).value(), enrolment);
}

TEST(Enrolment, RefusesADamagedOrNewerFile) {
    const struct {
        const char* what;
        const char* text;
        Errc error;
    } rows[] = {
        {"no JSON", "{", Errc::protocol},
        {"a list", "[]", Errc::protocol},
        {"no version", "{}", Errc::protocol},
        {"a later version", R"({"version":2})", Errc::newer_version},
    };
    for (const auto& row : rows) {
        const auto parsed = parse_enrolment(row.text);
        ASSERT_FALSE(parsed) << row.what;
        EXPECT_EQ(parsed.error().code, row.error) << row.what;
    }
}

TEST(Enrolment, RemembersTheNewestUsedCodes) {
    Enrolment enrolment;
    for (int i = 0; i < 40; ++i) enrolment.note_used(std::to_string(i));
    enrolment.note_used("39");
    EXPECT_EQ(enrolment.used_codes.size(), Enrolment::kMaxUsedCodes);
    EXPECT_TRUE(enrolment.has_used("39"));
    EXPECT_FALSE(enrolment.has_used("0"));
}

TEST(EnrolmentCodeInput, IsReadFromAPipeUpToItsEndAndAcrossLines) {
    const std::string code{format_enrolment_code(make_code())->reveal()};
    std::string wrapped = "  \n";
    for (std::size_t i = 0; i < code.size(); i += 40) wrapped += code.substr(i, 40) + "\r\n  ";
    const auto read = read_code(pipe_with(wrapped).get());
    ASSERT_TRUE(read) << read.error().detail;
    EXPECT_EQ(fingerprint_of(*read), fingerprint_of(make_code()));
    EXPECT_NE(fingerprint_of(*read), fingerprint_of(make_code("b3RoZXJvdGhlcm90aGVyb3RoZXI")));
    EXPECT_EQ(enrol_field(*read).reveal(), "abcdefgh.c2VjcmV0c2VjcmV0c2VjcmV0");
}

TEST(EnrolmentCodeInput, IsRefusedWithoutWaitingForMore) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const Descriptor reader(ends[0]), writer(ends[1]);  // stays open: nothing ends the input
    ASSERT_EQ(::write(writer.get(), "hello\n", 6), 6);
    EXPECT_FALSE(read_code(reader.get()));
    EXPECT_FALSE(read_code(pipe_with("").get()));
    EXPECT_FALSE(read_code(pipe_with("sallyport1_cut_off").get()));
}

TEST(EnrolmentCodeInput, NamesTheFile) {
    const test::TemporaryFolder temporary;
    const auto file = temporary.path() / "code";
    EXPECT_NE(read_code_file(file).error().detail.find(file.string()), std::string::npos);
    std::ofstream(file) << "no code";
    EXPECT_NE(read_code_file(file).error().detail.find(file.string()), std::string::npos);
    std::ofstream(file) << format_enrolment_code(make_code())->reveal() << "\n";
    EXPECT_TRUE(read_code_file(file));
}

}  // namespace
}  // namespace sallyport
