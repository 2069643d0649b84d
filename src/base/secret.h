// secret.h: a string that must never be seen. It has no formatter and no operator<<, so logging it does not compile;
// it is wiped when it dies. reveal() is the one way out, easy to search for in review.
#pragma once
#include <string>
#include <string_view>

namespace sallyport {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    Secret(const Secret&) = default;
    Secret& operator=(const Secret&) = default;
    Secret(Secret&&) = default;
    Secret& operator=(Secret&&) = default;
    ~Secret();

    bool empty() const { return value_.empty(); }
    std::string_view reveal() const { return value_; }

private:
    std::string value_;
};

// Compares in a time that depends on the lengths only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace sallyport
