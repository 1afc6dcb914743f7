#pragma once
// Other sizes and channel counts for images. The rules are exact: an image of equal values keeps
// them, nothing leaves [0, 1], and bytes are rounded once, half upwards.

#include <cstdint>

#include "unmask/export.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// Resize both axes, one after the other, whatever that does to the aspect ratio. Along an axis
/// from n to m:
///   m < n  area average: output i is the mean over [i n/m, (i+1) n/m), pixel j covering [j, j+1)
///   m > n  linear between pixel centres: output i is read at (i + 1/2) n/m - 1/2, limited to
///          [0, n-1]
/// @param images  [N, C, H, W] on the CPU, uint8 or float32
/// @return        [N, C, height, width] of the same dtype; `images` itself where the size is right
UNMASK_API Tensor resize_images(const Tensor& images, std::int64_t height, std::int64_t width);

/// 3 from 1: the grey channel three times. 1 from 3: luma of Rec. 601,
/// 0.299 R + 0.587 G + 0.114 B.
/// @param images    [N, C, H, W] on the CPU, uint8 or float32
/// @param channels  1 or 3
/// @return          [N, channels, H, W] of the same dtype; `images` itself where it has them
/// @throws DataError for any other pair of channel counts
UNMASK_API Tensor with_channels(const Tensor& images, std::int64_t channels);

}  // namespace v1
}  // namespace unmask
