// Key functions of the public interfaces: one type identity per class in the whole process.

#include "unmask/attack.hpp"
#include "unmask/dataset.hpp"
#include "unmask/model.hpp"
#include "unmask/objective.hpp"
#include "unmask/probe.hpp"
#include "unmask/solver.hpp"
#include "unmask/vector_field.hpp"

namespace unmask {
inline namespace v1 {

VectorField::~VectorField() = default;
OdeContext::~OdeContext() = default;
Model::~Model() = default;
Dataset::~Dataset() = default;
Target::~Target() = default;
Attack::~Attack() = default;
TrainingStep::~TrainingStep() = default;
Objective::~Objective() = default;
Probe::~Probe() = default;
Method::~Method() = default;

}  // namespace v1
}  // namespace unmask
