#pragma once
// What a result must be before it is recorded, whatever a plugin says.

#include <optional>
#include <string>

#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::run {

/// Why a result cannot be what the cell asked for, or nothing when it can: every cell kind has
/// parts that it must yield, predictions are classes, distances are finite, accuracies lie in [0,
/// 1].
std::optional<std::string> complaint(const wire::Cell& cell, const wire::CellResult& result);

}  // namespace unmask::run
