#pragma once
// From the store to evidence: the networks of a study, each under each solver that answers for it.

#include <vector>

#include "store/evidence.hpp"
#include "verdict/evidence.hpp"

namespace unmask::verdict {

/// Without values: which attacks and probes there are. Cells of one checkpoint and one solver, however
/// it is called, are one network.
struct NetworkCells {
  wire::CellLabels labels;
  std::int64_t checkpoint_cell = 0;
  std::vector<const store::EvidenceCell*> cells = {};  ///< of the study
};
/// @param study  outlives the result
std::vector<NetworkCells> networks_of(const store::EvidenceStudy& study);

/// Read the values.
Network gather(const store::Store& store, const NetworkCells& cells);

}  // namespace unmask::verdict
