#pragma once
// A look at what kind of numbers a network answers with. Attacks take them for logits; a network
// that ends with a softmax answers with probabilities, whose gradients vanish where it is
// confident: it looks robust and merely hides.

#include "engine/network.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// True when every row is a distribution: two or more values in [0, 1] that sum to 1.
bool are_probabilities(const Tensor& outputs);

/// Pass some images forward in evaluation mode and record `output_min`, `output_max`,
/// `output_is_probability` and `output_is_one_hot` (0 or 1; the latter: probabilities of 0 and 1
/// alone, from which no logits can be had) as metrics. All are NaN where the solver gives up.
/// The pass is not counted as work of the cell.
/// @throws c10::Error when the outputs are not [B, num_classes] of floating dtype
void describe_outputs(Model& model,
                      const SolverSetup& solver,
                      const Tensor& images,
                      std::int64_t num_classes,
                      wire::CellResult& result);

}  // namespace unmask::engine
