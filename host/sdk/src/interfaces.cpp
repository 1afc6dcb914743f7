// Key functions of the public interfaces: one type identity per class in the whole process.

#include <torch/types.h>

#include "unmask/attack.hpp"
#include "unmask/dataset.hpp"
#include "unmask/errors.hpp"
#include "unmask/model.hpp"
#include "unmask/objective.hpp"
#include "unmask/probe.hpp"
#include "unmask/solver.hpp"
#include "unmask/target.hpp"
#include "unmask/vector_field.hpp"

namespace unmask {
inline namespace v1 {

VectorField::~VectorField() = default;
OdeContext::~OdeContext() = default;
Model::~Model() = default;
Dataset::~Dataset() = default;
Target::~Target() = default;
SolverSteps::~SolverSteps() = default;
Attack::~Attack() = default;
TrainingStep::~TrainingStep() = default;
Objective::~Objective() = default;
Probe::~Probe() = default;
Method::~Method() = default;

State Method::midpoint(const StepInput&, const State&, const StepOutput&) {
  throw InternalError("this method gives no midpoint; its traits say so");
}

Tensor broadcast(const Scalar& t, const Tensor& like) {
  if (t.is_constant()) return at::full({}, t.value, like.options().requires_grad(false));
  if (!t.is_per_sample()) return t.tensor.to(like.options().requires_grad(false));
  TORCH_CHECK(t.tensor.size(0) == like.size(0),
              "broadcast: ",
              t.tensor.size(0),
              " times for a batch of ",
              like.size(0));
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = t.tensor.size(0);
  return t.tensor.to(like.options().requires_grad(false)).view(shape);
}

}  // namespace v1
}  // namespace unmask
