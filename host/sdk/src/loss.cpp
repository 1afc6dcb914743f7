#include "unmask/loss.hpp"

#include <limits>
#include <string>

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {
namespace {

// Keeps the quotient defined when the first three or four logits are equal; as in [CH20a].
constexpr double kDlrOffset = 1e-12;

Tensor of_class(const Tensor& values, const Tensor& classes) {
  return values.gather(1, classes.unsqueeze(1)).squeeze(1);
}

Tensor margin(const Tensor& logits, const Tensor& labels) {
  const Tensor others =
      logits.scatter(1, labels.unsqueeze(1), -std::numeric_limits<double>::infinity()).amax(1);
  return others - of_class(logits, labels);
}

void require_classes(const Tensor& logits, std::int64_t count, const char* loss) {
  if (logits.size(1) >= count) return;
  throw ParamError(std::string("the loss ") + loss + " needs at least " + std::to_string(count) +
                   " classes, the model has " + std::to_string(logits.size(1)) +
                   "; use the loss margin");
}

}  // namespace

bool is_targeted(Loss loss) {
  return loss == Loss::kTargetedCrossEntropy || loss == Loss::kTargetedMargin ||
         loss == Loss::kTargetedDlr || loss == Loss::kTargetedProbabilityMargin;
}

Tensor per_sample_loss(const Tensor& logits, const Tensor& labels, Loss loss) {
  return per_sample_loss(logits, labels, Tensor(), loss);
}

Tensor per_sample_loss(const Tensor& logits,
                       const Tensor& labels,
                       const Tensor& targets,
                       Loss loss) {
  if (is_targeted(loss) && !targets.defined()) {
    throw ParamError("a targeted loss was asked for without target classes");
  }
  switch (loss) {
    case Loss::kCrossEntropy: return -of_class(at::log_softmax(logits, 1), labels);
    case Loss::kMargin: return margin(logits, labels);
    case Loss::kDlr: {
      require_classes(logits, 3, "dlr");
      const Tensor top = std::get<0>(logits.topk(3, 1));
      return margin(logits, labels) / (top.select(1, 0) - top.select(1, 2) + kDlrOffset);
    }
    case Loss::kProbabilityMargin: return margin(at::softmax(logits, 1), labels);
    case Loss::kTargetedCrossEntropy: return of_class(at::log_softmax(logits, 1), targets);
    case Loss::kTargetedMargin: return of_class(logits, targets) - of_class(logits, labels);
    case Loss::kTargetedDlr: {
      require_classes(logits, 4, "targeted dlr");
      const Tensor top = std::get<0>(logits.topk(4, 1));
      const Tensor spread = top.select(1, 0) - (top.select(1, 2) + top.select(1, 3)) / 2;
      return (of_class(logits, targets) - of_class(logits, labels)) / (spread + kDlrOffset);
    }
    case Loss::kTargetedProbabilityMargin: {
      const Tensor p = at::softmax(logits, 1);
      return of_class(p, targets) - of_class(p, labels);
    }
  }
  throw InternalError("a loss that does not exist");
}

}  // namespace v1
}  // namespace unmask
