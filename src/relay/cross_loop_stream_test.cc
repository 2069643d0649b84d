#include "relay/cross_loop_stream.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <future>
#include <optional>
#include <thread>

namespace sallyport::relay {
namespace {

// A loop on a thread of its own. call() runs something there and waits for its value.
class LoopThread {
public:
    ~LoopThread() {
        loop.stop();
        thread_.join();
    }
    template <class Work>
    auto call(Work&& work) {
        std::promise<std::invoke_result_t<Work>> promise;
        auto future = promise.get_future();
        loop.post([&] {
            if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
                work();
                promise.set_value();
            } else {
                promise.set_value(work());
            }
        });
        return future.get();
    }
    Loop loop;

private:
    std::thread thread_{[this] { loop.run(); }};
};

// What has happened, told between threads.
class Event {
public:
    void happen() {
        const std::lock_guard lock(mutex_);
        happened_ = true;
        condition_.notify_all();
    }
    bool wait() {
        std::unique_lock lock(mutex_);
        return condition_.wait_for(lock, std::chrono::seconds(20), [this] { return happened_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool happened_ = false;
};

// Stands for the tunnel's stream on the far loop. What it pulls it sends back (with an echo window of its own, like HTTP/2's).
class EchoStream final : public Stream {
public:
    struct Seen {
        Event destroyed;
        Event reset;
        std::atomic<ByteCount> received{0};
        std::atomic<ByteCount> unconsumed{0};
        std::atomic<ByteCount> most_unconsumed{0};
    };
    static constexpr ByteCount kWindow = 128_KiB;

    EchoStream(Loop& loop, Owner& owner, Seen& seen) : owner_(owner), seen_(seen), turn_(loop, [this] { run(); }) {}
    ~EchoStream() override { seen_.destroyed.happen(); }
    void wake() override { turn_.ask(); }
    void consumed(ByteCount octets) override {
        seen_.unconsumed -= octets;
        turn_.ask();
    }
    void reset() override {
        over_ = true;
        seen_.reset.happen();
    }
    void cut(Error why) {
        over_ = true;
        owner_.on_stream_reset(why);
    }

private:
    void run() {
        if (!accepted_) {
            accepted_ = true;
            owner_.on_stream_accepted();
        }
        std::array<std::byte, 8192> room;
        while (!over_ && !ended_ && seen_.unconsumed + room.size() <= kWindow) {
            const Pulled pulled = owner_.on_stream_pull(room);
            seen_.received += pulled.octets;
            seen_.unconsumed += pulled.octets;
            if (seen_.unconsumed > seen_.most_unconsumed) seen_.most_unconsumed = seen_.unconsumed.load();
            if (pulled.octets > 0) owner_.on_stream_octets(Octets(room).first(pulled.octets));
            ended_ = pulled.end;
            if (pulled.end) owner_.on_stream_end();
            if (pulled.octets == 0 || pulled.end) return;
        }
    }
    Owner& owner_;
    Seen& seen_;
    TurnEnd turn_;
    bool accepted_ = false;
    bool ended_ = false;
    bool over_ = false;
};

// Sends `total` octets of a pattern and checks that they come back.
class Visitor final : public Stream::Owner {
public:
    explicit Visitor(ByteCount total) : total_(total) {}
    static std::byte pattern(ByteCount at) { return static_cast<std::byte>((at * 2654435761u) >> 13); }

    void on_stream_accepted() override { accepted = true; }
    void on_stream_refused(const Refusal& refusal) override {
        refused_with = refusal.status;
        over.happen();
    }
    void on_stream_octets(Octets octets) override {
        for (const std::byte octet : octets)
            if (octet != pattern(received++)) damaged = true;
        if (consumes) stream->consumed(octets.size());
    }
    void on_stream_end() override { over.happen(); }
    void on_stream_reset(const Error& error) override {
        reset_with = error.code;
        over.happen();
    }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        const ByteCount n = std::min<ByteCount>(room.size(), total_ - sent);
        for (ByteCount i = 0; i < n; ++i) room[i] = pattern(sent + i);
        sent += n;
        return {n, sent == total_};
    }

    StreamPtr stream;
    bool consumes = true;
    ByteCount sent = 0;
    ByteCount received = 0;
    bool accepted = false;
    bool damaged = false;
    std::optional<int> refused_with;
    std::optional<Errc> reset_with;
    Event over;

private:
    ByteCount total_;
};

class CrossLoopStreamTest : public testing::Test {
protected:
    ~CrossLoopStreamTest() override {
        far_.call([this] { ends_.reset(); });
    }
    void open(Visitor& visitor, OpenFarStream opener) {
        near_.call([&] {
            visitor.stream = open_cross_loop_stream(near_.loop, far_.loop, *ends_, std::move(opener), visitor);
            visitor.stream->wake();
        });
    }
    OpenFarStream echo() {
        return [this](Stream::Owner& owner) -> Result<StreamPtr> {
            auto made = std::make_unique<EchoStream>(far_.loop, owner, seen_);
            echo_ = made.get();
            return made;
        };
    }
    void drop(Visitor& visitor) {
        near_.call([&] { visitor.stream.reset(); });
    }

    LoopThread near_;
    LoopThread far_;
    std::unique_ptr<CrossLoopFarEnds> ends_ = far_.call([this] { return std::make_unique<CrossLoopFarEnds>(far_.loop); });
    EchoStream::Seen seen_;
    EchoStream* echo_ = nullptr;  // far loop
};

TEST_F(CrossLoopStreamTest, CarriesBothDirectionsToTheirEnds) {
    Visitor visitor(32_MiB);
    open(visitor, echo());
    ASSERT_TRUE(visitor.over.wait());
    drop(visitor);
    EXPECT_TRUE(visitor.accepted);
    EXPECT_EQ(visitor.received, 32_MiB);
    EXPECT_FALSE(visitor.damaged);
    EXPECT_TRUE(seen_.destroyed.wait()) << "the far end outlived its stream";
    EXPECT_EQ(far_.call([&] { return ends_->size(); }), 0u);
}

TEST_F(CrossLoopStreamTest, StaysWithinItsBoundsWhileTheVisitorConsumesNothing) {
    Visitor visitor(8_MiB);
    visitor.consumes = false;
    open(visitor, echo());
    // Both directions come to a stop by themselves; then nothing moves any more.
    for (ByteCount before = ~ByteCount{0}, now = 0; now != before;) {
        before = now;
        for (int i = 0; i < 5; ++i) {
            far_.call([] {});
            near_.call([] {});
        }
        now = near_.call([&] { return visitor.sent + visitor.received; });
    }
    const auto [sent, received] = near_.call([&] { return std::pair(visitor.sent, visitor.received); });
    EXPECT_EQ(received, EchoStream::kWindow);
    EXPECT_LE(sent, EchoStream::kWindow + kCrossLoopWindow);
    EXPECT_GE(sent, EchoStream::kWindow + kCrossLoopWindow / 2);

    near_.call([&] {
        visitor.consumes = true;
        visitor.stream->consumed(visitor.received);
    });
    ASSERT_TRUE(visitor.over.wait()) << "did not go on";
    EXPECT_EQ(visitor.received, 8_MiB);
    EXPECT_FALSE(visitor.damaged);
    drop(visitor);
}

TEST_F(CrossLoopStreamTest, ResetsTheFarStreamWhenTheVisitorIsGone) {
    Visitor visitor(1_GiB);
    open(visitor, echo());
    drop(visitor);
    EXPECT_TRUE(seen_.reset.wait());
    EXPECT_TRUE(seen_.destroyed.wait());
}

TEST_F(CrossLoopStreamTest, TellsTheVisitorOfAReset) {
    Visitor visitor(1_GiB);
    open(visitor, echo());
    far_.call([this] { echo_->cut({Errc::timeout, "tunnel is gone"}); });
    ASSERT_TRUE(visitor.over.wait());
    EXPECT_EQ(visitor.reset_with, Errc::timeout);
    EXPECT_TRUE(seen_.destroyed.wait());
    drop(visitor);
}

TEST_F(CrossLoopStreamTest, TellsWhyAStreamCouldNotBeOpened) {
    Visitor crowded(10);
    open(crowded, [](Stream::Owner&) -> Result<StreamPtr> { return fail(Errc::no_space, "too many streams"); });
    ASSERT_TRUE(crowded.over.wait());
    EXPECT_EQ(crowded.refused_with, 503);
    drop(crowded);

    Visitor offline(10);
    open(offline, [](Stream::Owner&) -> Result<StreamPtr> { return fail(Errc::unreachable, "not connected"); });
    ASSERT_TRUE(offline.over.wait());
    EXPECT_EQ(offline.reset_with, Errc::unreachable);
    drop(offline);
}

}  // namespace
}  // namespace sallyport::relay
