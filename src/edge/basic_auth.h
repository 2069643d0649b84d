// basic_auth.h: who may enter a route by name and password (RFC 7617), and what a request presents. Pure; the slow part is
// password_checker.h.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "edge/path_pattern.h"
#include "wire/field_section.h"

namespace sallyport {

struct BasicAuth {
    struct User {
        std::string name;
        std::string hash;  // as check_password_hash() gives it
    };
    // What becomes of a request with a bearer token (RFC 6750), which is somebody else's to judge. refuse: it is asked for a
    // password like any other. pass: let through untouched; the origin has to judge every path by it.
    enum class Bearer { refuse, pass };

    std::vector<User> users;  // never empty
    Bearer bearer = Bearer::refuse;
    std::vector<PathPattern> open_paths;  // need no password

    // Looks at every user in the same time. Null: nobody has that name.
    const User* find(std::string_view name) const;
    bool is_open(std::string_view path) const;
};

// What the Authorization field of a request holds.
struct Presented {
    enum class Kind { nothing, basic, bearer, other };  // other: another scheme, malformed, or the field twice
    Kind kind = Kind::nothing;
    std::string user;
    Secret password;
};
Presented read_presented(const FieldSection& fields);

// An Authorization field value with user and password in it. False: another scheme, or malformed.
bool is_basic(std::string_view field_value);

}  // namespace sallyport
