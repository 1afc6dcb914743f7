#include "engine/threat_check.hpp"

#include <torch/types.h>

namespace unmask::engine {

const char* name_of(Norm norm) {
  if (norm == Norm::kL1) return "l1";
  return norm == Norm::kL2 ? "l2" : "linf";
}

Tensor within_threat(const Tensor& x_adv, const Tensor& x, const Threat& threat) {
  const Tensor flat = x_adv.flatten(1);
  const Tensor in_box = flat.amin(1).ge(threat.lower).logical_and(flat.amax(1).le(threat.upper));
  const Tensor in_ball = distance(x_adv.to(at::kDouble), x.to(at::kDouble), threat.norm)
                             .le(threat.epsilon * (1 + 1e-6) + 1e-7);
  return flat.isfinite().all(1).logical_and(in_box).logical_and(in_ball);
}

void expect_same_kind(const Tensor& candidate, const Tensor& batch) {
  TORCH_CHECK(candidate.sizes() == batch.sizes() && candidate.scalar_type() == batch.scalar_type(),
              "the attack returned ",
              candidate.sizes(),
              " ",
              candidate.scalar_type(),
              " for a batch ",
              batch.sizes(),
              " ",
              batch.scalar_type());
}

}  // namespace unmask::engine
