#pragma once
// Times and step sizes of a solve, one per lane. A lane is what has a step of its own: the whole
// batch under control: batch, one sample under control: sample. The driver is written once, for
// lanes.
//
// Values are host doubles, so that every decision is made on the host. Where a gradient flows
// through them, a tensor twin carries it; it is made only where an operand has one, so constant
// steps cost no tensor at all.

#include <cstdint>
#include <functional>
#include <vector>

#include "unmask/vector_field.hpp"

namespace unmask::ode {

struct Lanes {
  std::vector<double> value;
  /// Undefined for constants; else float64, attached, 0-dimensional for the one lane of a batch and
  /// [L] for samples.
  Tensor tensor;
  bool is_per_sample = false;

  std::size_t size() const { return value.size(); }
  bool is_constant() const { return !tensor.defined(); }
};

/// A number without gradient.
Scalar constant(double value);

/// `lanes` without their gradient.
Lanes detached(const Lanes& lanes);

/// How a result depends on one operand: d result_i = partial_i * d operand_i.
struct Dependence {
  const Lanes* operand;
  std::vector<double> partial;
};

/// Lanes of the given values whose derivatives are the given partials: one node of the graph, none
/// when all operands are constants. Second derivatives do not exist: a backward pass that records a
/// graph throws NumericError. Operands whose partials are all zero are left out.
Lanes linked(std::vector<double> value, const std::vector<Dependence>& dependences);

/// factor * lanes.
Lanes scaled(double factor, const Lanes& lanes);

/// a + b.
Lanes sum(const Lanes& a, const Lanes& b);

/// The lanes at the given positions. Samples only.
Lanes select(const Lanes& lanes, const std::vector<std::int64_t>& index);

/// As the SDK passes it on: one number, or a [B] tensor on the device of `like`.
Scalar to_scalar(const Lanes& lanes, const Tensor& like);

/// A host vector as a tensor on the device of `like`.
Tensor to_tensor(const std::vector<double>& values, const Tensor& like);
Tensor to_tensor(const std::vector<std::int64_t>& values, const Tensor& like);

}  // namespace unmask::ode
