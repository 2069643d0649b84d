// check.h: looks at a relay's database from outside, without its lock and without changing anything: for `sallyport doctor --relay`.
#pragma once
#include <filesystem>

#include "base/octets.h"
#include "base/result.h"

namespace sallyport::store {

enum class InUse { yes, no };  // by a running relay; else nothing beside the file is looked at or made

struct DatabaseCheck {
    ByteCount octets = 0;
};
// Reads all of it (PRAGMA quick_check). Errc::io: damaged; not_found; permission_denied. Waits up to 5 s for who writes.
Result<DatabaseCheck> check_database(const std::filesystem::path& file, InUse in_use);

}  // namespace sallyport::store
