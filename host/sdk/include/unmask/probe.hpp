#pragma once
// A probe measures a target without judging it: gradient norms, agreement with finite differences,
// ...

#include <string>
#include <vector>

#include "unmask/attack.hpp"
#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// A quantity with one value per sample. The host stores each value, and mean, median, minimum,
/// maximum and the share of values that are not finite.
struct ProbeValue {
  std::string name;  ///< lower_snake_case, stable
  Tensor values;     ///< [B]
};

/// Base of every probe plugin. The class is constructible from (const Params&).
class UNMASK_API Probe {
 public:
  Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  virtual ~Probe();

  /// @param x  [B, C, H, W] clean images, one whole batch in order
  /// @param y  int64 [B]
  virtual std::vector<ProbeValue> measure(Target& target,
                                          const Tensor& x,
                                          const Tensor& y,
                                          AttackContext& context) = 0;
};

}  // namespace v1
}  // namespace unmask
