#include "engine/averaging.hpp"

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask::engine {

WeightAverage::WeightAverage(const TrainingOptions& options, std::vector<NamedTensor> tensors)
    : kind_(options.averaging),
      decay_(options.averaging_decay),
      start_(options.averaging_start),
      tensors_(std::move(tensors)) {}

void WeightAverage::begin() {
  average_.clear();
  for (const NamedTensor& item : tensors_) average_.push_back(item.tensor.detach().clone());
  count_ = 1;
}

void WeightAverage::after_step(std::int64_t epoch) {
  if (kind_ != AveragingKind::kEma || epoch < start_) return;
  const at::NoGradGuard no_grad;
  if (!has_value()) return begin();
  for (std::size_t i = 0; i < average_.size(); ++i) {
    if (average_[i].is_floating_point()) {
      average_[i].mul_(decay_).add_(tensors_[i].tensor, 1 - decay_);
    } else {
      average_[i].copy_(tensors_[i].tensor);
    }
  }
  ++count_;
}

void WeightAverage::after_epoch(std::int64_t epoch) {
  if (kind_ != AveragingKind::kSwa || epoch < start_) return;
  const at::NoGradGuard no_grad;
  if (!has_value()) return begin();
  ++count_;
  for (std::size_t i = 0; i < average_.size(); ++i) {
    if (average_[i].is_floating_point()) {
      average_[i].add_(tensors_[i].tensor - average_[i], 1.0 / static_cast<double>(count_));
    } else {
      average_[i].copy_(tensors_[i].tensor);
    }
  }
}

void WeightAverage::restore(std::int64_t count, std::vector<Tensor> values) {
  UNMASK_CHECK(
      (count > 0) == !values.empty() && (values.empty() || values.size() == tensors_.size()),
      "an average has one tensor for each of the network's");
  count_ = count;
  average_ = std::move(values);
}

}  // namespace unmask::engine
