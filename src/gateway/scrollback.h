// scrollback.h: the lines that have left a session's screen at its top, oldest dropped first; bounded in lines and in octets. A line is
// kept as UTF-8 with a few octets for each change of style, an ordinary one of 60 characters in about 64 octets. Pure.
//
// Lines have numbers that never change: the first one ever is 0.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/screen.h"

namespace sallyport::gateway {

class Scrollback {
public:
    struct Limits {
        std::size_t lines = 10'000;
        std::size_t octets = 1'500'000;
    };

    explicit Scrollback(const Limits& limits) : limits_(limits) {}

    void push(const Screen& screen, const Row& row);
    void push_gap();  // here lines may be missing; several in a row are one
    void clear();

    std::uint64_t begin() const { return first_; }  // number of the oldest line that is kept
    std::uint64_t end() const { return next_; }
    bool is_gap(std::uint64_t number) const;
    // The line as octets for a terminal, cut to so many columns, any style before, the default one after.
    std::string show(std::uint64_t number, int columns) const;
    std::string text(std::uint64_t number) const;  // without styles
    std::size_t memory() const;

private:
    struct Block {
        std::string text;
        std::vector<std::uint32_t> ends;  // of each line in `text`
    };
    void add(std::string_view line);
    void drop_old();
    std::string_view line(std::uint64_t number) const;
    std::size_t index_of(const Style& style);

    const Limits limits_;
    std::deque<Block> blocks_;
    std::vector<Style> styles_;  // by index; the default one is none of them
    std::size_t last_style_ = 0;
    std::uint64_t first_ = 0;
    std::uint64_t next_ = 0;
    std::size_t octets_ = 0;
    bool ends_with_gap_ = false;
};

// One row of a screen in the same way.
std::string show_row(const Screen& screen, const Row& row, int columns);

}  // namespace sallyport::gateway
