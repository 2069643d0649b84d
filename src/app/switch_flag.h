// switch_flag.h: a pair of flags, --x and --no-x, that may both be absent, which is neither (CLI11 itself would make that false).
#pragma once
#include <CLI/App.hpp>
#include <boost/json.hpp>

#include <string_view>

namespace sallyport::app {

struct SwitchFlag {
    SwitchFlag(CLI::App& command, const char* flags, const char* help) : option(command.add_flag(flags, value, help)) {}
    void put_into(boost::json::object& body, std::string_view member) const {
        if (option->count() > 0) body[member] = value;
    }
    bool value = false;
    CLI::Option* option;
};

}  // namespace sallyport::app
