// node.h: a configuration file as a tree with line numbers. Scalars stay text: their meaning is up to who reads them.
#pragma once
#include <string>
#include <vector>

namespace sallyport {

struct Node {
    enum class Kind { null, scalar, sequence, mapping };
    Kind kind = Kind::null;
    int line = 0;               // from 1, of its key if it has one; 0: not from a file
    std::string key{};          // inside a mapping
    std::string text{};         // of a scalar
    std::vector<Node> items{};  // of a sequence, or of a mapping: in the file's order, each key once
};

}  // namespace sallyport
