#pragma once
// Parts of cells that have not come to their end; for the files that implement the store.

#include <cstdint>

#include "store/database.hpp"

namespace unmask::store {

/// Within the transaction that stores the result of a cell.
void remove_parts(Database& database, std::int64_t cell);

}  // namespace unmask::store
