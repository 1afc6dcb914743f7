#pragma once
// An OdeContext that needs no driver: two Euler steps per solve, with a list of the solves' names.
// The tests of an architecture need no more. With one step, half of a coupled field would not
// matter.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <torch/types.h>

#include "unmask/vector_field.hpp"

namespace unmask::test {

class RecordingContext final : public OdeContext {
 public:
  State integrate(std::string_view name,
                  const std::shared_ptr<VectorField>& field,
                  const State& y0,
                  double t0,
                  double t1) override {
    names.emplace_back(name);
    State y = y0;
    for (int step = 0; step < 2; ++step) {
      const State slope = field->evaluate(Scalar{.value = t0 + shift, .tensor = {}}, y);
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = y[i] + slope[i] * ((t1 - t0) / 2);
    }
    return y;
  }

  std::vector<std::string> names;
  double shift = 0;  ///< of the time that fields see
};

}  // namespace unmask::test
