#pragma once
// Computing something again in the backward pass instead of keeping its graph: the one tool behind
// gradient: checkpoint and gradient: replay.

#include <functional>
#include <memory>
#include <vector>

#include <torch/csrc/autograd/function.h>

#include "unmask/vector_field.hpp"

namespace unmask::ode {

/// What a field's results depend on besides its arguments, as places in the graph: parameters, and
/// tensors that were computed from them (or from the block's input) before the solve.
struct Captures {
  torch::autograd::edge_list edges;
};

/// f(t, y) without a graph, and what the field captures.
struct FieldProbe {
  State value;
  Captures captures;
};
/// Evaluates the field once with a graph and walks that graph to where it was made before this
/// call. What a field reads in later evaluations only is not found; see VectorField.
FieldProbe probe_field(VectorField& field, const Scalar& t, const State& y);

/// Gradients at copies of inputs and at captured places; undefined where none flows.
struct Pulled {
  std::vector<Tensor> inputs;
  std::vector<Tensor> captures;
};

/// Gradients of `roots`, weighted by `gradients`, at `inputs` (leaves of the graph) and at captured
/// places. Roots without gradient are passed over.
Pulled pull_back(const std::vector<Tensor>& roots,
                 const std::vector<Tensor>& gradients,
                 const std::vector<Tensor>& inputs,
                 const Captures& captures);

/// The backward pass of attach(): gradients at detached copies of the inputs from those at the
/// outputs, of which some may be undefined. Called without a graph being recorded.
using Pullback =
    std::function<Pulled(const std::vector<Tensor>& inputs, const std::vector<Tensor>& gradients)>;

/// Gives `outputs`, which were computed without a graph from `inputs` and `captures`, the gradient
/// that `pullback` computes. Whatever it refers to must be kept alive by it. Nothing happens where
/// no graph is being recorded. Second derivatives throw NumericError.
void attach(std::vector<Tensor>& outputs,
            const std::vector<Tensor>& inputs,
            const Captures& captures,
            Pullback pullback);

using Recomputation = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

/// The pullback that computes the outputs again, with a graph, and goes through it. `again` must
/// return the tensors of the forward pass in the same order.
Pullback recomputing(Captures captures, Recomputation again);

}  // namespace unmask::ode
