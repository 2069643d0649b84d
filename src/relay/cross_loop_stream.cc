#include "relay/cross_loop_stream.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <optional>
#include <string>

#include "net/buffer_budget.h"

namespace sallyport::relay {
namespace {

// How much is pulled at a time; on the stack, so that a pull may call whatever it likes.
constexpr std::size_t kPullRoom = 16_KiB;
// Octets the owner has consumed are told in steps of this; less than half of a new stream's window, so none waits for us.
constexpr ByteCount kConsumedStep = 16_KiB;
// Credit goes back in steps of this; the rest of the window keeps the other side busy meanwhile.
constexpr ByteCount kCreditStep = kCrossLoopWindow / 2;

// What one turn of the near loop has for the far end.
struct ToFar {
    std::string octets;
    ByteCount consumed = 0;
    bool end = false;
};

// What one turn of the far loop has for the near end, in the order of its members.
struct ToNear {
    ByteCount credit = 0;
    bool accepted = false;
    std::string octets;
    bool end = false;
    std::optional<Refusal> refusal;
    std::optional<Error> reset;
};

class NearEnd;

}  // namespace

// Each end's pointer is read and written on its own loop only.
struct CrossLoopLink {
    Loop& near_loop;
    Loop& far_loop;
    NearEnd* near = nullptr;
    CrossLoopFarEnd* far = nullptr;
};
using LinkPtr = std::shared_ptr<CrossLoopLink>;

class CrossLoopFarEnd final : private Stream::Owner {
public:
    static void start(CrossLoopFarEnds& ends, LinkPtr link, OpenFarStream open) {
        auto made = std::make_unique<CrossLoopFarEnd>(ends, std::move(link));
        CrossLoopFarEnd& end = *made;
        ends.ends_.emplace(&end, std::move(made));
        end.open(std::move(open));
    }

    CrossLoopFarEnd(CrossLoopFarEnds& ends, LinkPtr link)
        : ends_(ends), link_(std::move(link)), flush_(ends.loop_, [this] { flush(); }) {
        link_->far = this;
    }
    ~CrossLoopFarEnd() { link_->far = nullptr; }

    void receive(ToFar message) {
        if (over_) return;
        queued_ += message.octets.size();
        if (!message.octets.empty()) queue_.push_back(std::move(message.octets));
        held_.set(queued_);
        end_queued_ |= message.end;
        if (message.consumed > 0) stream_->consumed(message.consumed);
        if (!over_ && (!queue_.empty() || end_queued_)) stream_->wake();
    }

    void reset() {
        if (stream_) stream_->reset();
        finish();
    }

private:
    void open(OpenFarStream open) {
        auto opened = open(*this);
        if (opened) {
            stream_ = std::move(*opened);
            return;
        }
        if (opened.error().code == Errc::no_space)
            out_.refusal = Refusal{503, "connection_limit_reached", opened.error().detail};
        else
            out_.reset = opened.error();
        end_in_order();
    }

    void on_stream_accepted() override {
        out_.accepted = true;
        flush_.ask();
    }
    void on_stream_refused(const Refusal& refusal) override {
        out_.refusal = refusal;
        end_in_order();
    }
    void on_stream_octets(Octets octets) override {
        out_.octets.append(as_text(octets));
        flush_.ask();
    }
    void on_stream_end() override {
        out_.end = received_end_ = true;
        flush_.ask();
        if (sent_end_) end_in_order();
    }
    void on_stream_reset(const Error& error) override {
        out_.reset = error;
        end_in_order();
    }
    Stream::Pulled on_stream_pull(MutableOctets room) override {
        std::size_t written = 0;
        while (!queue_.empty() && written < room.size()) {
            const std::string& front = queue_.front();
            const std::size_t n = std::min(front.size() - front_at_, room.size() - written);
            std::memcpy(room.data() + written, front.data() + front_at_, n);
            written += n;
            front_at_ += n;
            if (front_at_ < front.size()) break;
            queue_.pop_front();
            front_at_ = 0;
        }
        queued_ -= written;
        held_.set(queued_);
        out_.credit += written;
        if (out_.credit >= kCreditStep) flush_.ask();
        const bool end = queue_.empty() && end_queued_;
        if (end) {
            sent_end_ = true;
            if (received_end_) end_in_order();
        }
        return {written, end};
    }

    void flush() {
        if (over_ && told_) return;
        told_ = over_;
        link_->near_loop.post([link = link_, message = std::exchange(out_, {})]() mutable { deliver(*link, std::move(message)); });
        if (over_) finish();
    }
    static void deliver(CrossLoopLink& link, ToNear message);

