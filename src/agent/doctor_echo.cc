// The doctor's steps about how well octets get through, and whether Home Assistant knows its own public URL.
#include <boost/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "agent/doctor_server.h"
#include "agent/doctor_walk.h"
#include "agent/test_octets.h"
#include "base/random.h"
#include "wire/http_syntax.h"
#include "wire/utf8.h"

namespace sallyport {
namespace json = boost::json;
namespace {

constexpr std::chrono::seconds kAnswerPatience{30};
constexpr std::size_t kMaxToken = 4096;

std::string mebibytes(ByteCount octets) { return std::to_string(octets / 1_MiB) + " MiB"; }

std::string rate_text(ByteCount octets, std::chrono::milliseconds took) {
    const double seconds = std::max<double>(static_cast<double>(took.count()) / 1000, 0.001);
    const auto tenths = static_cast<std::uint64_t>(static_cast<double>(octets) * 8 / seconds / 100'000);
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " Mbit/s";
}

std::string text_member(std::string_view content, std::string_view name) {
    boost::system::error_code failed;
    const json::value value = json::parse(content, failed);
    if (failed || !value.is_object()) return {};
    const json::value* found = value.get_object().if_contains(name);
    return found && found->is_string() ? bounded_utf8(found->get_string(), 300) : std::string();
}

}  // namespace

DoctorWalk::Verdict DoctorWalk::upload() {
    if (view_.ticket.empty()) return skip("the relay gives no ticket");
    auto connection = reach_public();
    if (!connection) return bad_alone(public_url_.host + ": " + connection.error().detail, "try again in a moment");
    auto request = doctor_request("POST", "/upload");
    std::uint64_t seed = 0;
    fill_random(std::as_writable_bytes(std::span(&seed, 1)));
    TestOctets source(seed);
    request.head.framing = {Framing::Kind::content_length, options_.echo};
    request.head.fields.add("Content-Type", "application/octet-stream");
    request.fill = [&](MutableOctets room) { source.fill(room); };
    request.limit = DoctorServer::kPeerLife;
    const TimePoint began = Clock::now();
    const auto answer = line_.ask(std::move(*connection), std::move(request));
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    fact("octets", static_cast<std::int64_t>(answer.content_sent));
    const bool ours = answer.head.fields.find(kDoctorField).has_value();
    if (ours && answer.end && answer.head.status == 200) {
        if (text_member(answer.content, "sha256") == sha256_of_test_octets(seed, options_.echo)) {
            fact("took_ms", static_cast<std::int64_t>(took.count()));
            return good(mebibytes(options_.echo) + " arrived whole, " + rate_text(options_.echo, took));
        }
        return bad_alone("what was sent toward the home arrives changed or cut", "something between here and the relay changes content: a proxy, a virus scanner, broken hardware");
    }
    if (answer.head.status == 413)
        return bad_alone("uploads of " + mebibytes(options_.echo) + " are refused as too large (413)" + server_of(answer.head),
                         "raise the limit of the proxy in front of the relay: in nginx client_max_body_size 0; backups are uploaded whole");
    if (answer.head.status == 0 || !answer.end)
        return bad_alone("an upload breaks off after " + std::to_string(answer.content_sent) + " of " + std::to_string(options_.echo) + " octets: " + (answer.end ? "no answer" : answer.end.error().detail),
                         "something on the way cuts long requests: a limit or timeout of a proxy in front of the relay, or of a firewall");
    Verdict verdict = explain(answer, "an upload fails");
    verdict.blocks = false;
    return verdict;
}

DoctorWalk::Verdict DoctorWalk::download() {
    if (view_.ticket.empty()) return skip("the relay gives no ticket");
    auto connection = reach_public();
    if (!connection) return bad_alone(public_url_.host + ": " + connection.error().detail, "try again in a moment");
    std::uint64_t seed = 0;
    fill_random(std::as_writable_bytes(std::span(&seed, 1)));
    auto request = doctor_request("GET", "/download?octets=" + std::to_string(options_.echo) + "&seed=" + std::to_string(seed));
    request.limit = DoctorServer::kPeerLife;
    Sha256 hash;
    std::string page;
    const TimePoint began = Clock::now();
    const auto answer = line_.ask(std::move(*connection), std::move(request), [&](const ResponseHead& head, Octets octets) {
        hash.add(octets);
        if (head.status != 200 && page.size() < 32_KiB) page += as_text(octets);
        return true;
    });
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
    const std::int64_t got = static_cast<std::int64_t>(answer.content_received);
    fact("octets", got);
    if (answer.head.status == 200 && answer.head.fields.find(kDoctorField)) {
        const bool whole = answer.end && hash.hex() == sha256_of_test_octets(seed, options_.echo);
        if (whole) {
            fact("took_ms", static_cast<std::int64_t>(took.count()));
            return good(mebibytes(options_.echo) + " arrived whole, " + rate_text(options_.echo, took));
        }
        if (answer.end && answer.content_received == options_.echo)
            return bad_alone("what the home sends arrives changed", "something between the relay and here changes content: a proxy, a virus scanner, broken hardware");
        return bad_alone("a download breaks off after " + std::to_string(got) + " of " + std::to_string(options_.echo) + " octets" + (answer.end ? "" : ": " + answer.end.error().detail),
                         "something on the way cuts long answers: a limit or timeout of a proxy in front of the relay, its disk for temporary files (nginx: proxy_buffering off), or of a firewall");
    }
    DoctorLine::Answer shown = answer;
    shown.content = page;
    Verdict verdict = explain(shown, "a download fails");
    verdict.blocks = false;
    return verdict;
}

DoctorWalk::Verdict DoctorWalk::events() {
    if (view_.ticket.empty()) return skip("the relay gives no ticket");
    auto connection = reach_public();
    if (!connection) return bad_alone(public_url_.host + ": " + connection.error().detail, "try again in a moment");
    const std::string id = random_token(9);
    auto request = doctor_request("GET", "/events?id=" + id);
    std::string stream;
    int seen = 0;  // status of telling the agent that its first event is here: 200 while it still waits to hear that
    const auto first_is_here = [&](const ResponseHead& head, Octets octets) {
        if (stream.size() < 32_KiB) stream += as_text(octets);
        return head.status != 200 || !stream.contains("data: " + id + "\n\n");
    };
    // Connected before, so that telling takes one round trip.
    auto other = reach_public();
    const auto tell = [&] {
        if (!other) return;
        auto telling = doctor_request("POST", "/seen?id=" + id);
        telling.head.framing = {Framing::Kind::content_length, 0};
        seen = line_.ask(std::move(*other), std::move(telling)).head.status;
    };
    DoctorLine::Answer answer = line_.ask(std::move(*connection), std::move(request), first_is_here, tell);
    if (answer.head.status != 200 || !answer.head.fields.find(kDoctorField)) {
        answer.content = stream;
        Verdict verdict = explain(answer, "server-sent events fail");
        verdict.blocks = false;
        return verdict;
    }
    if (seen == 200) return good("a server-sent event arrives at once");
    if (seen == 404 || (seen == 0 && stream.empty()))
        return bad_alone("server-sent events are held back until their stream ends: what should move at once stands still",
                         "switch off buffering in the proxy in front of the relay: in nginx proxy_buffering off; no compression of text/event-stream");
    if (seen == 503) return skip("a server-sent event came; how fast can't be told, since no second request gets through beside it (concurrency_limit?)");
    return bad_alone("a server-sent event came, but telling so failed with status " + std::to_string(seen), "try again in a moment");
}

// What Home Assistant says of itself, where anybody may ask it: in an add-on through the Supervisor, else with a token.
DoctorLine::Answer DoctorWalk::ask_core_config(bool& may_ask) {
    HttpCall::Request request;
    request.head.method = "GET";
    request.head.fields.add("Accept", "application/json");
    request.limit = kAnswerPatience;
    Result<TransportPtr> connection = fail(Errc::not_found);
    Secret token;
    if (!options_.token_file.empty()) {
        std::ifstream file(options_.token_file);
        std::string text(kMaxToken, '\0');
        file.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(file.gcount()));
        std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
        token = Secret(std::move(text));
        request.head.target = "/api/config";
        request.head.authority = target_.url.authority();
        if (!token.empty()) connection = reach_target();
    } else if (const char* supervisor = ::getenv("SUPERVISOR_TOKEN")) {
        token = Secret(supervisor);
        request.head.target = "/core/api/config";
        request.head.authority = "supervisor";
        auto connected = line_.connect("supervisor", 80);
        if (connected) connection = make_plain_transport(line_.loop(), std::move(*connected));
    }
    may_ask = connection.has_value() && is_field_value(token.reveal());
    if (!may_ask) return {};
    request.head.fields.add("Authorization", "Bearer " + std::string(token.reveal()));
    return line_.ask(std::move(*connection), std::move(request));
}

DoctorWalk::Verdict DoctorWalk::external_url() {
    if (!is_home_assistant()) return skip("not Home Assistant");
    const std::string wanted = public_url_.text();
    const std::string place = "Home Assistant's Settings > System > Network > Home Assistant URL, \"Internet\"";
    const std::string check = "check that " + place + " says " + wanted;
    bool may_ask = false;
    const auto answer = ask_core_config(may_ask);
    if (!may_ask) return skip("Home Assistant tells its external URL to those with a token only (--home-assistant-token-file)", check);
    if (answer.head.status == 401 || answer.head.status == 403) return skip("Home Assistant doesn't take the token (" + std::to_string(answer.head.status) + ")", check);
    const auto config = read_core_config({answer.head.status, answer.content, answer.end.has_value()});
    if (!config) return skip("Home Assistant's answer about its settings can't be read (status " + std::to_string(answer.head.status) + ")", check);
    fact("external_url", config->external_url);
    fact("home_assistant_version", config->version);
    const auto set = parse_public_url(config->external_url);
    if (set && set->text() == wanted.substr(0, wanted.find_last_not_of('/') + 1)) return good("Home Assistant's external URL is " + config->external_url);
    const std::string cure = "enter " + wanted + " at " + place + ": notifications, cast and OAuth use it";
    if (config->external_url.empty()) return bad_alone("Home Assistant has no external URL", cure);
    return bad_alone("Home Assistant's external URL is " + config->external_url + ", not " + wanted, cure);
}

}  // namespace sallyport
