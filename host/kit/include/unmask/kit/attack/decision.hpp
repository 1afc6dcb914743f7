#pragma once
// What attacks share that look at the predicted class alone: finding a first wrong point, and
// bisection towards the image.

#include <cstdint>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/closest_points.hpp"

namespace unmask::kit {

/// Option of DecisionSearch::start().
inline ParamSpec draws_option() {
  return integer("draws", "random images among which a wrong one is looked for")
      .by_default(100)
      .at_least(1);
}

/// Asks for predictions and keeps the book of the closest wrong point.
class DecisionSearch {
 public:
  DecisionSearch(Target& target, const Tensor& x, const Tensor& y, const Threat& threat)
      : target_(target), x_(x), y_(y), threat_(threat), closest_(target, x, threat) {}

  ClosestPoints& closest() { return closest_; }

  /// bool [rows]: who is misclassified. One query each.
  Tensor is_fooled(const Tensor& points, const Tensor& rows) {
    return closest_.offer(rows, points, target_.logits(points, rows), y_.index_select(0, rows));
  }

  /// A wrong point for every row, from up to `draws` random images: pixels at either end of the
  /// box, alike in blocks of 1 x 1, 2 x 2, 4 x 4, ... up to the whole image, and from the start
  /// again. Fine noise looks alike to many networks; coarse noise does not.
  /// @param points  [B, ...] of the whole batch: filled in where one was found
  /// @return        bool [B]: where
  Tensor start(Tensor& points, std::int64_t draws, SampleRandom& random) {
    ActiveRows active(target_, x_, y_);
    Tensor found = at::zeros({x_.size(0)}, y_.options().dtype(at::kBool));
    for (std::int64_t draw = 0; draw < draws && !active.empty(); ++draw) {
      const Tensor image = blocks(active.x(), active.rows(), draw, random);
      const Tensor fooled = is_fooled(image, active.rows());
      const Tensor is_new = fooled.logical_and(found.index_select(0, active.rows()).logical_not());
      points.index_copy_(
          0,
          active.rows(),
          at::where(per_row(is_new, image), image, points.index_select(0, active.rows())));
      found.index_copy_(0, active.rows(), found.index_select(0, active.rows()).logical_or(fooled));
      if (found.all().item<bool>()) break;
      active.drop(fooled, {});
    }
    return found;
  }

  /// Wrong points moved towards their images by bisection, never across the boundary. For l2 along
  /// the line to the image, for linf by cutting the change of every pixel.
  Tensor bisect(const Tensor& points, const Tensor& rows, std::int64_t steps) {
    const Tensor x = x_.index_select(0, rows);
    Tensor outside = at::ones({rows.size(0)}, x.options().dtype(at::kDouble));
    Tensor inside = at::zeros_like(outside);
    Tensor result = points;
    for (std::int64_t i = 0; i < steps; ++i) {
      const Tensor middle = (inside + outside) / 2;
      const Tensor candidate = between(x, points, middle);
      const Tensor fooled = is_fooled(candidate, rows);
      outside = at::where(fooled, middle, outside);
      inside = at::where(fooled, inside, middle);
      result = at::where(per_row(fooled, result), candidate, result);
    }
    return result;
  }

 private:
  Tensor blocks(const Tensor& x,
                const Tensor& rows,
                std::int64_t draw,
                SampleRandom& random) const {
    const std::int64_t height = x.size(2);
    const std::int64_t width = x.size(3);
    std::int64_t sizes = 1;
    while ((std::int64_t{1} << (sizes - 1)) < std::max(height, width)) ++sizes;
    const std::int64_t side = std::int64_t{1} << (draw % sizes);
    const Tensor coarse = random.signs(
        at::empty({x.size(0), x.size(1), (height + side - 1) / side, (width + side - 1) / side},
                  x.options()),
        rows);
    const Tensor image = coarse.repeat_interleave(side, 2)
                             .repeat_interleave(side, 3)
                             .narrow(2, 0, height)
                             .narrow(3, 0, width);
    return at::where(
        image > 0, at::full_like(image, threat_.upper), at::full_like(image, threat_.lower));
  }

  // At the share of the way from x to the point.
  Tensor between(const Tensor& x, const Tensor& points, const Tensor& share) const {
    const Tensor d = points - x;
    if (threat_.norm == Norm::kLinf) {
      const Tensor limit =
          per_row((share * distance(points, x, Norm::kLinf)).to(x.scalar_type()), x);
      return (x + at::minimum(at::maximum(d, -limit), limit)).clamp(threat_.lower, threat_.upper);
    }
    return (x + d * per_row(share.to(x.scalar_type()), x)).clamp(threat_.lower, threat_.upper);
  }

  Target& target_;
  Tensor x_;
  Tensor y_;
  Threat threat_;
  ClosestPoints closest_;
};

}  // namespace unmask::kit
