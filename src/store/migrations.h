// migrations.h: the tables, as numbered steps that each database goes through once, in order. A step that was
// released never changes; a change of the tables is a new step at the end.
#pragma once
#include <soci/soci.h>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace sallyport::store {

// Brings the tables up to date, each step in its own transaction. A database with steps that this release does not
// know is left untouched: Errc::newer_version. A file with other tables: Errc::invalid_argument.
Result<> migrate(Database& database, WallTime now);

// The first two checks alone; gives the version found (0: empty file).
Result<int> check_version(Database& database);

}  // namespace sallyport::store
