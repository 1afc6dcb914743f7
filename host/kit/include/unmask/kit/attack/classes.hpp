#pragma once
// The classes that an attack may pull to, and how far each of them is behind the label.

#include <limits>

#include <torch/types.h>

#include "unmask/attack.hpp"

namespace unmask::kit {

/// The classes other than the label, most likely first: int64 [B, K - 1]. Equal logits keep the
/// order of their classes.
inline Tensor other_classes(const Tensor& logits, const Tensor& labels) {
  const Tensor rest =
      logits.scatter(1, labels.unsqueeze(1), -std::numeric_limits<double>::infinity());
  const Tensor order = std::get<1>(rest.sort(/*stable=*/true, 1, /*descending=*/true));
  return order.narrow(1, 0, logits.size(1) - 1);
}

/// How far each of `classes` ([B, M]) leads before the label: z_k - z_y, [B, M].
inline LossFunction lead_of(const Tensor& classes, const Tensor& labels) {
  return [classes, labels](const Tensor& logits) {
    return logits.gather(1, classes) - logits.gather(1, labels.unsqueeze(1));
  };
}

/// Row i of the result is values[i, index[i]].
/// @param values  [B, M, ...]
/// @param index   int64 [B]
inline Tensor rows_of(const Tensor& values, const Tensor& index) {
  return values.index({at::arange(values.size(0), index.options()), index});
}

}  // namespace unmask::kit
