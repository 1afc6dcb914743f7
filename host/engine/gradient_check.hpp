#pragma once
// Watches the gradients that an attack is given: whether the first one of a sample was zero, and
// whether any had entries that are not finite.

#include "unmask/attack.hpp"

namespace unmask::engine {

/// One batch at a time. Kept on the device as one number per row, so that watching never waits for
/// it. Does nothing before begin().
class GradientCheck {
 public:
  /// Another batch begins, with rows like those of `batch`.
  void begin(const Tensor& batch);

  /// @param rows  int64, which rows of the batch were differentiated; undefined: all, in order
  void take(const LossGradient& result, const Tensor& rows);

  /// bool [B]: rows of which a gradient was asked; of these, those whose first gradient was exactly
  /// zero, and those of which a gradient had an entry that is not finite.
  const Tensor& asked() const { return asked_; }
  const Tensor& first_was_zero() const { return first_was_zero_; }
  Tensor not_finite() const;

 private:
  Tensor asked_;
  Tensor first_was_zero_;
  Tensor times_not_finite_;  ///< int64 [B]
};

}  // namespace unmask::engine
