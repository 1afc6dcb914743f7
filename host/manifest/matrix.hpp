#pragma once
// The two matrices: axes, zip groups, added cells, rules -> rows of a study.

#include "manifest/definitions.hpp"
#include "manifest/study.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {

/// Rows that a stage may have before equal ones collapse.
inline constexpr std::size_t kMostRows = 1'000'000;

/// Fill the rows, excluded rows, counters and axes of `study` from the "train" and the "evaluate"
/// object (either may be nullptr). Everything that is wrong is reported; the rows are then those of
/// what is right and must not be used.
void expand(const Node* train,
            const Node* evaluate,
            const Definitions& definitions,
            Reporter& reporter,
            Study& study);

}  // namespace unmask::manifest
