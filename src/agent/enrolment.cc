#include "agent/enrolment.h"

#include <fcntl.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>

#include "base/encoding.h"
#include "net/descriptor.h"

namespace sallyport {
namespace json = boost::json;
namespace {

constexpr std::string_view kFile = "agent.json";
constexpr std::string_view kCodeStart = "sallyport";

std::string text_member(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::array& list_member(const json::object& object, std::string_view key) {
    static const json::array none;
    const json::value* value = object.if_contains(key);
    return value && value->is_array() ? value->get_array() : none;
}

bool may_become_code(std::string_view text) {
    const auto start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) return true;
    text.remove_prefix(start);
    const std::size_t size = std::min(text.size(), kCodeStart.size());
    return text.substr(0, size) == kCodeStart.substr(0, size);
}

}  // namespace

bool Enrolment::has_used(std::string_view fingerprint) const {
    return std::ranges::find(used_codes, fingerprint) != used_codes.end();
}

void Enrolment::note_used(std::string_view fingerprint) {
    std::erase(used_codes, fingerprint);
    used_codes.emplace_back(fingerprint);
    if (used_codes.size() > kMaxUsedCodes) used_codes.erase(used_codes.begin());
}

std::string format_enrolment(const Enrolment& enrolment) {
    json::array used;
    for (const std::string& code : enrolment.used_codes) used.emplace_back(code);
    json::array targets;
    for (const ProposedTarget& target : enrolment.targets)
        targets.push_back({{"name", target.name}, {"url", target.url}});
    const json::object out{{"version", 1},
                           {"relay_url", enrolment.relay_url},
                           {"pin", enrolment.pin},
                           {"used_codes", std::move(used)},
                           {"targets", std::move(targets)}};
    return json::serialize(out) + "\n";
}

Result<Enrolment> parse_enrolment(std::string_view text) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (error || !value.is_object()) return fail(Errc::protocol, "no JSON object");
    const json::object& in = value.get_object();
    const json::value* version = in.if_contains("version");
    if (!version || !version->is_int64()) return fail(Errc::protocol, "no version");
    if (version->get_int64() != 1) return fail(Errc::newer_version, "written by a newer release");
    Enrolment out;
    out.relay_url = text_member(in, "relay_url");
    out.pin = text_member(in, "pin");
    for (const json::value& code : list_member(in, "used_codes"))
        if (code.is_string()) out.note_used(std::string_view(code.get_string()));
    for (const json::value& target : list_member(in, "targets")) {
        if (!target.is_object() || out.targets.size() == kMaxProposedTargets) continue;
        out.targets.push_back({text_member(target.get_object(), "name"), text_member(target.get_object(), "url")});
    }
    return out;
}

Result<Enrolment> load_enrolment(const StateFolder& folder) {
    const auto text = folder.read(kFile);
    if (!text) return std::unexpected(text.error());
    if (!*text) return Enrolment{};
    auto enrolment = parse_enrolment(**text);
    if (!enrolment) {
        enrolment.error().detail = (folder.path() / kFile).string() + ": " + enrolment.error().detail +
                                   "; put the right file back, or remove it and enrol anew";
    }
    return enrolment;
}

Result<> store_enrolment(const StateFolder& folder, const Enrolment& enrolment) {
    return folder.write(kFile, format_enrolment(enrolment));
}

std::string fingerprint_of(const EnrolmentCode& code) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    const std::string_view secret = code.secret.reveal();
    ::SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
    return to_hex(as_octets(digest.data(), digest.size()));
}

Secret enrol_field(const EnrolmentCode& code) {
    return Secret{code.agent_id + "." + std::string(code.secret.reveal())};
}

Result<EnrolmentCode> read_code(int descriptor) {
    const bool terminal = ::isatty(descriptor) == 1;
    if (terminal) {
        std::fputs("Enrolment code (from `sallyport admin agent add`): ", stdout);
        std::fflush(stdout);
    }
    std::string text;
    std::array<char, 4096> piece;  // a terminal hands over a line at a time
    for (;;) {
        const ssize_t got = ::read(descriptor, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(errno, "read the enrolment code");
        text.append(piece.data(), static_cast<std::size_t>(got));
        auto code = parse_enrolment_code(text);
        const bool given_up =
            got == 0 || text.size() > kMaxCodeInput || !may_become_code(text) || text.ends_with("\n\n");
        if (code || given_up || code.error().code == Errc::newer_version) {
            Secret{std::move(text)};
            return code;
        }
    }
}

Result<EnrolmentCode> read_code_file(const std::filesystem::path& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(errno, "read the enrolment code from " + path.string());
    auto code = read_code(file.get());
    if (!code) code.error().detail = path.string() + ": " + code.error().detail;
    return code;
}

}  // namespace sallyport
