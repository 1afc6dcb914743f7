#include "unmask/images.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {
namespace {

// How one axis is resized. Weights are whole numbers that add up to `total`, so that bytes are
// computed exactly.
struct Axis {
  struct Output {
    std::int64_t first = 0;             // input pixel of the first weight
    std::vector<std::int64_t> weights;  // of consecutive input pixels
  };
  std::vector<Output> outputs;
  std::int64_t total = 1;

  Axis(std::int64_t n, std::int64_t m) : outputs(static_cast<std::size_t>(m)) {
    // Counted in parts of a pixel, so that n and m play the same role: with the common divisor
    // taken out the weights stay small.
    const std::int64_t divisor = std::gcd(n, m);
    const std::int64_t in = n / divisor;
    const std::int64_t out = m / divisor;
    total = m < n ? in : 2 * out;
    for (std::int64_t i = 0; i < m; ++i) {
      Output& output = outputs[static_cast<std::size_t>(i)];
      if (m < n) {
        // In units of 1/out of an input pixel the output covers [i in, (i+1) in).
        output.first = i * in / out;
        for (std::int64_t j = output.first; j * out < (i + 1) * in; ++j) {
          output.weights.push_back(std::min((i + 1) * in, (j + 1) * out) -
                                   std::max(i * in, j * out));
        }
      } else {
        // The centre (i + 1/2) in/out - 1/2 in units of 1/(2 out), limited to the outer centres.
        const std::int64_t centre =
            std::clamp<std::int64_t>((2 * i + 1) * in - out, 0, (n - 1) * total);
        output.first = centre / total;
        const std::int64_t fraction = centre % total;
        output.weights.push_back(total - fraction);
        if (fraction > 0) output.weights.push_back(fraction);
      }
    }
  }
};

// Whole numbers hold the sums of bytes: 255 times both totals stays far below 2^63.
template <class Value>
using Sum = std::conditional_t<std::is_same_v<Value, std::uint8_t>, std::int64_t, double>;

template <class Value>
Value quotient(Sum<Value> sum, std::int64_t total) {
  if constexpr (std::is_same_v<Value, std::uint8_t>) {
    return static_cast<std::uint8_t>((2 * sum + total) / (2 * total));
  } else {
    return static_cast<float>(sum / static_cast<double>(total));
  }
}

template <class Value>
void resize_planes(const Tensor& from, const Tensor& to, const Axis& rows, const Axis& columns) {
  const std::int64_t height = from.size(2);
  const std::int64_t width = from.size(3);
  const std::int64_t new_width = to.size(3);
  const std::int64_t total = rows.total * columns.total;
  std::vector<Sum<Value>> narrowed(static_cast<std::size_t>(height * new_width));
  const Value* in = from.data_ptr<Value>();
  Value* out = to.data_ptr<Value>();
  for (std::int64_t plane = from.size(0) * from.size(1); plane > 0; --plane) {
    Sum<Value>* cell = narrowed.data();
    for (std::int64_t row = 0; row < height; ++row, in += width) {
      for (const Axis::Output& output : columns.outputs) {
        const Value* pixel = in + output.first;
        Sum<Value> sum = 0;
        for (const std::int64_t weight : output.weights) {
          sum += static_cast<Sum<Value>>(weight) * static_cast<Sum<Value>>(*pixel++);
        }
        *cell++ = sum;
      }
    }
    for (const Axis::Output& output : rows.outputs) {
      for (std::int64_t column = 0; column < new_width; ++column) {
        const Sum<Value>* above = narrowed.data() + output.first * new_width + column;
        Sum<Value> sum = 0;
        for (const std::int64_t weight : output.weights) {
          sum += static_cast<Sum<Value>>(weight) * *above;
          above += new_width;
        }
        *out++ = quotient<Value>(sum, total);
      }
    }
  }
}

template <class Value>
void luma(const Tensor& from, const Tensor& to) {
  const std::int64_t pixels = from.size(2) * from.size(3);
  const Value* red = from.data_ptr<Value>();
  Value* out = to.data_ptr<Value>();
  for (std::int64_t image = 0; image < from.size(0); ++image, red += 3 * pixels) {
    for (std::int64_t i = 0; i < pixels; ++i) {
      const auto r = static_cast<Sum<Value>>(red[i]);
      const auto g = static_cast<Sum<Value>>(red[pixels + i]);
      const auto b = static_cast<Sum<Value>>(red[2 * pixels + i]);
      *out++ = quotient<Value>(299 * r + 587 * g + 114 * b, 1000);
    }
  }
}

void require_images(const Tensor& images) {
  const bool is_known = images.scalar_type() == at::kByte || images.scalar_type() == at::kFloat;
  UNMASK_CHECK(images.dim() == 4 && images.device().is_cpu() && is_known,
               "images must be [N, C, H, W] on the CPU, uint8 or float32");
}

}  // namespace

Tensor resize_images(const Tensor& images, std::int64_t height, std::int64_t width) {
  require_images(images);
  if (images.size(2) == height && images.size(3) == width) return images;
  UNMASK_CHECK(height > 0 && width > 0 && images.size(2) > 0 && images.size(3) > 0,
               "an image has at least one pixel");
  const Tensor from = images.contiguous();
  Tensor to = at::empty({from.size(0), from.size(1), height, width}, from.options());
  const Axis rows(from.size(2), height);
  const Axis columns(from.size(3), width);
  if (from.scalar_type() == at::kByte) {
    resize_planes<std::uint8_t>(from, to, rows, columns);
  } else {
    resize_planes<float>(from, to, rows, columns);
  }
  return to;
}

Tensor with_channels(const Tensor& images, std::int64_t channels) {
  require_images(images);
  const std::int64_t present = images.size(1);
  if (present == channels) return images;
  if (present == 1 && channels == 3) return images.repeat({1, 3, 1, 1});
  if (present != 3 || channels != 1) {
    throw DataError("images of " + std::to_string(present) + " channels cannot get " +
                    std::to_string(channels) + "; 1 can become 3 and 3 can become 1");
  }
  const Tensor from = images.contiguous();
  Tensor to = at::empty({from.size(0), 1, from.size(2), from.size(3)}, from.options());
  if (from.scalar_type() == at::kByte) {
    luma<std::uint8_t>(from, to);
  } else {
    luma<float>(from, to);
  }
  return to;
}

}  // namespace v1
}  // namespace unmask
