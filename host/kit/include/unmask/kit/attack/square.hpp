#pragma once
// Square attack [Andriushchenko20]: random search over square windows, judged by the margin alone.
// What `square` and `autoattack` share.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/best_points.hpp"

namespace unmask::kit {

/// Share of the image that a window covers at one query. Halved after 10, 50, 200, 500, 1000, 2000,
/// 4000, 6000 and 8000 of 10000 queries.
inline double square_share(double first, std::int64_t query) {
  double share = first;
  for (const std::int64_t after : {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000}) {
    if (query > after) share /= 2;
  }
  return share;
}

/// Side of the square window that covers `share` of an image, at least 1 and no wider than the
/// image.
inline std::int64_t square_side(double share, std::int64_t height, std::int64_t width) {
  const auto area = static_cast<double>(height * width);
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(share * area)));
  return std::clamp<std::int64_t>(side, 1, std::min(height, width));
}

/// l2, l1: a bump [height, width] of length 1 in the norm: squares around the pixel
/// (height / 2, width / 2), cut by the rectangle; those with k pixels from the middle to the border
/// weigh 1 / k^2 for l2 and 1 / k^4 for l1, which leaves little outside the middle.
inline Tensor square_bump(std::int64_t height,
                          std::int64_t width,
                          Norm norm,
                          const at::TensorOptions& options) {
  const auto from_middle = [&](std::int64_t size) {
    return (at::arange(size, options.dtype(at::kLong)) - size / 2).abs();
  };
  const Tensor rings =
      at::maximum(from_middle(height).view({-1, 1}), from_middle(width).view({1, -1}));
  Tensor result = at::zeros({height, width}, options);
  for (std::int64_t ring = 0; ring <= std::max(height, width) / 2; ++ring) {
    const double weight = std::pow(static_cast<double>(ring + 1), norm == Norm::kL1 ? -4.0 : -2.0);
    result = result + rings.le(ring).to(options.dtype()) * weight;
  }
  return result / result.norm(norm == Norm::kL1 ? 1 : 2);
}

/// l2, l1: two bumps of opposite sign above one another, [side, side], of length 1 in the norm. A
/// side of 1 holds one bump.
inline Tensor square_pattern(std::int64_t side, Norm norm, const at::TensorOptions& options) {
  const std::int64_t half = side / 2;
  if (half == 0) return square_bump(side, side, norm, options);
  const Tensor both = at::cat(
      {square_bump(half, side, norm, options), -square_bump(side - half, side, norm, options)});
  return both / both.norm(norm == Norm::kL1 ? 1 : 2);
}

struct SquareSettings {
  std::int64_t queries = 5000;
  double first_share = 0.8;
  bool rescale = false;  ///< stretch the schedule of 10000 queries to `queries`
};

class SquareSearch {
 public:
  explicit SquareSearch(const SquareSettings& settings) : settings_(settings) {}

  /// One run. Accepted points are entered into `best`; fooled samples leave where they may.
  void run(Target& target,
           ActiveRows& active,
           const Threat& threat,
           SampleRandom& random,
           BestPoints& best) const {
    if (active.empty()) return;
    State s;
    s.may_be_coupled = !active.can_drop() && target.is_deterministic();
    s.point = threat.norm == Norm::kLinf ? stripes(active, threat, random)
                                         : tiles(active, threat, random);
    s.margin = at::full({s.point.size(0)},
                        -std::numeric_limits<double>::infinity(),
                        s.point.options().dtype(at::kDouble));
    s.margin = ask(target, active, s.point, s.margin);
    best.enter(active.rows(), s.point, s.margin);
    for (std::int64_t query = 1; query < settings_.queries && !leave(active, s); ++query) {
      const std::int64_t scheduled = settings_.rescale ? query * 10000 / settings_.queries : query;
      const double share = square_share(settings_.first_share, scheduled);
      const Tensor next = threat.norm == Norm::kLinf
                              ? repaint(s.point, active, threat, share, random)
                              : move_mass(s.point, active, threat, share, random);
      if (accept(target, active, next, s)) best.enter(active.rows(), s.point, s.margin);
    }
    leave(active, s);
  }

 private:
  struct State {
    Tensor point;                 // accepted so far
    Tensor margin;                // of these points, float64
    bool may_be_coupled = false;  // whether the margin of a row may depend on other rows
  };

  // Margins of the points, float64.
  static Tensor ask(Target& target,
                    const ActiveRows& active,
                    const Tensor& point,
                    const Tensor& known) {
    const Tensor logits = target.logits(point, active.rows());
    return judged_margins(target, point, active.rows(), logits, active.y(), known);
  }

