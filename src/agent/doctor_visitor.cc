// The doctor's steps as a visitor: from the public URL's name through the relay and the tunnel to the service, and back.
#include <algorithm>

#include "agent/doctor_server.h"
#include "agent/doctor_walk.h"
#include "wire/relay_problem.h"
#include "wire/utf8.h"
#include "wire/websocket_frame.h"
#include "wire/websocket_handshake.h"

namespace sallyport {
namespace {

constexpr std::string_view kVisitorSchemes[] = {"https", "http"};
constexpr std::string_view kLoginSocket = "/api/websocket";
constexpr std::chrono::seconds kAnswerPatience{30};

constexpr std::string_view kProxyForUpgrades =
    "let the proxy in front of the relay (or a firewall that looks into HTTPS) pass WebSockets: in nginx proxy_http_version 1.1; "
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; see docs/behind-a-proxy.md";

}  // namespace

std::string server_of(const ResponseHead& head) {
    const std::string_view server = head.fields.find("Server").value_or("");
    return server.empty() ? "" : " (Server: " + bounded_utf8(server, 60) + ")";
}

std::string DoctorWalk::doctor_prefix() const {
    std::string prefix = public_url_.path;
    while (prefix.ends_with('/')) prefix.pop_back();
    return prefix;
}

HttpCall::Request DoctorWalk::visitor_request(std::string method, std::string target) const {
    HttpCall::Request request;
    request.head.method = std::move(method);
    request.head.target = std::move(target);
    request.head.authority = public_url_.authority();
    request.head.fields.add("User-Agent", "sallyport-doctor");
    request.head.fields.add("Accept", "application/json");
    request.limit = kAnswerPatience;
    return request;
}

HttpCall::Request DoctorWalk::doctor_request(std::string method, std::string target) {
    // A ticket holds for two minutes; a slow line may need longer for what came before.
    if (Clock::now() - viewed_at_ > std::chrono::seconds(60)) (void)refresh_view();
    return visitor_request(std::move(method), doctor_prefix() + std::string(kDoctorPath) + "/" + view_.ticket + target);
}

Result<TransportPtr> DoctorWalk::reach_public_at(const std::string& address) {
    auto connected = line_.connect(address, public_url_.port);
    if (!connected) return std::unexpected(connected.error());
    if (!public_tls_) return make_plain_transport(line_.loop(), std::move(*connected));
    auto shaken = line_.shake_hands(std::move(*connected), *public_tls_);
    if (!shaken) return std::unexpected(shaken.error());
    return std::move(*shaken);
}

Result<TransportPtr> DoctorWalk::reach_public() { return reach_public_at(public_address_); }

bool DoctorWalk::is_ours_at(const std::string& address) {
    auto connection = reach_public_at(address);
    if (!connection) return false;
    const auto answer = line_.ask(std::move(*connection), doctor_request("GET", "/here"));
    return answer.end && answer.head.status == 200 && answer.head.fields.find(kDoctorField);
}

// What else than the expected came back.
DoctorWalk::Verdict DoctorWalk::explain(const DoctorLine::Answer& answer, const std::string& what) {
    if (answer.head.status == 0)
        return bad(what + ": " + (answer.end ? "no answer" : answer.end.error().detail), "something between here and the relay cuts the connection: a firewall, or a proxy in front of the relay (its log)");
    fact("status", static_cast<std::int64_t>(answer.head.status));
    if (const auto problem = parse_relay_problem(answer.content)) {
        fact("hop", problem->hop);
        std::string cure = problem->detail;
        if (problem->hop == "agent" && answer.head.status == 403) cure = "the running agent is older than this program, or doesn't allow this service: restart it";
        return bad(what + ": the relay answers " + std::to_string(answer.head.status) + ", " + problem->title, cure);
    }
    return bad(what + ": status " + std::to_string(answer.head.status) + server_of(answer.head),
               "what answers there is not this relay, or a proxy in front of it: look into that one's log and configuration");
}

DoctorWalk::Verdict DoctorWalk::public_dns() {
    std::string text = url_text_;
    if (const std::size_t star = text.find("*."); star != std::string::npos) text.replace(star, 1, "sallyport-doctor");
    auto url = parse_url(text, kVisitorSchemes);
    if (!url) return bad("the public URL " + url_text_ + " can't be used: " + url.error().detail, "look at the route on the relay: sallyport admin route list");
    public_url_ = std::move(*url);
    if (public_url_.scheme == "https") {
        TrustPolicy policy;
        policy.server_name = public_url_.host;
        policy.alpn = {"http/1.1"};
        auto tls = ClientTls::make(std::move(policy));
        if (!tls) return bad("TLS can't be set up: " + tls.error().detail, "are the system's CA certificates installed (ca-certificates)?");
        public_tls_ = std::move(*tls);
    }
    const std::string& host = public_url_.host;
    if (!options_.public_address.empty()) {
        public_address_ = options_.public_address;
        fact("addresses", public_address_);
        return good(host + " was not looked up: visits go to " + public_address_ + " (--public-address)");
    }
    const auto found = line_.resolve(host, public_url_.port);
    const std::string relay_ip = relay_address_.ip();
    if (!found && found.error().code == Errc::timeout) return bad(host + ": no name server answered in time", "look at this machine's name servers");
    if (!found) return bad(host + " is not found in DNS (" + found.error().detail + ")", "make an A (or AAAA) record for " + host + " that leads to the relay, " + relay_ip);
    fact("addresses", addresses_text(*found));
    public_address_ = found->front().ip();
    const auto same = [&](const SocketAddress& a) {
        return std::ranges::any_of(relay_addresses_, [&](const SocketAddress& b) { return a.ip() == b.ip(); });
    };
    if (const auto shared = std::ranges::find_if(*found, same); shared != found->end()) {
        public_address_ = shared->ip();
        return good(host + " is " + addresses_text(*found) + ", " + (config_->ssh ? "the SSH server" : "the relay"));
    }
    // Another address than the relay's may lead to it all the same (a proxy or CDN in front), so it is tried.
    if (view_.ticket.empty()) return good(host + " is " + addresses_text(*found) + ", not the SSH server's address (" + relay_ip + ")");
    if (is_ours_at(public_address_)) return good(host + " is " + addresses_text(*found) + ": not the relay's own address, but it leads there");
    if (!is_ours_at(relay_ip)) return good(host + " is " + addresses_text(*found));  // the next steps will say what is wrong there
    const bool split = is_private(found->front()) && !is_private(relay_address_);
    if (!split)
        return bad(host + " is " + addresses_text(*found) + ", which doesn't lead to the relay (" + relay_ip + ")",
                   "let the A (or AAAA) record of " + host + " lead to " + relay_ip + "; a record that was changed a short while ago may need its TTL");
    public_address_ = relay_ip;
    hint("in this network " + host + " is " + addresses_text(*found) + ", an address of the network itself (split DNS, or a hosts file): from here the relay is "
         "reached by other ways only; the steps below went to the relay, " + relay_ip + ", as visitors from outside do");
    return good(host + " is " + addresses_text(*found) + " here, but not for visitors from outside");
}

DoctorWalk::Verdict DoctorWalk::public_tls() {
    const std::string place = public_address_ + " port " + std::to_string(public_url_.port);
    auto connected = line_.connect(public_address_, public_url_.port);
    if (!connected) {
        const std::string port = std::to_string(public_url_.port);
        if (is_private(relay_address_) || !connected) fact("address", public_address_);
        return bad(place + ": " + connected.error().detail,
                   "let TCP port " + port + " in at the relay and its provider's firewall. If visitors from outside get there, DNS in this network says otherwise: --public-address ADDRESS goes there");
    }
    if (!public_tls_) return skip("http: no TLS");
    auto shaken = line_.shake_hands(std::move(*connected), *public_tls_);
    if (shaken) return good("the certificate is valid for " + public_url_.host);
    const std::string& why = shaken.error().detail;
    if (shaken.error().code != Errc::tls) return bad("no TLS with " + place + ": " + why, "something else listens there, or a firewall cuts TLS");
    return bad("browsers and apps don't trust the certificate of " + public_url_.host + " (" + why + ")",
               "give the relay one that is valid for " + public_url_.host + ": `certificates` in its configuration (docs/relay.md); apps refuse the relay's self-signed one");
}

DoctorWalk::Verdict DoctorWalk::public_way() {
    if (view_.ticket.empty()) return skip("the relay gives no ticket: it has too much to do, or is older than this program");
    auto connection = reach_public();
    if (!connection) return bad(public_url_.host + ": " + connection.error().detail, "try again in a moment");
    const auto answer = line_.ask(std::move(*connection), doctor_request("GET", "/here"));
    if (answer.end && answer.head.status == 200 && answer.head.fields.find(kDoctorField))
        return good("a visit to " + public_url_.host + " reaches this agent");
    return explain(answer, url_text_ + " doesn't lead to this agent");
}

DoctorWalk::Verdict DoctorWalk::public_page() {
    if (!target_.is_http()) return skip("tcp service: nothing to ask for over HTTPS");
    auto connection = reach_public();
    if (!connection) return bad(public_url_.host + ": " + connection.error().detail, "try again in a moment");
    const std::string path = doctor_prefix() + (is_home_assistant() ? "/manifest.json" : "/");
    const auto answer = line_.ask(std::move(*connection), visitor_request("GET", path));
    const int status = answer.head.status;
    const auto problem = parse_relay_problem(answer.content);
    if (status == 401 || (problem && problem->hop == "visitor" && (status == 403 || status == 429)))
        return skip("the route's policy lets this visit not through (" + std::to_string(status) + "), so the service itself isn't asked from outside");
    if (problem || status == 0) {
        Verdict verdict = explain(answer, url_text_);
        verdict.blocks = false;
        return verdict;
    }
    fact("status", static_cast<std::int64_t>(status));
    if (!is_home_assistant()) {
        page_seen_ = true;
        return good("the service answers " + std::to_string(status) + " through " + url_text_);
    }
    if (status == 200 && sallyport::is_home_assistant({status, answer.content, answer.end.has_value()})) {
        page_seen_ = true;
        return good("Home Assistant answers through " + url_text_);
    }
    if (status == 400)
        return bad_alone("Home Assistant answers 400 to visitors, though not from here: it doesn't trust the address that the running agent comes from",
                         "its log names that address (\"reverse proxy\"); enter it as trusted proxy, or forward_client_ip auto for the route on the relay");
    if (status == 403) return bad_alone("Home Assistant answers 403: it has banned the address that this visit came from", "remove it from ip_bans.yaml and restart Home Assistant");
    return bad_alone("instead of Home Assistant's answer a visitor gets status " + std::to_string(status) + server_of(answer.head),
                     "see what a proxy in front of the relay, or the route's settings, make of it");
}

// "" if Home Assistant's greeting came.
std::string DoctorWalk::why_no_websocket(Result<TransportPtr> connection, const std::string& authority, const std::string& target, int& status) {
    status = 0;
    if (!connection) return connection.error().detail;
    HttpCall::Request request;
    const std::string key = make_websocket_key();
    fill_websocket_request(request.head, authority, target, key);
    request.head.fields.add("User-Agent", "sallyport-doctor");
    request.head.fields.add("Accept", "application/json");
    request.connection = ConnectionOption::upgrade;
    request.limit = kAnswerPatience;
    WebSocketDecoder decoder(WebSocketRole::client, 64_KiB);
    std::string message;
    bool greeted = false;
    const auto answer = line_.ask(std::move(*connection), std::move(request), [&](const ResponseHead& head, Octets octets) {
        if (head.status != 101) {
            message.append(as_text(octets).substr(0, 32_KiB - std::min<std::size_t>(message.size(), 32_KiB)));
            return message.size() < 32_KiB;
        }
        std::string buffer(as_text(octets));
        MutableOctets in = std::as_writable_bytes(std::span(buffer));
        while (!in.empty()) {
            const auto step = decoder.feed(in);
            if (!step) return false;
            if (step->kind == WebSocketDecoder::Step::Kind::data) {
                message += as_text(step->payload);
                greeted = message.contains("auth_required");
                if (greeted || step->message_end || message.size() > 64_KiB) return false;
            }
            if (step->kind == WebSocketDecoder::Step::Kind::close || step->consumed == 0) return false;
            in = in.subspan(step->consumed);
        }
        return true;
    });
    status = answer.head.status;
    if (status == 0) return answer.end ? "no answer" : answer.end.error().detail;
    if (const auto problem = parse_relay_problem(message); status != 101 && problem)
        return "the relay answers " + std::to_string(status) + ", " + problem->title + ": " + problem->detail;
    if (status != 101) return "status " + std::to_string(status) + server_of(answer.head) + " instead of 101";
    if (const auto checked = check_websocket_response(answer.head, key); !checked) return checked.error().detail;
    if (greeted) return {};
    return answer.end || !message.empty() ? "the opening handshake is done, but the first message isn't auth_required" : "the opening handshake is done, but no message comes: " + answer.end.error().detail;
}

DoctorWalk::Verdict DoctorWalk::websocket() {
    if (!is_home_assistant()) return skip("not Home Assistant: no WebSocket is known here");
    int status = 0;
    if (const std::string why = why_no_websocket(reach_target(), target_.url.authority(), std::string(kLoginSocket), status); !why.empty())
        return bad_alone("Home Assistant itself gives no WebSocket at " + target_.url.text() + ": " + why, "look into Home Assistant's log");
    fact("local", true);
    if (!page_seen_) return skip("Home Assistant's own is fine; the visitor's way was not gone, see public_page");
    const std::string why = why_no_websocket(reach_public(), public_url_.authority(), doctor_prefix() + std::string(kLoginSocket), status);
    fact("public", why.empty());
    if (why.empty()) return good("auth_required arrives, here and through " + url_text_);
    fact("status", static_cast<std::int64_t>(status));
    return bad_alone("Home Assistant's WebSocket works here, but not through " + url_text_ + ": " + why, std::string(kProxyForUpgrades));
}

}  // namespace sallyport
