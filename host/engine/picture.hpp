#pragma once
// Adversarial images as a picture: clean, adversarial and their amplified difference side by side.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "unmask/tensor.hpp"

namespace unmask::engine {

/// A grid of samples. Each is three tiles in a row: the image, the adversarial image in a frame
/// (red: it fools the network, green: it does not), and 0.5 + g (adversarial - image), with the
/// gain g of the sample such that its largest change is black or white. Tiles are enlarged by a
/// whole number to at least 64 pixels; channels other than 1 and 3 show as the mean.
/// @param images        [N, C, H, W] in [0, 1], N at least 1
/// @param adversarials  the same
/// @param is_fooled     bool [N]
/// @param columns       samples side by side, at least 1
/// @return              uint8 [height, width, 3], red green blue
Tensor picture_of(const Tensor& images,
                  const Tensor& adversarials,
                  const Tensor& is_fooled,
                  std::int64_t columns);

/// Write uint8 [height, width, 3] as PNG, whole or not at all. @throws DataError
void write_png(const std::filesystem::path& file, const Tensor& picture);

/// Draw some samples of a file that save_adversarials wrote.
/// @param samples  their indices, at least one
/// @throws DataError when it is no such file, ParamError when a sample is not in it
void draw_adversarials(const std::filesystem::path& file,
                       const std::vector<std::int64_t>& samples,
                       std::int64_t columns,
                       const std::filesystem::path& output);

}  // namespace unmask::engine
