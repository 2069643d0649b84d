#include "app/admin_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "net/descriptor.h"
#include "wire/http1_parser.h"
#include "wire/http1_writer.h"

namespace sallyport::app {
namespace {

constexpr std::string_view kPrefix = "/api/v1/";
constexpr time_t kPatienceSeconds = 60;  // a backup of a large database takes a while
constexpr std::chrono::seconds kReplacedPatience{40};  // above what a relay gives the process that replaces it
constexpr std::chrono::milliseconds kReplacedPause{200};
constexpr std::size_t kMostAnswer = std::size_t{2} << 30;

// Through the folder's descriptor, so that a long path fits into the socket's address (107 octets).
Result<Descriptor> connect_to(const std::filesystem::path& state_dir) {
    const std::string shown = (state_dir / "admin.sock").string();
    const Descriptor folder(::open(state_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return fail(Errc::unreachable, "no relay is running with state folder " + state_dir.string() + " (--state-dir names another)");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "/proc/self/fd/" + std::to_string(folder.get()) + "/admin.sock";
    std::memcpy(address.sun_path, path.c_str(), path.size());
    Descriptor connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!connection) return fail_errno(errno, "socket");
    const timeval patience{kPatienceSeconds, 0};
    ::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(connection.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return connection;
    if (errno == EACCES || errno == EPERM)
        return fail(Errc::permission_denied, "no right to open " + shown + ": run this as the relay's user, or with sudo");
    return fail(Errc::unreachable, "the relay is not running (nobody answers on " + shown + "; --state-dir names another folder)");
}

Result<> send_all(int descriptor, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t n = ::send(descriptor, octets.data(), octets.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "admin socket");
        octets.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

// Everything until the relay closes, as "Connection: close" asks it to.
Result<std::string> receive_all(int descriptor) {
    std::string received;
    std::string buffer(256 * 1024, '\0');
    for (;;) {
        const ssize_t n = ::recv(descriptor, buffer.data(), buffer.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return fail(Errc::timeout, "the relay gave no answer within a minute");
        if (n < 0) return fail_errno(errno, "admin socket");
        if (n == 0) return received;
        if (received.size() > kMostAnswer) return fail(Errc::too_large, "the relay's answer is too large");
        received.append(buffer, 0, static_cast<std::size_t>(n));
    }
}

std::string request_text(std::string_view method, std::string_view path, const std::string& content) {
    RequestHead head;
    head.method = method;
    head.target = path;
    head.authority = "localhost";
    if (!content.empty()) {
        head.framing = {Framing::Kind::content_length, content.size()};
        head.fields.add("Content-Type", "application/json");
    } else if (method != "GET") {
        head.framing = {Framing::Kind::content_length, 0};
    }
    std::string text;
    write_request_head(text, head, ConnectionOption::close);
    return text + content;
}

}  // namespace

// While the relay is being replaced, its store is with neither process for a moment; such a request was not begun.
Result<AdminClient::Answer> AdminClient::ask(std::string_view method, std::string_view path, const boost::json::object& body) const {
    const auto give_up = std::chrono::steady_clock::now() + kReplacedPatience;
    for (;;) {
        auto answer = ask_once(method, path, body);
        if (!answer || !answer->try_again || std::chrono::steady_clock::now() >= give_up) return answer;
        std::this_thread::sleep_for(kReplacedPause);
    }
}

Result<AdminClient::Answer> AdminClient::ask_once(std::string_view method, std::string_view path, const boost::json::object& body) const {
    const auto connection = connect_to(state_dir_);
    if (!connection) return std::unexpected(connection.error());
    const std::string content = body.empty() ? "" : boost::json::serialize(body);
    if (auto sent = send_all(connection->get(), request_text(method, std::string(kPrefix) + std::string(path), content)); !sent)
        return std::unexpected(sent.error());
    auto received = receive_all(connection->get());
    if (!received) return std::unexpected(received.error());

    ResponseHead head;
    const auto size = parse_response_head(*received, method, head);
    if (!size) return fail(Errc::protocol, "the relay's answer broke off");
    received->erase(0, *size);
    const bool whole = head.framing.kind == Framing::Kind::until_close ||
                       (head.framing.kind == Framing::Kind::content_length && head.framing.length == received->size()) ||
                       (head.framing.kind == Framing::Kind::none && received->empty());
    if (!whole) return fail(Errc::protocol, "the relay's answer broke off");
    return Answer{head.status, std::move(*received), head.status == 503 && head.fields.find("Retry-After").has_value()};
}

Result<boost::json::object> AdminClient::ask_json(std::string_view method, std::string_view path, const boost::json::object& body) const {
    const auto answer = ask(method, path, body);
    if (!answer) return std::unexpected(answer.error());
    if (answer->status >= 400) return std::unexpected(error_of_answer(*answer));
    boost::system::error_code failed;
    auto value = boost::json::parse(answer->content, failed);
    if (failed || !value.is_object()) return fail(Errc::protocol, "the relay's answer is not understood");
    return std::move(value.get_object());
}

Error error_of_answer(const AdminClient::Answer& answer) {
    boost::system::error_code failed;
    const auto value = boost::json::parse(answer.content, failed);
    const auto text = [&](std::string_view member) -> std::string {
        const auto* error = !failed && value.is_object() ? value.get_object().if_contains("error") : nullptr;
        const auto* found = error && error->is_object() ? error->get_object().if_contains(member) : nullptr;
        return found && found->is_string() ? std::string(found->get_string()) : std::string();
    };
    const std::string detail = text("detail");
    if (detail.empty()) return {Errc::refused, "the relay answered with status " + std::to_string(answer.status)};
    const std::string field = text("field");
    const bool named = field.empty() || detail.starts_with(field);
    return {Errc::refused, named ? detail : field + ": " + detail};
}

}  // namespace sallyport::app
