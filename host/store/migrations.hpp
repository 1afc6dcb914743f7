#pragma once
// The tables, as numbered steps (views and thresholds: views.hpp). A new file takes all of them, an
// older file those that it lacks,
// so that both end with the same schema. A step that was released is never edited: append a new
// one.

#include <span>
#include <string_view>

#include "store/database.hpp"

namespace unmask::store {

/// "unmk" in ASCII: marks a file as ours in its header (SQLite's application_id).
inline constexpr int kApplicationId = 0x756e6d6b;

struct Migration {
  int version;            ///< the schema version after this step; the first is 1, none is left out
  std::string_view name;  ///< what it does, for the table `migration`
  std::string_view sql;
};

std::span<const Migration> migrations();

/// Version after the last step.
int schema_version();

/// Whose file is it? @throws StoreError with one sentence and a remedy
/// @return the version of its schema, which may be one that this program does not know; 0 when it is
///         empty
int check_identity(Database& database);

/// May this program write to it, too? @param newest  the newest version that it knows
/// @throws StoreError for a file of a newer unmask and for a sealed one, as check_identity() does
/// @return the version
int check_writable(Database& database, int newest);

/// Bring the file to the version of the last step: each step is one transaction with its version
/// number. Before the first step a file that holds something is copied to `<file>.v<version>.bak`.
void migrate(Database& database, std::span<const Migration> steps);

}  // namespace unmask::store
