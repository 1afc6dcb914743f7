#pragma once
// Pictures of kept adversarial images for the page, read without LibTorch: the image, the adversarial
// image, and what the attack changed.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace unmask::report {

/// Three PNG files of one size.
struct Shots {
  std::string clean, adversarial;
  std::string difference;  ///< 0.5 + g (adversarial - clean), its largest change black or white
  std::size_t width = 0, height = 0;
};

/// The images of one attack, as the engine keeps them: safetensors with `images` and `adversarials`
/// [N, C, H, W], float32 or float64 in [0, 1]. Only the samples asked for are read.
class KeptImages {
 public:
  /// @throws DataError when the file cannot be read, or is no such file
  explicit KeptImages(const std::filesystem::path& file);

  /// Sample `index` of the file. Images of more than `most` pixels along a side are shown smaller, by a
  /// whole number: pixels are averaged, and of changes the largest stands for its neighbours. Channels
  /// other than 3 show as their mean.
  /// @throws DataError when the sample is not in the file
  Shots shots(std::int64_t index, std::size_t most = 64) const;

 private:
  struct Tensor {
    std::uint64_t begin = 0;  // in the file
    std::uint64_t bytes = 0;  // of one sample
  };
  std::vector<double> read(const Tensor& tensor, std::int64_t index) const;

  std::filesystem::path file_;
  Tensor clean_, adversarial_;
  std::size_t count_ = 0, channels_ = 0, height_ = 0, width_ = 0;
  bool is_double_ = false;
};

}  // namespace unmask::report
