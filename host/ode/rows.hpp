#pragma once
// Rows of a batch whose samples take steps of their own: picking some, choosing between two states, and
// putting together what was finished at different attempts.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ode/lanes.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

/// The rows of some samples; an empty state stays empty.
State rows_of(const State& state, const std::vector<std::int64_t>& index);

/// Where a flag is set.
std::vector<std::int64_t> positions(const std::vector<bool>& flags);

bool any(const std::vector<bool>& flags);

/// Row by row `a` where the flag is set, else `b`.
State choose(const std::vector<bool>& flags, const State& a, const State& b);
Lanes choose(const std::vector<bool>& flags, const Lanes& a, const Lanes& b);

/// Rows of the batch, put together from parts that were finished at different attempts.
class Assembly {
 public:
  /// @param lanes  positions of the rows in the batch
  void add(const std::vector<std::int64_t>& lanes, State rows);

  /// Rows so far.
  std::size_t size() const { return lanes_.size(); }

  /// In the order of the batch.
  State state() const;

 private:
  std::vector<std::int64_t> lanes_;
  std::vector<State> parts_;
};

}  // namespace unmask::ode
