// bounded_lines.h: lets so many lines of one kind a second into the log. What was left out is told, as a number, a second later
// (and when this ends): `event=<kind>.suppressed lines=…`. Lives on its loop.
#pragma once
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"

namespace sallyport {

class BoundedLines {
public:
    BoundedLines(Loop& loop, Log& log, std::string kind, unsigned most_a_second);
    ~BoundedLines() { tell(); }
    BoundedLines(const BoundedLines&) = delete;
    BoundedLines& operator=(const BoundedLines&) = delete;

    // Whether one more line may be written now.
    bool admit();

private:
    void tell();
    Loop& loop_;
    Log& log_;
    std::string suppressed_event_;
    unsigned most_;
    unsigned count_ = 0;
    TimePoint second_{};
    std::uint64_t left_out_ = 0;
    Timer tell_later_;
};

}  // namespace sallyport
