#pragma once
// Which attack of one side of a comparison belongs to which of the other.

#include <cstddef>
#include <string>
#include <vector>

#include "results/compare.hpp"
#include "results/selection.hpp"

namespace unmask::results {

struct PairedCells {
  const AttackCell* a = nullptr;
  const AttackCell* b = nullptr;
  std::string what;  ///< what both are called
};

/// All attacks of either side on the same network (as far as the sides agree in it) at one radius.
struct Threat {
  std::vector<const AttackCell*> a, b;  ///< neither is empty
};

struct Pairing {
  std::vector<AttackCell> cells_a, cells_b;  ///< what the pointers below point to
  std::vector<std::size_t> differ;
  std::vector<PairedCells> pairs;  ///< in the order of A's plan
  std::vector<Threat> threats;
  std::vector<SetAside> aside;
};

/// See compare(). @throws UsageError as it does
Pairing pair_up(const Side& a, const Side& b);

}  // namespace unmask::results
