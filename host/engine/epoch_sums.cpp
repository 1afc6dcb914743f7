#include "engine/epoch_sums.hpp"

#include <torch/types.h>

namespace unmask::engine {
namespace {

template <class Number>
Tensor number_on(const std::string& device, at::ScalarType dtype, Number value) {
  return at::full({}, value, at::TensorOptions().dtype(dtype).device(torch::Device(device)));
}

}  // namespace

EpochSums::EpochSums(const std::string& device, double loss, std::int64_t correct)
    : loss_(number_on(device, at::kDouble, loss)),
      correct_(number_on(device, at::kLong, correct)),
      bad_step_(number_on(device, at::kLong, -1)) {}

void EpochSums::add(const Tensor& loss, const Tensor& logits, const Tensor& y, std::int64_t step) {
  const at::NoGradGuard no_grad;
  const Tensor value = loss.detach().to(at::kDouble);
  loss_ = loss_ + value * y.size(0);
  correct_ = correct_ + logits.narrow(0, 0, y.size(0)).argmax(1).eq(y).sum();
  const Tensor is_first = value.isfinite().logical_not().logical_and(bad_step_.lt(0));
  bad_step_ = at::where(is_first, at::full_like(bad_step_, step), bad_step_);
}

double EpochSums::loss() const {
  return loss_.item<double>();
}

std::int64_t EpochSums::correct() const {
  return correct_.item<std::int64_t>();
}

std::int64_t EpochSums::bad_step() const {
  return bad_step_.item<std::int64_t>();
}

}  // namespace unmask::engine
