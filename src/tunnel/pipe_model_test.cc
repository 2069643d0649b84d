// Both ends of a pipe in memory, with everything between them in the hands of one seeded scheduler: which octets arrive when, when a
// connection is cut, freezes, or is lost for one end only, when the agent tries to resume, with how many attempts beside each other, in
// which order their requests and answers arrive, and which old acknowledgements come again. Whatever happens: each octet arrives once and in order, memory stays bounded, no
// honest count is refused and no wrong one taken, and once the network behaves, everything arrives. A seed repeats exactly; that
// of a failure is played again and its last steps shown.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <random>
#include <sstream>

#include "tunnel/fake_line.h"
#include "tunnel/pipe.h"

namespace sallyport {
namespace {

using namespace std::chrono_literals;
using Side = FakeLine::Side;

constexpr std::size_t kPeriod = 65'537;  // prime, so that no frame or chunk fits it

const std::string& pattern() {
    static const std::string octets = [] {
        std::mt19937 random(1);
        std::string made(2 * kPeriod, '\0');
        for (std::size_t i = 0; i < kPeriod; ++i) made[i] = made[kPeriod + i] = static_cast<char>(random());
        return made;
    }();
    return octets;
}

class Model {
public:
    Model(unsigned seed, bool tracing)
        : random_(seed), tracing_(tracing), loop_([this] { return now_; }), ends_{End(*this, Side::kAgent), End(*this, Side::kRelay)} {
        settings_.resume_window = 60s;
        settings_.retained = one_of({8_KiB, 64_KiB, 300_KiB, 4_MiB});
        capacity_ = one_of({1'000, 20'000, 200'000});
        patience_ = one_of<std::chrono::milliseconds>({1ms, 40ms, 2s});
        trouble_ = one_of({0, 2, 10, 40});
        for (End& end : ends_) end.will_write = std::min<ByteCount>(below(400'000), 20 * settings_.retained);
        auto line = new_line();
        for (const Side side : {Side::kAgent, Side::kRelay})
            ends_[side].pipe.emplace(loop_, side == Side::kAgent ? TunnelRole::agent : TunnelRole::relay,
                                     FakeLine::make_end(line, side), "", settings_, ends_[side]);
        for (End& end : ends_) end.pipe->start();
    }

    // What went wrong, or nothing.
    std::string run() {
        const bool closes_early = below(5) == 0;
        for (auto steps = 50 + below(400); steps > 0 && problem_.empty(); --steps) {
            step();
            check();
        }
        if (problem_.empty() && !closes_early) settle();
        if (problem_.empty()) close();
        return problem_;
    }
    std::string trace() const {
        std::string all;
        for (const std::string& line : trace_) all += line + "\n";
        return all;
    }

private:
    struct End final : Pipe::Owner {
        End(Model& m, Side s) : model(m), side(s) {}
        void on_pipe_octets(Octets octets) override {
            if (over) return model.wrong("called after its end");
            for (std::size_t at = 0; at < octets.size();) {
                const std::size_t phase = (got + at + model.shift(FakeLine::other(side))) % kPeriod;
                const std::size_t count = std::min(octets.size() - at, kPeriod);
                if (as_text(octets.subspan(at, count)) != std::string_view(pattern()).substr(phase, count))
                    return model.wrong("other octets than were sent");
                at += count;
            }
            got += octets.size();
        }
        void on_pipe_room() override {
            if (over) return model.wrong("called after its end");
            write();
        }
        void on_pipe_lost(const Error& error) override {
            if (over) return model.wrong("called after its end");
            model.note(side, " loses its connection: ", error.detail);
        }
        void on_pipe_failed(const Error& error) override {
            if (over) return model.wrong("called after its end");
            model.note(side, " is over: ", error.detail);
            over = true;
            failure = error;
        }
        // As HTTP/2 does it: as long as there is room, straight into it; on_pipe_room() is what goes on.
        void write() {
            while (written < may_write && pipe->make_room()) {
                const MutableOctets room = pipe->retained().room();
                const auto count = std::min<std::size_t>({room.size(), may_write - written, 1 + model.below(70'000), kPeriod});
                const std::size_t phase = (written + model.shift(side)) % kPeriod;
                pattern().copy(reinterpret_cast<char*>(room.data()), count, phase);
                pipe->retained().commit(count);
                written += count;
            }
            if (model.below(4) == 0) pipe->flush();
            else pipe->flush_soon();
        }
        Model& model;
        Side side;
        std::optional<Pipe> pipe;
        ByteCount will_write = 0, may_write = 0, written = 0, got = 0;
        bool over = false;
        std::optional<Error> failure;
    };

    // One attempt to resume. Its request and its answer are messages that may arrive at any time, or never.
    struct Attempt {
        std::shared_ptr<FakeLine> line;
        TransportPtr agent_end, relay_end;
        ByteCount agent_has = 0, relay_has = 0;
        bool given_up = false;  // by the agent; its request may still arrive
        enum { asked, accepted, refused } state = asked;
    };

    // ---- one random step

    void step() {
        if (below(100) < static_cast<std::uint64_t>(trouble_)) return trouble();
        switch (below(8)) {
            case 0: case 1: case 2: deliver_something(1 + below(below(4) == 0 ? 100'000 : 3'000)); break;
            case 3: case 4: {
                End& end = ends_[below(2)];
                end.may_write = std::min(end.will_write, end.may_write + below(100'000));
                if (!end.over) end.write();
                break;
            }
            case 5: move_attempts(); break;
            case 6: drive_agent(); break;
            case 7: pass_time(); break;
        }
    }

    void trouble() {
        FakeLine& line = *lines_[below(lines_.size())];
        switch (below(8)) {
            case 0: case 1: {
                const auto a = below(1 + line.under_way_to(Side::kAgent)), r = below(1 + line.under_way_to(Side::kRelay));
                note("cut; still arrive ", a, " at the agent, ", r, " at the relay");
                line.cut(a, r);
                break;
            }
            case 2: case 3:
                line.frozen = !line.frozen;
                note(line.frozen ? "freeze" : "thaw");
                break;
            case 4: dial(); break;  // though nothing may be wrong: a new network interface, say
            case 5: present_wrong_count(); break;
            case 6: ends_[below(2)].pipe->ping(); break;
            case 7:
                note("a long silence");
                now_ += std::chrono::milliseconds(below(20'000));
                turn();
                break;
        }
    }

    void deliver_something(std::size_t most) {
        auto& line = lines_[below(lines_.size())];
        const std::shared_ptr<FakeLine> held = line;
        const auto side = static_cast<Side>(below(2));
        if (held->frozen) return;
        if (const std::size_t count = held->deliver(side, most)) note(count, " octets arrive at ", side);
        else if (!held->tell_room(FakeLine::other(side))) tell_end(*held, side);
    }

    // An end hears of a cut at most once and maybe never, of the other end's close when nothing is left to arrive.
    void tell_end(FakeLine& line, Side side) {
        if (line.dead() ? below(4) != 0 : line.is_open(FakeLine::other(side)) || is_waiting(line)) return;
        if (line.tell_end(side, below(2) == 0 ? FakeLine::Ending::fin : FakeLine::Ending::reset)) note(side, " was told of an end");
    }
    bool is_waiting(const FakeLine& line) const {  // its relay end isn't made yet
        return std::ranges::any_of(attempts_, [&](const Attempt& attempt) { return attempt.line.get() == &line; });
    }

    void pass_time() {
        now_ += std::chrono::microseconds(below(1 + static_cast<std::uint64_t>(std::chrono::microseconds(patience_).count())));
        turn();
    }
    void turn() { loop_.turn(Duration::zero()); }

    // ---- resuming, as agent and relay do it

    void drive_agent() {
        End& agent = ends_[Side::kAgent];
        if (agent.over) return;
        const auto since = agent.pipe->waiting_since();
        const bool silent = since && now_ - *since >= 1s;
        if (agent.pipe->connected() && !silent) return;
        if (!std::ranges::all_of(attempts_, &Attempt::given_up) && now_ - dialled_at_ < 1s) return;
        dial();
    }

    void dial() {
        End& agent = ends_[Side::kAgent];
        if (agent.over || attempts_.size() >= 6) return;
        dialled_at_ = now_;
        Attempt& attempt = attempts_.emplace_back();
        attempt.line = new_line();
        attempt.agent_end = FakeLine::make_end(attempt.line, Side::kAgent);
        attempt.relay_end = FakeLine::make_end(attempt.line, Side::kRelay);
        attempt.agent_has = agent.pipe->freeze();
        if (attempt.agent_has != agent.got) wrong("tells another count than it has");
        note("the agent asks to resume, has ", attempt.agent_has);
    }

    // The next message of any attempt arrives, or its connection was cut.
    void move_attempts() {
        if (attempts_.empty()) return;
        const std::size_t index = below(attempts_.size());
        Attempt& attempt = attempts_[index];
        if (attempt.line->frozen) return;
        if (!attempt.line->dead() && attempt.state == Attempt::asked) return on_request(attempt);
        if (!attempt.line->dead() && attempt.state == Attempt::accepted && !attempt.given_up) return on_answer(index);
        note("an attempt is over");
        attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(index));
    }

    void on_request(Attempt& attempt) {
        End& relay = ends_[Side::kRelay];
        const bool can = !relay.over && relay.pipe->can_resume_from(attempt.agent_has);
        if (!can) {
            if (!relay.over && attempt.agent_has == ends_[Side::kAgent].got) wrong("an honest count was refused");
            note("the relay refuses ", attempt.agent_has);
            attempt.state = Attempt::refused;
            return;
        }
        attempt.relay_has = relay.pipe->freeze();
        if (attempt.relay_has != relay.got) wrong("tells another count than it has");
        attempt.state = Attempt::accepted;
        note("the relay resumes from ", attempt.agent_has, ", has ", attempt.relay_has);
        if (!relay.pipe->resume(std::move(attempt.relay_end), "", attempt.agent_has) && !relay.over) wrong("refuses what it said it can");
    }

    void on_answer(std::size_t index) {
        Attempt attempt = std::move(attempts_[index]);
        attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(index));
        for (Attempt& late : attempts_) {
            late.given_up = true;
            late.agent_end.reset();
        }
        End& agent = ends_[Side::kAgent];
        if (agent.over) return;
        note("the agent resumes from ", attempt.relay_has);
        std::string behind = attempt.line->take(Side::kAgent, below(5'000));
        if (!agent.pipe->resume(std::move(attempt.agent_end), std::move(behind), attempt.relay_has) && !agent.over)
            wrong("an honest count was refused");
    }

    // A count that can't be: the session must say no and go on as if nothing had been asked.
    void present_wrong_count() {
        End& end = ends_[below(2)];
        if (end.over) return;
        const RetainedOctets& retained = end.pipe->retained();
        const bool ahead = retained.acknowledged() == 0 || below(2) == 0;
        const ByteCount count = ahead ? end.written + 1 + below(1'000'000) : below(retained.acknowledged());
        if (end.pipe->can_resume_from(count)) return wrong("would resume from a wrong count");
        const bool connected = end.pipe->connected();
        auto line = std::make_shared<FakeLine>(capacity_);
        if (end.pipe->resume(FakeLine::make_end(line, end.side), "", count)) return wrong("took a wrong count");
        if (end.pipe->connected() != connected) wrong("lost its connection to a wrong count");
        note(end.side, " refused a count of ", count);
    }

    // ---- the network behaves

    void settle() {
        note("---- from here on the network behaves");
        for (End& end : ends_) {
            end.may_write = end.will_write;
            end.write();  // once: for the rest it must be told that there is room
        }
        const TimePoint began = now_;
        const auto done = [&] {
            return std::ranges::all_of(ends_, [&](End& end) {
                return end.pipe->connected() && end.pipe->retained().acknowledged() == end.will_write && end.written == end.will_write;
            });
        };
        while (!done() && problem_.empty()) {
            bool moved = false;
            for (std::size_t i = 0; i < lines_.size(); ++i) {
                const std::shared_ptr<FakeLine> line = lines_[i];
                line->frozen = false;
                for (const Side side : {Side::kAgent, Side::kRelay}) {
                    moved |= line->deliver(side, 1 + below(60'000)) > 0;
                    moved |= line->tell_room(side);
                    tell_end(*line, side);
                }
            }
            move_attempts();
            drive_agent();
            now_ += moved ? 1ms : 50ms;
            turn();
            check();
            if (now_ - began > 10min) return wrong("hangs although the network behaves");
        }
        for (End& end : ends_)
            if (problem_.empty() && end.got != ends_[FakeLine::other(end.side)].will_write) wrong("octets are missing");
    }

    // From whatever state: silence from the side that closed, and the other one hears of it or loses its connection.
    void close() {
        End& end = ends_[below(2)];
        End& peer = ends_[FakeLine::other(end.side)];
        if (end.over || peer.over) return;
        note(end.side, " closes");
        end.over = true;
        end.pipe->close(1000, "done");
        if (end.pipe->connected() || end.pipe->has_room() || end.pipe->can_resume_from(peer.got)) wrong("lives on after close");
        if (end.pipe->resume(FakeLine::make_end(std::make_shared<FakeLine>(capacity_), end.side), "", peer.got)) wrong("resumes after close");
        const TimePoint began = now_;
        while (problem_.empty() && peer.pipe->connected() && !peer.over && now_ - began < 2min) {
            for (std::size_t i = 0; i < lines_.size(); ++i) {
                const std::shared_ptr<FakeLine> line = lines_[i];
                line->frozen = false;
                for (const Side side : {Side::kAgent, Side::kRelay}) {
                    line->deliver(side, 1 + below(60'000));
                    line->tell_room(side);
                    if (!is_waiting(*line)) tell_end(*line, side);
                }
            }
            now_ += 100ms;
            turn();
        }
        if (peer.pipe->connected()) wrong("the other side never hears of the end");
        if (peer.failure && peer.failure->code != Errc::end_of_stream) wrong("the other side takes an end for a failure");
    }

    // ---- what holds at any time

    void check() {
        for (End& end : ends_) {
            const RetainedOctets& retained = end.pipe->retained();
            const End& peer = ends_[FakeLine::other(end.side)];
            if (end.failure) wrong("the session ended: " + end.failure->detail);
            if (peer.got > end.written) wrong("more octets arrived than were written");
            if (retained.acknowledged() > peer.got) wrong("acknowledged before it arrived");
            if (retained.end() - retained.acknowledged() > settings_.retained + RetainedOctets::kChunk) wrong("keeps more than its bound");
        }
        // Lines that nobody holds any more carry nothing.
        std::erase_if(lines_, [](const std::shared_ptr<FakeLine>& line) {
            return line.use_count() == 1;
        });
        if (lines_.empty()) new_line();
    }

    // ---- small things

    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }
    template <class T>
    T one_of(std::initializer_list<T> values) {
        return values.begin()[below(values.size())];
    }
    static std::size_t shift(Side sender) { return sender == Side::kAgent ? 0 : 12'345; }
    std::shared_ptr<FakeLine> new_line() {
        auto& line = lines_.emplace_back(std::make_shared<FakeLine>(capacity_));
        line->behind_send = [this](Side sender) { return below(20) == 0 ? old_frame(sender) : ""; };
        return line;
    }
    // An acknowledgement that was overtaken, maybe by those of a later connection, or the answer to no PING.
    std::string old_frame(Side sender) {
        const auto frame = below(3) > 0 ? write_pipe_frame(PipeFrameType::ack, below(ends_[sender].got + 1))
                                        : write_pipe_frame(PipeFrameType::pong, below(3));
        if (sender == Side::kRelay)
            return std::string(as_text(write_websocket_header(WebSocketOpcode::binary, frame.size()).view())) + std::string(as_text(frame));
        const MaskingKey no_change{};
        return std::string(as_text(write_websocket_header(WebSocketOpcode::binary, frame.size(), no_change).view())) +
               std::string(as_text(frame));
    }
    void wrong(std::string what) {
        note("WRONG: ", what);
        if (problem_.empty()) problem_ = std::move(what);
    }
    static std::string_view shown(Side side) { return side == Side::kAgent ? "agent" : "relay"; }
    template <class T>
    static const T& shown(const T& value) { return value; }
    template <class... Parts>
    void note(const Parts&... parts) {
        if (!tracing_) return;
        std::ostringstream line;
        line << std::chrono::duration_cast<std::chrono::microseconds>(now_.time_since_epoch()).count() << " us: ";
        (line << ... << shown(parts));
        trace_.push_back(line.str());
        if (trace_.size() > 200) trace_.pop_front();
    }

    std::mt19937_64 random_;
    bool tracing_;
    TimePoint now_{std::chrono::hours(1)};
    Loop loop_;
    TunnelSettings settings_;
    std::size_t capacity_ = 0;
    std::chrono::milliseconds patience_{};
    int trouble_ = 0;  // of a hundred steps
    std::vector<std::shared_ptr<FakeLine>> lines_;
    std::array<End, 2> ends_;
    std::deque<Attempt> attempts_;
    TimePoint dialled_at_{};
    std::string problem_;
    std::deque<std::string> trace_;
};

// SALLYPORT_PIPE_SEEDS=first-last plays others than the usual ones.
std::pair<unsigned, unsigned> seeds() {
    const char* wanted = std::getenv("SALLYPORT_PIPE_SEEDS");
    if (wanted == nullptr) return {1, 10'000};
    char* end = nullptr;
    const auto first = static_cast<unsigned>(std::strtoul(wanted, &end, 10));
    return {first, *end == '-' ? static_cast<unsigned>(std::strtoul(end + 1, nullptr, 10)) : first};
}

TEST(PipeModel, CarriesEachOctetOnceWhateverTheNetworkDoes) {
    const auto [first, last] = seeds();
    for (unsigned seed = first; seed <= last; ++seed) {
        if (Model(seed, false).run().empty()) continue;
        Model again(seed, true);
        const std::string problem = again.run();
        FAIL() << "seed " << seed << ": " << problem << "\n" << again.trace();
    }
}

}  // namespace
}  // namespace sallyport
