#include "engine/checks.hpp"

#include <algorithm>
#include <cmath>

#include <torch/types.h>

namespace unmask::engine {
namespace {

constexpr int kPasses = 5;              // as AutoAttack does
constexpr std::int64_t kAlone = 8;      // samples that are passed alone
constexpr double kDistribution = 1e-5;  // allowance of a row that is a distribution

double largest(const Tensor& values) {
  return values.numel() == 0 ? 0 : values.abs().amax().item<double>();
}

// The largest distance between two answers for one sample, each scaled to length 1.
double spread(const std::vector<Tensor>& answers) {
  std::vector<Tensor> scaled;
  for (const Tensor& z : answers) {
    scaled.push_back(z / (z.norm(2, {1}, /*keepdim=*/true) + 1e-10));
  }
  double result = 0;
  for (std::size_t i = 0; i < scaled.size(); ++i) {
    for (std::size_t j = i + 1; j < scaled.size(); ++j) {
      result = std::max(result, largest((scaled[i] - scaled[j]).norm(2, {1})));
    }
  }
  return result;
}

bool is_distribution(const Tensor& z) {
  return z.min().item<double>() > -kDistribution && z.max().item<double>() < 1 + kDistribution &&
         largest(z.sum(1) - 1) < kDistribution;
}

}  // namespace

void check_answers(Target& target, const Tensor& batch, wire::CellResult& result) {
  std::vector<Tensor> answers;
  for (int pass = 0; pass < kPasses; ++pass) {
    answers.push_back(target.logits(batch).to(at::kDouble));
  }
  const Tensor& together = answers.front();
  const std::int64_t count = std::min(kAlone, batch.size(0));
  double dependence = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor row = at::full({1}, i, batch.options().dtype(at::kLong));
    const Tensor alone = target.logits(batch.narrow(0, i, 1), row).to(at::kDouble);
    dependence = std::max(dependence, largest(alone - together.narrow(0, i, 1)));
  }
  result.metrics.push_back({"check.randomised", spread(answers), batch.size(0)});
  result.metrics.push_back(
      {"check.softmax_output", is_distribution(together) ? 1.0 : 0.0, batch.size(0)});
  result.metrics.push_back({"check.batch_dependence", dependence, count});
}

void GradientShares::add(const GradientCheck& batch, const Tensor& is_attacked) {
  const Tensor asked = batch.asked().logical_and(is_attacked);
  const auto count = [&](const Tensor& rows) {
    return rows.logical_and(asked).sum().item<std::int64_t>();
  };
  asked_ += count(asked);
  zero_ += count(batch.first_was_zero());
  not_finite_ += count(batch.not_finite());
}

void GradientShares::finish(wire::CellResult& result) const {
  const auto share = [&](std::int64_t count) {
    return asked_ == 0 ? std::nan("") : static_cast<double>(count) / static_cast<double>(asked_);
  };
  result.metrics.push_back({"check.zero_gradient", share(zero_), asked_});
  result.metrics.push_back({"check.gradient_not_finite", share(not_finite_), asked_});
}

void NoteBook::add(const std::vector<AttackNote>& notes,
                   const std::vector<std::int64_t>& samples,
                   const std::vector<bool>& is_attacked,
                   wire::CellResult& result) {
  for (const AttackNote& note : notes) {
    const Tensor values = note.values.to(at::kCPU, at::kDouble).contiguous();
    TORCH_CHECK(values.numel() == static_cast<std::int64_t>(samples.size()),
                "the attack's note ",
                note.name,
                " must have one value per sample, got ",
                note.values.sizes());
    auto sum = std::find_if(
        sums_.begin(), sums_.end(), [&](const Sum& known) { return known.name == note.name; });
    if (sum == sums_.end()) sum = sums_.insert(sums_.end(), {note.name, 0, 0});
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const double value = values.data_ptr<double>()[i];
      result.sample_metrics.push_back({samples[i], note.name, value});
      if (!is_attacked[i] || !std::isfinite(value)) continue;
      sum->sum += value;
      ++sum->count;
    }
  }
}

void NoteBook::finish(wire::CellResult& result) const {
  for (const Sum& note : sums_) {
    const double mean = note.count == 0 ? std::nan("") : note.sum / static_cast<double>(note.count);
    result.metrics.push_back({note.name + ".mean", mean, note.count});
  }
}

}  // namespace unmask::engine
