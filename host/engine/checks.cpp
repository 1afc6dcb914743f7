#include "engine/checks.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>

#include <torch/types.h>

namespace unmask::engine {
namespace {

constexpr int kPasses = 5;              // as AutoAttack does
constexpr std::int64_t kAlone = 8;      // samples that are passed alone
constexpr double kDistribution = 1e-5;  // allowance of a row that is a distribution
constexpr double kRandom = 1e-4;        // spread of answers above which a network is random
constexpr double kCoupled = 1e-4;       // dependence above which it couples its batches
// Noise of single passes is held against the largest noise of repeated ones. Of n draws of the same
// noise a further one exceeds the largest with probability 1 / (n + 1); three times the largest it
// exceeds practically never, whatever the noise looks like short of rare jumps.
constexpr double kNoiseRoom = 3;

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

bool is_one_hot(const Tensor& z) {
  return z.eq(0).logical_or(z.eq(1)).all().item<bool>();
}

// [count, K]: the answers for the first samples, each passed alone.
Tensor answers_alone(Target& target, const Tensor& batch, std::int64_t count) {
  std::vector<Tensor> answers;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor row = at::full({1}, i, batch.options().dtype(at::kLong));
    answers.push_back(target.logits(batch.narrow(0, i, 1), row).to(at::kDouble));
  }
  return at::cat(answers);
}

// How far the answers alone are from those in the batch, relative to the largest logit; 0 where
// repeated passes of the same batch differ as much.
double dependence(const std::vector<Tensor>& together, const Tensor& alone) {
  const std::int64_t count = alone.size(0);
  const Tensor first = together.front().narrow(0, 0, count);
  double noise = 0;
  for (std::size_t i = 0; i < together.size(); ++i) {
    for (std::size_t j = i + 1; j < together.size(); ++j) {
      noise = std::max(noise,
                       largest(together[i].narrow(0, 0, count) - together[j].narrow(0, 0, count)));
    }
  }
  const double difference = largest(alone - first);
  if (difference <= kNoiseRoom * noise) return 0;
  return difference / std::max(largest(first), std::numeric_limits<double>::min());
}

}  // namespace

AnswerCheck check_answers(Target& target, const Tensor& batch) {
  const std::int64_t count = std::min(kAlone, batch.size(0));
  AnswerCheck result;
  std::string reason;
  std::vector<Tensor> answers;
  Tensor alone;
  try {
    for (int pass = 0; pass < kPasses; ++pass) {
      answers.push_back(target.logits(batch).to(at::kDouble));
    }
    alone = answers_alone(target, batch, count);
  } catch (const c10::Error& error) {
    reason = error.what_without_backtrace();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  const double nan = std::nan("");
  const auto add = [&](const char* name, bool is_measured, auto measure, std::int64_t n) {
    result.metrics.push_back({std::string("check.") + name,
                              is_measured ? measure() : nan,
                              n,
                              is_measured ? std::string() : reason});
  };
  const bool is_repeated = answers.size() == kPasses;
  if (is_repeated) result.is_deterministic = spread(answers) <= kRandom;
  result.is_batch_coupled =
      result.is_deterministic && alone.defined() && dependence(answers, alone) > kCoupled;
  add(
      "randomised", is_repeated, [&] { return spread(answers); }, batch.size(0));
  add(
      "softmax_output",
      is_repeated,
      [&] { return is_distribution(answers.front()) ? 1.0 : 0.0; },
      batch.size(0));
  add(
      "one_hot_output",
      is_repeated,
      [&] { return is_distribution(answers.front()) && is_one_hot(answers.front()) ? 1.0 : 0.0; },
      batch.size(0));
  add(
      "batch_dependence", alone.defined(), [&] { return dependence(answers, alone); }, count);
  return result;
}

void add_gradients(const GradientCheck& batch,
                   const Tensor& is_attacked,
                   std::array<std::int64_t, 3>& sums) {
  const Tensor asked = batch.asked().logical_and(is_attacked);
  const auto count = [&](const Tensor& rows) {
    return rows.logical_and(asked).sum().item<std::int64_t>();
  };
  sums[0] += count(asked);
  sums[1] += count(batch.first_was_zero());
  sums[2] += count(batch.not_finite());
}

void add_notes(const std::vector<AttackNote>& notes,
               const std::vector<std::int64_t>& samples,
               wire::CellResult& result) {
  for (const AttackNote& note : notes) {
    const Tensor values = note.values.to(at::kCPU, at::kDouble).contiguous();
    TORCH_CHECK(values.numel() == static_cast<std::int64_t>(samples.size()),
                "the attack's note ",
                note.name,
                " must have one value per sample, got ",
                note.values.sizes());
    for (std::size_t i = 0; i < samples.size(); ++i) {
      result.sample_metrics.push_back({samples[i], note.name, values.data_ptr<double>()[i]});
    }
  }
}

}  // namespace unmask::engine
