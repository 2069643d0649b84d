// field_edits.h: fields that a route's owner has set on or removed from its requests or its answers. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/field_section.h"

namespace sallyport {

class FieldEdits {
public:
    enum class Direction { request, response };

    // Each is one edit more; Errc::invalid_argument with a text for people. Refused are fields that frame the message, concern the
    // connection, or say who the visitor is: on those the edge itself decides.
    Result<> add_set(Direction direction, std::string_view line);  // "Name: value": replaces all fields of that name by one
    Result<> add_removal(Direction direction, std::string_view name);

    bool empty() const { return removed_.empty() && set_.empty(); }
    void apply(FieldSection& fields) const;           // removes, then sets
    void drop_from_trailers(FieldSection& trailers) const;  // what is set or removed must not come in by the back door

private:
    struct Line {
        std::string name;
        std::string value;
    };
    std::vector<std::string> removed_;
    std::vector<Line> set_;
};

}  // namespace sallyport
