#pragma once
// Settings of the implicit methods, and their declarations.

#include <optional>
#include <vector>

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask::kit {

enum class JacobianProduct {
  kAutograd,    ///< exact; the field's backward pass must be differentiable
  kDifference,  ///< one evaluation each, for any field; in float32 too coarse for stiff problems
};

struct NewtonSettings {
  std::optional<double> tolerance;  ///< nullopt: 1e-10 in float64, 1e-6 in float32
  int max_newton = 20;
  int krylov_dimension = 30;
  double linear_tolerance = 1e-4;
  JacobianProduct jacobian = JacobianProduct::kAutograd;

  double tolerance_for(const Tensor& like) const {
    return tolerance.value_or(like.scalar_type() == at::kDouble ? 1e-10 : 1e-6);
  }
};

/// The declarations of NewtonSettings, and their values.
inline std::vector<ParamSpec> newton_params() {
  return {real("newton_tolerance",
               "relative error of a stage; left out: 1e-10 in float64, 1e-6 in float32")
              .optional()
              .above(0)
              .below(1),
          integer("max_newton", "most Newton iterations per stage").by_default(20).at_least(1),
          integer("krylov_dimension", "most Krylov vectors per Newton iteration")
              .by_default(30)
              .at_least(1)
              .at_most(1000),
          real("linear_tolerance", "residual at which a linear system counts as solved, relative")
              .by_default(1e-4)
              .above(0)
              .below(1),
          choice("jacobian",
                 {"autograd", "difference"},
                 "products with the Jacobian: exact, or by difference quotients of the field")
              .by_default("autograd")};
}

inline NewtonSettings newton_settings(const Params& p) {
  NewtonSettings settings;
  if (p.has("newton_tolerance")) settings.tolerance = p.get_real("newton_tolerance");
  settings.max_newton = static_cast<int>(p.get_integer("max_newton"));
  settings.krylov_dimension = static_cast<int>(p.get_integer("krylov_dimension"));
  settings.linear_tolerance = p.get_real("linear_tolerance");
  settings.jacobian = p.get_text("jacobian") == "difference" ? JacobianProduct::kDifference
                                                             : JacobianProduct::kAutograd;
  return settings;
}

}  // namespace unmask::kit