  // Keep the proposals that raise their margin. Under a target whose samples influence each other a
  // proposal was seen among the others' proposals, most of which are refused. It counts by its
  // margin among the points that the others keep: those that seem good are asked for once more
  // together, and as long as some of them gain nothing there, these are refused and the rest is
  // asked for again. Where that changes no margin (a stand-in that answers each sample by itself)
  // it is done once and no more. Returns whether anything was accepted.
  static bool accept(Target& target, const ActiveRows& active, const Tensor& next, State& s) {
    Tensor margin = ask(target, active, next, s.margin);
    Tensor better = margin > s.margin;
    Tensor point = at::where(per_row(better, next), next, s.point);
    bool is_settled = !s.may_be_coupled || better.all().item<bool>();
    Tensor expected = at::where(better, margin, s.margin);  // of uncoupled rows
    while (!is_settled && better.any().item<bool>()) {
      margin = ask(target, active, point, s.margin);
      s.may_be_coupled = !at::equal(margin, expected);
      const Tensor lasting = better.logical_and(margin > s.margin);
      is_settled = at::equal(lasting, better);
      better = lasting;
      point = at::where(per_row(better, next), next, s.point);
      expected = at::where(better, margin, s.margin);
    }
    if (!better.any().item<bool>()) return false;
    s.point = point;
    // Among moved neighbours the margins of the others are new as well.
    s.margin = s.may_be_coupled ? margin : at::where(better, margin, s.margin);
    return true;
  }

  // True when there is nothing left to do.
  static bool leave(ActiveRows& active, State& s) {
    const Tensor fooled = s.margin > 0;
    active.drop(fooled, {&s.point, &s.margin});
    return active.empty() || (active.fooling_ends() && fooled.all().item<bool>());
  }

  static Tensor signs(const Tensor& like,
                      at::IntArrayRef shape,
                      const ActiveRows& active,
                      SampleRandom& random) {
    return random.signs(at::empty(shape, like.options()), active.rows());
  }

  // Uniform integers 0 .. choices - 1, int64 [B].
  static Tensor positions(std::int64_t choices, const ActiveRows& active, SampleRandom& random) {
    const Tensor like = at::empty({active.rows().size(0)}, active.x().options().dtype(at::kDouble));
    return random.uniform(like, 0.0, static_cast<double>(choices), active.rows())
        .to(at::kLong)
        .clamp_max(choices - 1);
  }

  // linf: vertical stripes one pixel wide, +-epsilon per channel.
  static Tensor stripes(const ActiveRows& active, const Threat& threat, SampleRandom& random) {
    const Tensor& x = active.x();
    const Tensor sign = signs(x, {x.size(0), x.size(1), 1, x.size(3)}, active, random);
    return project(x + threat.epsilon * sign, x, threat);
  }

  // linf: one window per sample, at +-epsilon per channel.
  static Tensor repaint(const Tensor& point,
                        const ActiveRows& active,
                        const Threat& threat,
                        double share,
                        SampleRandom& random) {
    const Tensor& x = active.x();
    const std::int64_t height = x.size(2);
    const std::int64_t width = x.size(3);
    const std::int64_t side = square_side(share, height, width);
    const Tensor top = positions(height - side + 1, active, random).view({-1, 1, 1, 1});
    const Tensor left = positions(width - side + 1, active, random).view({-1, 1, 1, 1});
    const Tensor sign = signs(x, {x.size(0), x.size(1), 1, 1}, active, random);
    const Tensor row = at::arange(height, top.options()).view({1, 1, height, 1});
    const Tensor column = at::arange(width, top.options()).view({1, 1, 1, width});
    const Tensor window = row.ge(top)
                              .logical_and(row.lt(top + side))
                              .logical_and(column.ge(left))
                              .logical_and(column.lt(left + side));
    return at::where(window, project(x + threat.epsilon * sign, x, threat), point);
  }

  static int order(Norm norm) { return norm == Norm::kL1 ? 1 : 2; }

  // l2, l1: the pattern upright or lying as each sample's coin says: [B, 1, side, side].
  static Tensor pattern(std::int64_t side,
                        Norm norm,
                        const ActiveRows& active,
                        SampleRandom& random) {
    const Tensor square = square_pattern(side, norm, active.x().options());
    const Tensor coin = signs(active.x(), {active.x().size(0), 1, 1, 1}, active, random).gt(0);
    return at::where(
        coin, square.view({1, 1, side, side}), square.t().contiguous().view({1, 1, side, side}));
  }

