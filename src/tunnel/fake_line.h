// fake_line.h: a TCP connection in memory, for tests of what stands above a Transport. Nothing moves by itself: the test decides when
// which octets arrive, whether the rest is lost, and when, if ever, an end is told that the other one is gone. No sockets, no clock.
#pragma once
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>

#include "net/transport.h"

namespace sallyport {

class FakeLine {
public:
    enum Side : unsigned { kAgent = 0, kRelay = 1 };
    static Side other(Side side) { return side == kAgent ? kRelay : kAgent; }

    // An end refuses octets (send_ready) while so many of its own are under way.
    explicit FakeLine(std::size_t capacity) : capacity_(capacity) {}

    // Once for each side, for Pipe; the line goes on without it.
    static TransportPtr make_end(const std::shared_ptr<FakeLine>& line, Side side) { return std::make_unique<End>(line, side); }

    std::size_t under_way_to(Side side) const { return under_way_[side].size(); }
    bool is_open(Side side) const { return open_[side]; }
    bool frozen = false;  // for a test's own use
    std::function<std::string(Side sender)> behind_send;  // octets that go behind those of a send()

    // Gives an end up to so many octets. They wait for an end that has no owner yet, and vanish at one that is closed.
    std::size_t deliver(Side to, std::size_t most) {
        if (open_[to] && !owner_of(to)) return 0;
        std::string octets = take(to, most);
        if (Transport::Owner* owner = owner_of(to); owner && !octets.empty())
            owner->on_receive(std::as_writable_bytes(std::span(octets)));
        return octets.size();
    }
    // Octets that arrived before the end had an owner.
    std::string take(Side to, std::size_t most) {
        std::string octets = under_way_[to].substr(0, most);
        under_way_[to].erase(0, octets.size());
        return octets;
    }
    // Tells an end that it may send again, if it was told no.
    bool tell_room(Side side) {
        if (!refused_[side] || full(side)) return false;
        refused_[side] = false;
        Transport::Owner* owner = owner_of(side);
        if (owner) owner->on_send_ready();
        return owner != nullptr;
    }
    // The connection is dead from here on: of what is under way to a side only so much may still arrive.
    void cut(std::size_t to_agent, std::size_t to_relay) {
        dead_ = true;
        under_way_[kAgent].resize(std::min(under_way_[kAgent].size(), to_agent));
        under_way_[kRelay].resize(std::min(under_way_[kRelay].size(), to_relay));
    }
    bool dead() const { return dead_; }

    enum class Ending { fin, reset };
    // Tells an end that the connection is over, once everything for it has arrived.
    bool tell_end(Side side, Ending ending) {
        Transport::Owner* owner = owner_of(side);
        if (!owner || told_[side] || !under_way_[side].empty()) return false;
        told_[side] = true;
        if (ending == Ending::fin) owner->on_receive_end();
        else owner->on_transport_error({Errc::reset, "cut"});
        return true;
    }

private:
    class End final : public Transport {
    public:
        End(std::shared_ptr<FakeLine> line, Side side) : line_(std::move(line)), side_(side) {
            line_->ends_[side_] = this;
            line_->open_[side_] = true;
        }
        ~End() override {
            close();
            line_->ends_[side_] = nullptr;
        }
        void set_owner(Owner* owner) override { owner_ = owner; }
        bool send_ready() const override {
            if (!line_->open_[side_]) return false;
            if (line_->full(side_)) line_->refused_[side_] = true;
            return !line_->full(side_);
        }
        void send(Octets head, Octets body) override {
            if (line_->dead_) return;  // into the void
            std::string& way = line_->under_way_[other(side_)];
            way += as_text(head);
            way += as_text(body);
            if (line_->behind_send) way += line_->behind_send(side_);
        }
        void pause_receive() override {}
        void resume_receive() override {}
        void end_send() override {}
        void close() override {
            owner_ = nullptr;
            line_->open_[side_] = false;
        }
        void abort() override { close(); }
        Unsent unsent() const override {
            const std::size_t octets = line_->under_way_[other(side_)].size();
            return {octets, octets == 0};
        }
        const SocketAddress& peer_address() const override { return address_; }
        void name_peer(const SocketAddress&) override {}
        const SocketAddress& local_address() const override { return address_; }

    private:
        friend class FakeLine;
        std::shared_ptr<FakeLine> line_;
        Side side_;
        Owner* owner_ = nullptr;
        SocketAddress address_;
    };

    Transport::Owner* owner_of(Side side) const { return ends_[side] ? ends_[side]->owner_ : nullptr; }
    bool full(Side sender) const { return !dead_ && under_way_[other(sender)].size() >= capacity_; }

    std::size_t capacity_;
    std::array<End*, 2> ends_{};
    std::array<std::string, 2> under_way_;  // to that side
    std::array<bool, 2> open_{};
    std::array<bool, 2> refused_{};
    std::array<bool, 2> told_{};
    bool dead_ = false;
};

}  // namespace sallyport
