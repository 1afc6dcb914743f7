#pragma once
// Training in bfloat16 where LibTorch's autocast allows it. bfloat16 has the exponents of float32,
// so losses need no scaling.

#include "unmask/vector_field.hpp"

namespace unmask::engine {

/// While it lives, this thread's operations on CUDA tensors run under autocast to bfloat16.
class Autocast {
 public:
  /// @param is_on  false: the object does nothing
  explicit Autocast(bool is_on);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool is_on_;
  bool was_on_ = false;
  at::ScalarType old_dtype_ = at::kHalf;
};

/// Solves ODE blocks in float32, whatever the fields compute in: the state is converted at the
/// start of a solve, every derivative after its evaluation.
class FullPrecisionStates final : public OdeContext {
 public:
  /// @param solver  does the solving; must outlive this object
  explicit FullPrecisionStates(OdeContext& solver) : solver_(solver) {}

  State integrate(std::string_view name,
                  const std::shared_ptr<VectorField>& field,
                  const State& y0,
                  double t0,
                  double t1) override;

  Bpda bpda() const override { return solver_.bpda(); }

 private:
  OdeContext& solver_;
};

}  // namespace unmask::engine
