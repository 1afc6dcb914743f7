#pragma once
// The radius of a ball, as objectives and probes declare it among their own parameters.

#include <sstream>

#include "unmask/errors.hpp"
#include "unmask/params.hpp"
#include "unmask/threat.hpp"

namespace unmask::kit {

/// The parameter `epsilon`, a radius in the norm.
/// @throws ParamError above 1 in linf: no pixel of [0, 1] has so far to go, and 8 is meant as 8/255
inline double radius_of(const Params& params, Norm norm) {
  const double epsilon = params.get_real("epsilon");
  if (epsilon > 1 && norm == Norm::kLinf) {
    std::ostringstream text;
    text << "parameter \"epsilon\" = " << epsilon
         << " is larger than the range of pixels, [0, 1], in the norm linf; write \"8/255\" for 8 "
            "of 255 steps";
    throw ParamError(text.str());
  }
  return epsilon;
}

}  // namespace unmask::kit
