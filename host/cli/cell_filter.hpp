#pragma once
// Choosing cells of a plan: --only attack=pgd*,model=resnet

#include <string>
#include <vector>

#include "wire/cell.hpp"

namespace unmask::cli {

/// The cells that match any of the filters, and the train cells that they need, in the order of the
/// plan. A filter is a comma-separated list of axis=pattern that must all match; * in a pattern
/// matches anything. Axes: kind dataset model objective train_solver train_seed solver gradient
/// source attack probe epsilon seed key. No filter: all cells.
/// @throws UsageError for an unknown axis, or when a filter matches nothing
std::vector<wire::Cell> filter_cells(const std::vector<wire::Cell>& cells,
                                     const std::vector<std::string>& filters);

/// The same without the train cells that they need.
std::vector<wire::Cell> matching_cells(const std::vector<wire::Cell>& cells,
                                       const std::vector<std::string>& filters);

/// A filter from what is typed for a cell: the first digits of its key, or a filter as it is.
/// @throws UsageError for anything else
std::string filter_of_word(const std::string& word);

}  // namespace unmask::cli