    // The stream is over; what there is to tell leaves first.
    void end_in_order() {
        over_ = true;
        flush_.ask();
    }
    void finish() {
        over_ = told_ = true;
        if (const auto place = ends_.ends_.find(this); place != ends_.ends_.end()) {
            ends_.loop_.dispose(std::move(place->second));
            ends_.ends_.erase(place);
        }
    }

    CrossLoopFarEnds& ends_;
    LinkPtr link_;
    StreamPtr stream_;
    std::deque<std::string> queue_;  // towards the tunnel; at most kCrossLoopWindow octets, by the near end's credit
    std::size_t front_at_ = 0;
    std::size_t queued_ = 0;
    HeldCount held_;
    bool end_queued_ = false;
    bool sent_end_ = false;
    bool received_end_ = false;
    bool over_ = false;
    bool told_ = false;
    ToNear out_;
    TurnEnd flush_;
};

namespace {

class NearEnd final : public Stream {
public:
    NearEnd(Loop& near, Loop& far, CrossLoopFarEnds& far_ends, OpenFarStream open, Owner& owner)
        : link_(std::make_shared<CrossLoopLink>(near, far)), owner_(owner), flush_(near, [this] { flush(); }) {
        link_->near = this;
        far.post([link = link_, &far_ends, open = std::move(open)]() mutable {
            CrossLoopFarEnd::start(far_ends, std::move(link), std::move(open));
        });
    }
    ~NearEnd() override {
        if (sent_end_ && received_end_) flush();  // over in order: the far end delivers the rest
        else reset();
        link_->near = nullptr;
    }

    void wake() override {
        if (over_ || sent_end_ || pulling_) return;
        pulling_ = true;
        pull();
        pulling_ = false;
    }

    void consumed(ByteCount octets) override {
        out_.consumed += octets;
        if (out_.consumed >= kConsumedStep) flush_.ask();
    }

    void reset() override {
        if (over_) return;
        over_ = true;
        link_->far_loop.post([link = link_] {
            if (link->far) link->far->reset();
        });
    }

    void receive(ToNear message) {
        credit_ += message.credit;
        if (message.accepted && !over_) owner_.on_stream_accepted();
        if (!message.octets.empty() && !over_) owner_.on_stream_octets(as_octets(message.octets));
        if (message.end && !over_) {
            received_end_ = true;
            owner_.on_stream_end();
        }
        if (message.refusal && !over_) {
            over_ = true;
            owner_.on_stream_refused(*message.refusal);
        }
        if (message.reset && !over_) {
            over_ = true;
            owner_.on_stream_reset(*message.reset);
        }
        if (starved_ && message.credit > 0) wake();
    }

private:
    void pull() {
        std::array<std::byte, kPullRoom> room;
        for (;;) {
            starved_ = credit_ == 0;
            if (starved_) return;
            const Pulled pulled = owner_.on_stream_pull(MutableOctets(room).first(std::min<ByteCount>(credit_, room.size())));
            if (over_) return;
            out_.octets.append(as_text(Octets(room).first(pulled.octets)));
            credit_ -= pulled.octets;
            sent_end_ = out_.end = pulled.end;
            if (pulled.octets > 0 || pulled.end) flush_.ask();
            if (pulled.octets == 0 || pulled.end) return;
        }
    }

    void flush() {
        if (over_) return;
        if (out_.octets.empty() && out_.consumed == 0 && !out_.end) return;
        link_->far_loop.post([link = link_, message = std::exchange(out_, {})]() mutable {
            if (link->far) link->far->receive(std::move(message));
        });
    }

    LinkPtr link_;
    Owner& owner_;
    ByteCount credit_ = kCrossLoopWindow;
    bool starved_ = false;
    bool pulling_ = false;
    bool sent_end_ = false;
    bool received_end_ = false;
    bool over_ = false;  // reset by either side, or refused
    ToFar out_;
    TurnEnd flush_;
};

}  // namespace

void CrossLoopFarEnd::deliver(CrossLoopLink& link, ToNear message) {
    if (link.near) link.near->receive(std::move(message));
}

CrossLoopFarEnds::CrossLoopFarEnds(Loop& loop) : loop_(loop) {}
CrossLoopFarEnds::~CrossLoopFarEnds() = default;

StreamPtr open_cross_loop_stream(Loop& near, Loop& far, CrossLoopFarEnds& far_ends, OpenFarStream open, Stream::Owner& owner) {
    return std::make_unique<NearEnd>(near, far, far_ends, std::move(open), owner);
}

}  // namespace sallyport::relay
