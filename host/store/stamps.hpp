#pragma once
// What marks rows: random identifiers and times.

#include <string>

namespace unmask::store {

// Now, as every time in the database: UTC, milliseconds. For SQL.
#define UNMASK_NOW "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

/// A random UUID (version 4).
std::string make_uuid();

/// Now, for people: UTC, seconds.
std::string utc_now();

}  // namespace unmask::store
