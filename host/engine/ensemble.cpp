#include "engine/ensemble.hpp"

#include <limits>

#include <torch/types.h>

#include "engine/host_values.hpp"
#include "engine/threat_check.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

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
  bool is_deterministic() const override { return target_.is_deterministic(); }
  bool is_stand_in() const override { return target_.is_stand_in(); }

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

// Answers of a random network by whose mean a member's points are judged: one answer each would keep
// the luckiest member.
constexpr int kMemberDraws = 10;

// Mean margins, float64.
Tensor member_margins(Target& target, const Tensor& points, const Tensor& labels) {
  const int draws = target.is_deterministic() ? 1 : kMemberDraws;
  Tensor sum = at::zeros({points.size(0)}, points.options().dtype(at::kDouble));
  for (int i = 0; i < draws; ++i) {
    sum += per_sample_loss(target.logits(points), labels, Loss::kMargin).to(at::kDouble);
  }
  return sum / draws;
}

// The members' turns on one batch.
class Turns {
 public:
  Turns(Target& target,
        const Tensor& x,
        const Tensor& y,
        const Threat& threat,
        AttackContext& context)
      : target_(target),
        x_(x),
        y_(y),
        threat_(threat),
        context_(context),
        can_drop_(target.is_batch_independent()),
        rows_(at::arange(x.size(0), y.options().dtype(at::kLong))),
        is_fooled_(at::zeros({x.size(0)}, y.options().dtype(at::kBool))),
        best_(x) {}

  void take(const Ensemble::Member& member) {
    Tensor first_here = at::zeros_like(is_fooled_);
    if (rows_.size(0) > 0) {
      const Tensor fooled_now = attack(member);
      first_here = fooled_now.logical_and(is_fooled_.logical_not());
      is_fooled_ = is_fooled_.logical_or(fooled_now);
      if (can_drop_) rows_ = at::nonzero(is_fooled_.logical_not()).squeeze(1);
    }
    context_.notes.push_back({"fooled_first_by." + member.name, first_here.to(at::kDouble)});
  }

  Tensor result(bool is_alone) {
    if (can_drop_ || is_alone) return best_.points;
    const Tensor together = per_sample_loss(target_.logits(best_.points), y_, Loss::kMargin) > 0;
    return count(together) >= best_batch_.fooled ? best_.points : best_batch_.points;
  }

 private:
  // bool [B]: which samples fall to this member now.
  Tensor attack(const Ensemble::Member& member) {
    const Tensor part = x_.index_select(0, rows_);
    const Tensor labels = y_.index_select(0, rows_);
    SubsetTarget own_target(target_, rows_, x_.size(0));
    AttackContext own{random_for(context_.random.stream(member.name), to_vector(rows_))};
    const Tensor found = member.attack->perturb(own_target, part, labels, threat_, own).detach();
    expect_same_kind(found, part);
    const Tensor points =
        at::where(per_row(within_threat(found, part, threat_), part), found, part);
    const Tensor margins = member_margins(own_target, points, labels);
    best_.offer(rows_, points, margins);
    if (!can_drop_ && count(margins > 0) > best_batch_.fooled) {
      best_batch_ = {count(margins > 0), points};
    }
    for (const AttackNote& note : own.notes) pass_on(member.name, note);
    for (RecordedSeries& curve : own.series) pass_on(member.name, std::move(curve));
    Tensor fooled_now = at::zeros_like(is_fooled_);
    fooled_now.index_copy_(0, rows_, margins > 0);
    return fooled_now;
  }

  void pass_on(const std::string& member, const AttackNote& note) {
    TORCH_CHECK(note.values.dim() == 1 && note.values.size(0) == rows_.size(0),
                "the note ",
                note.name,
                " of the member ",
                member,
                " must have one value per sample, got ",
                note.values.sizes());
    const Tensor values = at::full(
        {x_.size(0)}, std::numeric_limits<double>::quiet_NaN(), x_.options().dtype(at::kDouble));
    values.index_copy_(0, rows_, note.values.to(values.device(), at::kDouble));
    context_.notes.push_back({member + "." + note.name, values});
  }

  // A curve of a row belongs to the row of the whole batch.
  void pass_on(const std::string& member, RecordedSeries curve) {
    curve.name = member + "." + curve.name;
    if (curve.row) curve.row = rows_[*curve.row].item<std::int64_t>();
    context_.series.push_back(std::move(curve));
  }

  Target& target_;
  const Tensor& x_;
  const Tensor& y_;
  const Threat& threat_;
  AttackContext& context_;
  bool can_drop_;
  Tensor rows_;  // that are still worked on
  Tensor is_fooled_;
  Best best_;
  BestBatch best_batch_;
};

}  // namespace

Ensemble::Ensemble(std::vector<Member> members) : members_(std::move(members)) {
  UNMASK_CHECK(!members_.empty(), "an ensemble needs a member");
  const Member& first = members_.front();
  for (const Member& member : members_) {
    if (member.attack->norm() == first.attack->norm()) continue;
    throw ParamError("the members of an ensemble must work in one norm: \"" + first.name +
                     "\" works in " + name_of(first.attack->norm()) + ", \"" + member.name +
                     "\" in " + name_of(member.attack->norm()));
  }
}

Tensor Ensemble::perturb(Target& target,
                         const Tensor& x,
                         const Tensor& y,
                         const Threat& threat,
                         AttackContext& context) {
  if (x.size(0) == 0) return x.clone();
  Turns turns(target, x, y, threat, context);
  for (const Member& member : members_) turns.take(member);
  return turns.result(/*is_alone=*/members_.size() == 1);
}

}  // namespace unmask::engine
