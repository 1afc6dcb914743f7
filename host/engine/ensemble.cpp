#include "engine/ensemble.hpp"

#include <limits>

#include <torch/types.h>

#include "engine/threat_check.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

const char* norm_text(Norm norm) {
  if (norm == Norm::kL1) return "l1";
  return norm == Norm::kL2 ? "l2" : "linf";
}

// Shaped so that it multiplies or selects the rows of `like`.
Tensor per_row(const Tensor& values, const Tensor& like) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = values.size(0);
  return values.view(shape);
}

// Some rows of a batch as a target of their own: what a member calls its rows are these.
class SubsetTarget final : public Target {
 public:
  /// @param count  rows of the whole batch
  SubsetTarget(Target& target, Tensor rows, std::int64_t count)
      : target_(target), rows_(std::move(rows)), is_whole_(rows_.size(0) == count) {}

  std::int64_t num_classes() const override { return target_.num_classes(); }
  bool is_batch_independent() const override { return target_.is_batch_independent(); }

 private:
  Tensor do_logits(const Tensor& x, const Tensor& rows) override {
    return target_.logits(x, outer(x, rows));
  }

  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor& rows) override {
    return target_.loss_and_gradient(x, loss, outer(x, rows));
  }

  Tensor outer(const Tensor& x, const Tensor& rows) const {
    if (is_whole_) return rows;
    if (rows.defined()) return rows_.index_select(0, rows.to(rows_.device()));
    TORCH_CHECK(x.size(0) == rows_.size(0),
                "a part of the batch was passed to the target without its rows");
    return rows_;
  }

  Target& target_;
  Tensor rows_;
  bool is_whole_;
};

// Random numbers of a member for some of the rows. A stream names its samples once and for all, so
// the samples are named anew, by a number that each draws from the ensemble's stream of the member:
// it depends on the cell's seed, the member and the sample, and not on which rows are left.
SampleRandom random_for(SampleRandom stream, const std::vector<std::int64_t>& rows) {
  const Tensor like = at::empty({stream.rows(), 1}, at::TensorOptions().dtype(at::kDouble));
  const Tensor drawn = stream.uniform(like, 0.0, 0x1.0p53).to(at::kLong).contiguous();
  std::vector<std::int64_t> ids;
  ids.reserve(rows.size());
  for (const std::int64_t row : rows) ids.push_back(drawn.data_ptr<std::int64_t>()[row]);
  return {derive_seed(0, "ensemble"), std::move(ids)};
}

std::vector<std::int64_t> to_vector(const Tensor& rows) {
  const Tensor on_cpu = rows.to(at::kCPU, at::kLong).contiguous();
  return {on_cpu.data_ptr<std::int64_t>(), on_cpu.data_ptr<std::int64_t>() + on_cpu.numel()};
}

// The best point of every row so far.
struct Best {
  explicit Best(const Tensor& x)
      : points(x.clone()),
        margins(at::full({x.size(0)},
                         -std::numeric_limits<double>::infinity(),
                         x.options().dtype(at::kDouble))) {}

  void offer(const Tensor& rows, const Tensor& offered, const Tensor& margin) {
    const Tensor before = margins.index_select(0, rows);
    const Tensor better = margin > before;
    margins.index_copy_(0, rows, at::where(better, margin, before));
    points.index_copy_(
        0, rows, at::where(per_row(better, offered), offered, points.index_select(0, rows)));
  }

  Tensor points;
  Tensor margins;
};

// All rows of the member that fools most of them.
struct BestBatch {
  std::int64_t fooled = -1;
  Tensor points;
};

std::int64_t count(const Tensor& values) {
  return values.sum().item<std::int64_t>();
}

}  // namespace

Ensemble::Ensemble(std::vector<Member> members) : members_(std::move(members)) {
  UNMASK_CHECK(!members_.empty(), "an ensemble needs a member");
  const Member& first = members_.front();
  for (const Member& member : members_) {
    if (member.attack->norm() == first.attack->norm()) continue;
    throw ParamError("the members of an ensemble must work in one norm: \"" + first.name +
                     "\" works in " + norm_text(first.attack->norm()) + ", \"" + member.name +
                     "\" in " + norm_text(member.attack->norm()));
  }
}

Tensor Ensemble::perturb(Target& target,
                         const Tensor& x,
                         const Tensor& y,
                         const Threat& threat,
                         AttackContext& context) {
  if (x.size(0) == 0) return x.clone();
  const bool can_drop = target.is_batch_independent();
  Best best(x);
  BestBatch best_batch;
  Tensor is_fooled = at::zeros({x.size(0)}, y.options().dtype(at::kBool));
  Tensor rows = at::arange(x.size(0), y.options().dtype(at::kLong));
  for (const Member& member : members_) {
    Tensor first_here = at::zeros_like(is_fooled);
    if (rows.size(0) > 0) {
      const Tensor part = x.index_select(0, rows);
      const Tensor labels = y.index_select(0, rows);
      SubsetTarget own_target(target, rows, x.size(0));
      AttackContext own{random_for(context.random.stream(member.name), to_vector(rows))};
      const Tensor result = member.attack->perturb(own_target, part, labels, threat, own).detach();
      expect_same_kind(result, part);
      const Tensor points =
          at::where(per_row(within_threat(result, part, threat), part), result, part);
      const Tensor margins =
          per_sample_loss(own_target.logits(points), labels, Loss::kMargin).to(at::kDouble);
      best.offer(rows, points, margins);
      first_here.index_copy_(0, rows, margins > 0);
      if (!can_drop && count(margins > 0) > best_batch.fooled) {
        best_batch = {count(margins > 0), points};
      }
      for (const AttackNote& note : own.notes) {
        TORCH_CHECK(note.values.dim() == 1 && note.values.size(0) == part.size(0),
                    "the note ",
                    note.name,
                    " of the member ",
                    member.name,
                    " must have one value per sample, got ",
                    note.values.sizes());
        const Tensor values = at::full(
            {x.size(0)}, std::numeric_limits<double>::quiet_NaN(), x.options().dtype(at::kDouble));
        values.index_copy_(0, rows, note.values.to(values.device(), at::kDouble));
        context.notes.push_back({member.name + "." + note.name, values});
      }
      first_here = first_here.logical_and(is_fooled.logical_not());
      is_fooled = is_fooled.logical_or(first_here);
      if (can_drop) rows = at::nonzero(is_fooled.logical_not()).squeeze(1);
    }
    context.notes.push_back({"fooled_first_by." + member.name, first_here.to(at::kDouble)});
  }
  if (can_drop || members_.size() == 1) return best.points;
  const Tensor together = per_sample_loss(target.logits(best.points), y, Loss::kMargin) > 0;
  return count(together) >= best_batch.fooled ? best.points : best_batch.points;
}

}  // namespace unmask::engine
