#include "line.h"

#include <algorithm>
#include <array>

namespace sallyport::wan {
namespace {

// Each kind of luck has a generator of its own: more of one changes nothing about the others.
enum class Luck : std::uint64_t { loss = 1, jitter, reorder };

std::uint64_t seed_for(Luck luck, std::uint64_t seed) {
    std::seed_seq mix{seed & 0xffffffff, seed >> 32, static_cast<std::uint64_t>(luck)};
    std::array<std::uint32_t, 2> mixed{};
    mix.generate(mixed.begin(), mixed.end());
    return std::uint64_t{mixed[0]} << 32 | mixed[1];
}

double draw_share(std::mt19937_64& random) { return std::generate_canonical<double, 53>(random); }  // [0, 1)

Duration milliseconds(double count) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(count));
}

}  // namespace

void LossPattern::change(double loss_percent, double mean_burst) {
    const double share = loss_percent / 100;
    if (share == share_ && mean_burst == burst_) return;
    share_ = share;
    burst_ = mean_burst;
    losing_ = true;  // the next packet begins a run of arrivals
    run_left_ = 0;
}

std::uint64_t LossPattern::draw_run() {
    const double mean = losing_ ? burst_ : burst_ * (1 - share_) / share_;
    return 1 + std::geometric_distribution<std::uint64_t>(std::min(1.0, 1 / mean))(random_);
}

bool LossPattern::loses_next() {
    if (burst_ <= 1) return draw_share(random_) < share_;
    if (share_ <= 0) return false;
    if (run_left_ == 0) {
        losing_ = !losing_;
        run_left_ = draw_run();
    }
    --run_left_;
    return losing_;
}

Line::Line(std::uint64_t seed)
    : loss_(seed_for(Luck::loss, seed)),
      jitter_random_(seed_for(Luck::jitter, seed)),
      reorder_random_(seed_for(Luck::reorder, seed)) {}

void Line::change(const LineSettings& settings) {
    settings_ = settings;
    loss_.change(settings.loss, settings.burst);
}

std::optional<TimePoint> Line::pass_queue(std::size_t octets, TimePoint now) {
    if (settings_.rate_kbit <= 0) return now;
    const TimePoint begin = std::max(line_free_, now);
    if (begin - now > milliseconds(settings_.queue_ms)) return std::nullopt;
    line_free_ = begin + milliseconds(static_cast<double>(octets) * 8 / settings_.rate_kbit);
    return line_free_;
}

void Line::enter(Octets packet, TimePoint now) {
    ++counters_.entered;
    counters_.entered_octets += packet.size();
    const bool lost = loss_.loses_next();
    const double jitter = (2 * draw_share(jitter_random_) - 1) * settings_.jitter_ms;
    const bool overtaken = draw_share(reorder_random_) * 100 < settings_.reorder;

    if (settings_.outage > 0) {
        ++counters_.vanished;
        return;
    }
    const std::optional<TimePoint> sent = pass_queue(packet.size(), now);
    if (!sent) {
        ++counters_.queue_dropped;
        return;
    }
    if (lost) {  // on the way, so it has used its share of the rate
        ++counters_.lost;
        return;
    }
    last_due_ = std::max(last_due_, *sent + milliseconds(std::max(0.0, settings_.delay_ms + jitter)));
    if (!overtaken) return hold(packet, last_due_);
    ++counters_.reordered;
    hold(packet, last_due_ + milliseconds(settings_.reorder_ms));
}

void Line::hold(Octets packet, TimePoint due) {
    if (held_octets_ + packet.size() > kMostHeldOctets) {
        ++counters_.overflowed;
        return;
    }
    held_octets_ += packet.size();
    held_.push_back({due, counters_.entered, {packet.begin(), packet.end()}});
    std::ranges::push_heap(held_, Later{});
}

std::optional<TimePoint> Line::next_due() const {
    if (held_.empty()) return std::nullopt;
    return held_.front().due;
}

std::vector<std::byte> Line::take_first() {
    std::ranges::pop_heap(held_, Later{});
    std::vector<std::byte> packet = std::move(held_.back().packet);
    held_.pop_back();
    held_octets_ -= packet.size();
    return packet;
}

std::optional<Octets> Line::take_due(TimePoint now) {
    while (!held_.empty() && held_.front().due <= now) {
        taken_ = take_first();
        if (settings_.outage > 0) {
            ++counters_.vanished;
            continue;
        }
        ++counters_.left;
        counters_.left_octets += taken_.size();
        return Octets(taken_);
    }
    return std::nullopt;
}

}  // namespace sallyport::wan
