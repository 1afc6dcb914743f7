#pragma once
// The series that a plugin records over the batches of a cell.

#include <cstdint>
#include <vector>

#include "unmask/series.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Add those of a batch: one that belongs to a row as `<name>.<sample>`.
/// @param samples  of the batch's rows
/// @throws std::runtime_error when a series of the whole cell comes again
void add_series(const std::vector<RecordedSeries>& series,
                const std::vector<std::int64_t>& samples,
                wire::CellResult& result);

}  // namespace unmask::engine
