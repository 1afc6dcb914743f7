#pragma once
// Faults that no single sample is to blame for: a cell fails with them as a whole, where a
// NumericError of another kind leaves a sample undecided.

#include "unmask/errors.hpp"

namespace unmask::engine {

/// A tensor of the network is not finite.
class BrokenNetwork final : public NumericError {
 public:
  using NumericError::NumericError;
};

/// An attack gave points that are not finite.
class BrokenAttack final : public NumericError {
 public:
  using NumericError::NumericError;
};

}  // namespace unmask::engine
