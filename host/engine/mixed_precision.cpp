#include "engine/mixed_precision.hpp"

#include <ATen/autocast_mode.h>
#include <torch/types.h>
#include <torch/version.h>

namespace unmask::engine {
namespace {

namespace autocast = at::autocast;

// From LibTorch 2.4 on the functions name the device; the old ones are gone later.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
bool is_enabled() {
  return autocast::is_autocast_enabled(at::kCUDA);
}
void set_enabled(bool enabled) {
  autocast::set_autocast_enabled(at::kCUDA, enabled);
}
at::ScalarType dtype() {
  return autocast::get_autocast_dtype(at::kCUDA);
}
void set_dtype(at::ScalarType dtype) {
  autocast::set_autocast_dtype(at::kCUDA, dtype);
}
#else
bool is_enabled() {
  return autocast::is_enabled();
}
void set_enabled(bool enabled) {
  autocast::set_enabled(enabled);
}
at::ScalarType dtype() {
  return autocast::get_autocast_gpu_dtype();
}
void set_dtype(at::ScalarType dtype) {
  autocast::set_autocast_gpu_dtype(dtype);
}
#endif

State in_float32(State state) {
  for (Tensor& y : state) {
    if (y.scalar_type() == at::kBFloat16 || y.scalar_type() == at::kHalf) y = y.to(at::kFloat);
  }
  return state;
}

class FullPrecisionField final : public VectorField {
 public:
  explicit FullPrecisionField(std::shared_ptr<VectorField> field) : field_(std::move(field)) {}
  State evaluate(const Scalar& t, const State& y) override {
    return in_float32(field_->evaluate(t, y));
  }
  bool is_autonomous() const override { return field_->is_autonomous(); }

 private:
  std::shared_ptr<VectorField> field_;
};

}  // namespace

Autocast::Autocast(bool is_on) : is_on_(is_on) {
  if (!is_on_) return;
  was_on_ = is_enabled();
  old_dtype_ = dtype();
  set_dtype(at::kBFloat16);
  set_enabled(true);
  autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!is_on_) return;
  // Copies of weights in bfloat16 are kept until the outermost region ends.
  if (autocast::decrement_nesting() == 0) autocast::clear_cache();
  set_enabled(was_on_);
  set_dtype(old_dtype_);
}

State FullPrecisionStates::integrate(std::string_view name,
                                     const std::shared_ptr<VectorField>& field,
                                     const State& y0,
                                     double t0,
                                     double t1) {
  return solver_.integrate(
      name, std::make_shared<FullPrecisionField>(field), in_float32(y0), t0, t1);
}

}  // namespace unmask::engine
