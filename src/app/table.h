// table.h: rows of text in columns for people: a header and rows, padded to the widest cell.
// Cells may come from the other side: controls are shown as '?'.
#pragma once
#include <string>
#include <vector>

namespace sallyport::app {

class Table {
public:
    explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string text() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

// Nothing in it can move the cursor or change a colour; UTF-8 passes.
std::string printable(std::string_view text);

}  // namespace sallyport::app
