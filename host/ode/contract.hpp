#pragma once
// What the driver demands of the code that it calls, methods and fields: tensors like those of the
// state, and hands off what they were given.

#include <cstdint>
#include <string>
#include <vector>

#include "unmask/solver.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

/// @param who  begins the message: "the vector field returned"
/// @throws PluginError unless `state` has as many tensors as `like`, each of the same shape, dtype
///         and device
void expect_like(const State& state, const State& like, const std::string& who);

/// @throws PluginError when what a method returned for a step from `y0` cannot be one: y1, the
///         stages, f1 of a method that is FSAL, the error where `wants_error`
void expect_step(const StepOutput& step,
                 const State& y0,
                 const MethodTraits& traits,
                 bool wants_error);

/// @throws PluginError for an order below 1 or a negative count
void expect_traits(const MethodTraits& traits);

/// How often a tensor and its views have been written to. Whoever writes through a pointer to the
/// numbers goes unseen; tensors of inference mode are not counted.
std::uint32_t writes_to(const Tensor& tensor);

/// How often the tensors of a state had been written to.
class Versions {
 public:
  explicit Versions(const State& state);

  /// Nobody has written to the tensors since.
  bool are_those_of(const State& state) const;

 private:
  std::vector<std::uint32_t> versions_;
};

}  // namespace unmask::ode
