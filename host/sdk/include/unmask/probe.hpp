#pragma once
// A probe measures a target without judging it: gradient norms, agreement with finite differences,
// ...

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/random.hpp"
#include "unmask/series.hpp"
#include "unmask/target.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// A quantity with one value per sample. The host stores each value, and mean, median, minimum,
/// maximum and the share of values that are not finite.
struct ProbeValue {
  std::string name;  ///< lower snake case, parts joined by dots; the same ones for every batch
  Tensor values;     ///< [B]
};

/// The network with a gradient solver that the probe's definition names.
struct NamedGradient {
  std::string name;  ///< of the solver's definition
  Target* target;    ///< answers like every other target of the cell; its gradients are its own
};

/// What a probe gets besides its target.
class UNMASK_API ProbeContext {
 public:
  /// @param samples    index of each row's sample in the evaluated split
  /// @param gradients  sorted by name; their targets are kept alive by the caller
  ProbeContext(SampleRandom random,
               std::vector<std::int64_t> samples,
               std::vector<NamedGradient> gradients = {});

  SampleRandom random;                 ///< seeded for this cell and these samples
  std::vector<RecordedSeries> series;  ///< filled by the probe; each name once

  const std::vector<std::int64_t>& samples() const { return samples_; }

  /// The gradient solvers under "gradients" of the probe's definition; none: left out there.
  const std::vector<NamedGradient>& gradients() const { return gradients_; }

  /// The one with this name.
  /// @throws ParamError when the definition does not name it: says which it names
  Target& gradient(std::string_view name) const;

 private:
  std::vector<std::int64_t> samples_;
  std::vector<NamedGradient> gradients_;
};

/// Base of every probe plugin. The class is constructible from (const Params&).
class UNMASK_API Probe {
 public:
  Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  virtual ~Probe();

  /// @param target  differentiates through the gradient solver of the cell
  /// @param x       [B, C, H, W] clean images, one whole batch in order. A probe passes all of its
  ///                rows, or, to see an image alone, that one with its row; other parts of a batch
  ///                only to a target that is batch-independent.
  /// @param y       int64 [B]
  virtual std::vector<ProbeValue> measure(Target& target,
                                          const Tensor& x,
                                          const Tensor& y,
                                          ProbeContext& context) = 0;
};

}  // namespace v1
}  // namespace unmask