  // l2, l1: patterns on a grid of five tiles a side. In l2 of length epsilon together. In l1 each
  // has the length 1 and the projection on the ball thins them out; where epsilon is larger than
  // their sum, they grow.
  static Tensor tiles(const ActiveRows& active, const Threat& threat, SampleRandom& random) {
    const Tensor& x = active.x();
    const std::int64_t side = std::max<std::int64_t>(std::min(x.size(2), x.size(3)) / 5, 1);
    Tensor d = at::zeros_like(x);
    for (std::int64_t top = 0; top + side <= x.size(2); top += side) {
      for (std::int64_t left = 0; left + side <= x.size(3); left += side) {
        const Tensor sign = signs(x, {x.size(0), x.size(1), 1, 1}, active, random);
        d.narrow(2, top, side)
            .narrow(3, left, side)
            .copy_(pattern(side, threat.norm, active, random) * sign);
      }
    }
    const Tensor length = distance(d, at::zeros_like(d), threat.norm).clamp_min(1e-300);
    Tensor factor = threat.epsilon / length;
    if (threat.norm == Norm::kL1) factor = factor.clamp_min(1);
    return project(x + d * per_row(factor.to(d.scalar_type()), d), x, threat);
  }

  // Flat indices [B, 1, side * side] of one window per sample in an image.
  static Tensor window(std::int64_t side, const ActiveRows& active, SampleRandom& random) {
    const std::int64_t height = active.x().size(2);
    const std::int64_t width = active.x().size(3);
    const Tensor top = positions(height - side + 1, active, random).view({-1, 1, 1});
    const Tensor left = positions(width - side + 1, active, random).view({-1, 1, 1});
    const Tensor offsets = at::arange(side, top.options());
    const Tensor row = top + offsets.view({1, side, 1});
    const Tensor column = left + offsets.view({1, 1, side});
    return (row * width + column).view({-1, 1, side * side});
  }

  // l2, l1: what one window holds, and what the ball has left, goes to another, in a fresh pattern.
  static Tensor move_mass(const Tensor& point,
                          const ActiveRows& active,
                          const Threat& threat,
                          double share,
                          SampleRandom& random) {
    const Tensor& x = active.x();
    const std::int64_t channels = x.size(1);
    const std::int64_t smaller = std::min(x.size(2), x.size(3));
    std::int64_t side = std::max<std::int64_t>(square_side(share, x.size(2), x.size(3)), 3);
    side += 1 - side % 2;  // odd: a bump has a middle
    if (side > smaller) side = smaller;

    const Tensor to = window(side, active, random).expand({-1, channels, -1});
    const Tensor from = window(side, active, random).expand({-1, channels, -1});
    const Tensor fresh = pattern(side, threat.norm, active, random);
    const Tensor sign = signs(x, {x.size(0), channels, 1}, active, random);

    const Tensor d = (point - x).flatten(2);
    const Tensor there = d.gather(2, to);
    // What both windows hold together, each pixel counted once: lengths add up in l1, their
    // squares in l2.
    const bool is_l1 = threat.norm == Norm::kL1;
    const auto mass_of = [&](const Tensor& t) { return is_l1 ? t.abs() : t.square(); };
    const Tensor inside = at::zeros_like(d).scatter(2, to, 1.0).scatter(2, from, 1.0);
    const Tensor freed = mass_of(d * inside).sum(2, /*keepdim=*/true);
    const double allowed = is_l1 ? threat.epsilon : threat.epsilon * threat.epsilon;
    const Tensor unused = (allowed - mass_of(d).sum({1, 2}, /*keepdim=*/true)).clamp_min(0);
    const auto count = static_cast<double>(channels);
    // In l1 every channel gets as much as all may have, and the projection thins out what is too
    // much: that is how few pixels come to hold it.
    const Tensor available = freed + unused / count;
    const Tensor length = is_l1 ? available * count : available.sqrt();
    const Tensor old_length = there.norm(order(threat.norm), 2, /*keepdim=*/true);
    const Tensor mixed =
        sign * fresh.flatten(2) + at::where(old_length > 0, there / old_length, there);
    const Tensor mixed_length =
        mixed.norm(order(threat.norm), 2, /*keepdim=*/true).clamp_min(1e-12);
    const Tensor moved = d.scatter(2, from, 0.0).scatter(2, to, mixed / mixed_length * length);
    return project(x + moved.view_as(x), x, threat);
  }

  SquareSettings settings_;
};

}  // namespace unmask::kit
