#include "ode/counted_field.hpp"

#include <sstream>

#include <torch/types.h>

#include "base/counted.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {

State CountedField::evaluate(const Scalar& t, const State& y) {
  ++statistics_.nfe;
  State dy = field_.evaluate(t, y);
  if (dy.size() != y.size()) {
    throw NumericError("the vector field returned " + base::counted(dy.size(), "tensor") +
                       " for a state of " + std::to_string(y.size()) +
                       "; it must return one derivative per component");
  }
  for (std::size_t i = 0; i < y.size(); ++i) {
    const bool fits = dy[i].defined() && dy[i].sizes() == y[i].sizes() &&
                      dy[i].scalar_type() == y[i].scalar_type() && dy[i].device() == y[i].device();
    if (fits) continue;
    std::ostringstream text;
    text << "the vector field returned ";
    if (dy[i].defined()) {
      text << dy[i].scalar_type() << " " << dy[i].sizes() << " on " << dy[i].device();
    } else {
      text << "an undefined tensor";
    }
    text << " for component " << i << ", which is " << y[i].scalar_type() << " " << y[i].sizes()
         << " on " << y[i].device() << "; shape, dtype and device must be equal";
    throw NumericError(text.str());
  }
  return dy;
}

}  // namespace unmask::ode
