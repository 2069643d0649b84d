// wan_emulator: carries IP packets between two network namespaces as a bad network would.
//
//   wan_emulator NAMESPACE_A NAMESPACE_B [SEED]
//
// makes the TUN device wan0 in both, says "ready", then obeys lines on standard input until its end. Each is answered by one
// line: "ok", "error WHY" or what was asked for.
//
//   set [ab|ba] KEY=NUMBER...   see line_settings.h; for one direction or both
//   counters                    {"ab":{...},"ba":{...}}; see LineCounters
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>

#include "base/result.h"
#include "line.h"
#include "tun_device.h"

namespace sallyport::wan {
namespace {

constexpr const char* kDevice = "wan0";
constexpr std::size_t kMostPacket = 65'536;
constexpr int kMostReads = 64;  // at a turn from one side, so that due packets of the other needn't wait
constexpr std::size_t kMostCommand = 4096;

struct Direction {
    std::string name;
    Descriptor& from;
    Descriptor& to;
    Line line;
    std::uint64_t undeliverable = 0;  // the device was down
};

class Emulator {
public:
    Emulator(Descriptor a, Descriptor b, std::uint64_t seed)
        : a_(std::move(a)), b_(std::move(b)), ab_{"ab", a_, b_, Line(seed * 2)}, ba_{"ba", b_, a_, Line(seed * 2 + 1)} {}

    void run() {
        while (!ended_) {
            wait();
            for (Direction* direction : {&ab_, &ba_}) {
                receive(*direction);
                deliver(*direction);
            }
        }
    }

private:
    void wait() {
        std::optional<TimePoint> due = ab_.line.next_due();
        if (const auto other = ba_.line.next_due(); other && (!due || *other < *due)) due = other;
        timespec left{};
        if (due) {
            const auto wanted = std::max(Duration::zero(), *due - Clock::now());
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wanted);
            left.tv_sec = seconds.count();
            left.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(wanted - seconds).count();
        }
        std::array<pollfd, 3> waiting{pollfd{a_.get(), POLLIN, 0}, pollfd{b_.get(), POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
        if (::ppoll(waiting.data(), waiting.size(), due ? &left : nullptr, nullptr) < 0) return;
        if (waiting[2].revents != 0) read_commands();
    }

    void receive(Direction& direction) {
        for (int i = 0; i < kMostReads; ++i) {
            const ssize_t octets = ::read(direction.from.get(), packet_.data(), packet_.size());
            if (octets <= 0) return;
            direction.line.enter(Octets(packet_.data(), static_cast<std::size_t>(octets)), Clock::now());
        }
    }

    void deliver(Direction& direction) {
        const TimePoint now = Clock::now();
        while (const auto packet = direction.line.take_due(now)) {
            if (::write(direction.to.get(), packet->data(), packet->size()) < 0) ++direction.undeliverable;
        }
    }

    void read_commands() {
        std::array<char, kMostCommand> buffer{};
        const ssize_t octets = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (octets < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (octets <= 0) {
            ended_ = true;
            return;
        }
        typed_.append(buffer.data(), static_cast<std::size_t>(octets));
        for (std::size_t end; (end = typed_.find('\n')) != typed_.npos; typed_.erase(0, end + 1)) {
            fmt::print("{}\n", obey(std::string_view(typed_).substr(0, end)));
            std::fflush(stdout);
        }
        if (typed_.size() > kMostCommand) ended_ = true;
    }

    std::string obey(std::string_view command) {
        if (command == "counters") return fmt::format("{{{},{}}}", counters_of(ab_), counters_of(ba_));
        if (!command.starts_with("set ")) return "error no such command";
        command.remove_prefix(4);
        const bool only_ab = command.starts_with("ab "), only_ba = command.starts_with("ba ");
        if (only_ab || only_ba) command.remove_prefix(3);
        const Result<LineSettings> ab = apply_words(ab_.line.settings(), only_ba ? "" : command);
        if (!ab) return "error " + ab.error().detail;
        const Result<LineSettings> ba = apply_words(ba_.line.settings(), only_ab ? "" : command);
        if (!ba) return "error " + ba.error().detail;
        ab_.line.change(*ab);
        ba_.line.change(*ba);
        return "ok";
    }

    static std::string counters_of(const Direction& direction) {
        const LineCounters& count = direction.line.counters();
        return fmt::format(
            R"("{}":{{"entered":{},"entered_octets":{},"lost":{},"queue_dropped":{},"vanished":{},"overflowed":{},"reordered":{},)"
            R"("left":{},"left_octets":{},"undeliverable":{}}})",
            direction.name, count.entered, count.entered_octets, count.lost, count.queue_dropped, count.vanished, count.overflowed,
            count.reordered, count.left, count.left_octets, direction.undeliverable);
    }

    Descriptor a_, b_;
    Direction ab_, ba_;
    std::array<std::byte, kMostPacket> packet_{};
    std::string typed_;
    bool ended_ = false;
};

int end_with(const Error& error) {
    fmt::print(stderr, "wan_emulator: {}\n", error.detail);
    return 1;
}

int run(const std::string& space_a, const std::string& space_b, std::uint64_t seed) {
    Result<Descriptor> a = make_tun_device(space_a, kDevice);
    if (!a) return end_with(a.error());
    Result<Descriptor> b = make_tun_device(space_b, kDevice);
    if (!b) return end_with(b.error());
    ::prctl(PR_SET_TIMERSLACK, 1UL);  // the kernel's usual 50 us would add to every delay
    Emulator emulator(std::move(*a), std::move(*b), seed);
    fmt::print("ready\n");
    std::fflush(stdout);
    emulator.run();
    return 0;
}

}  // namespace
}  // namespace sallyport::wan

int main(int argc, char** argv) {
    std::uint64_t seed = 1;
    if (argc == 4) {
        const std::string_view word = argv[3];
        const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), seed);
        if (error != std::errc{} || rest != word.data() + word.size()) argc = 0;
    }
    if (argc != 3 && argc != 4) {
        fmt::print(stderr, "usage: wan_emulator NAMESPACE_A NAMESPACE_B [SEED]\n");
        return 2;
    }
    return sallyport::wan::run(argv[1], argv[2], seed);
}
