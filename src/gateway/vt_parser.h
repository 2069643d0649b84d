// vt_parser.h: cuts what a terminal is sent into characters, controls and sequences (ECMA-48, as in Paul Williams' state diagram), in
// UTF-8 only: octets 0x80 to 0x9F are no controls. Everything is bounded: a string longer than kMostString is cut off, a sequence with
// too many parameters ignored. Pure; one object a terminal, about 200 octets while no string is under way.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/octets.h"

namespace sallyport::gateway {

class VtParser {
public:
    static constexpr std::size_t kMostString = 4'096;
    static constexpr std::size_t kMostParameters = 32;
    static constexpr int kMostValue = 65'535;

    struct Csi {
        char leader = 0;        // one of < = > ? or 0
        char intermediate = 0;  // or 0; more than one makes the sequence unknown
        char final = 0;
        std::array<int, kMostParameters> values{};  // -1: left out
        std::uint32_t continued = 0;                // bit i: value i follows a colon, so it belongs to the one before
        std::size_t count = 0;                      // 0: none written

        // Value `i`, or `otherwise` where it is left out (or, for counts, 0).
        int value(std::size_t i, int otherwise) const { return i < count && values[i] >= 0 ? values[i] : otherwise; }
        int times(std::size_t i = 0) const { return i < count && values[i] > 0 ? values[i] : 1; }
    };

    class Sink {
    public:
        virtual void on_character(char32_t character) = 0;                  // never a control
        virtual void on_control(std::uint8_t control) = 0;                  // C0
        virtual void on_escape(char intermediate, char final) = 0;          // intermediate 0: none
        virtual void on_csi(const Csi& csi) = 0;
        virtual void on_osc(std::string_view text) = 0;                     // whole ones only

    protected:
        ~Sink() = default;
    };

    void feed(Octets octets, Sink& sink);
    bool in_ground() const { return state_ == State::ground && utf8_left_ == 0; }  // nothing is half read

private:
    enum class State : std::uint8_t { ground, escape, escape_intermediate, csi, csi_ignore, osc, osc_escape, string, string_escape };
    void take(std::uint8_t octet, Sink& sink);
    void take_text(std::uint8_t octet, Sink& sink);
    void take_escape(std::uint8_t octet, Sink& sink);
    void take_csi(std::uint8_t octet, Sink& sink);
    void take_osc(std::uint8_t octet, Sink& sink);
    void begin_csi();
    void end_osc(Sink& sink);

    State state_ = State::ground;
    std::uint8_t utf8_left_ = 0;
    char32_t utf8_value_ = 0;
    char32_t utf8_least_ = 0;
    char intermediate_ = 0;
    bool unknown_ = false;   // of an escape or control sequence: takes its octets and means nothing
    bool too_long_ = false;  // of an OSC
    Csi csi_;
    std::string osc_;
};

}  // namespace sallyport::gateway
