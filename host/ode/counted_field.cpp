#include "ode/counted_field.hpp"

#include <torch/types.h>

#include "ode/contract.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {

State CountedField::evaluate(const Scalar& t, const State& y) {
  ++statistics_.nfe;
  const Versions before(y);
  State dy = field_.evaluate(t, y);
  expect_like(dy, y, "the vector field returned");
  if (!before.are_those_of(y)) {
    throw PluginError(
        "the vector field changed the state that it was given, in place; use an operation that "
        "returns a new tensor (relu, not relu_)");
  }
  return dy;
}

}  // namespace unmask::ode
