#pragma once
// PNG and JPEG files as bytes of grey or RGB pixels. Values are taken as they are stored: gamma,
// colour profiles and orientation marks are left alone.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace unmask::image_folder {

/// Height and width that a file may have.
inline constexpr std::int64_t kLargestSide = 8192;

/// What is wrong with a file, as a phrase behind its name.
class DecodeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct PictureInfo {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;  ///< 1 grey, 3 RGB

  bool operator==(const PictureInfo&) const = default;
};

struct Picture {
  PictureInfo info;
  std::vector<std::uint8_t> pixels;  ///< row by row, the channels of a pixel side by side
};

/// Reads the header alone. @throws DecodeError when it is malformed or of an unusable kind
PictureInfo examine(std::string_view bytes);

/// @throws DecodeError when the file is damaged, truncated, CMYK or partly transparent
Picture decode(std::string_view bytes);

}  // namespace unmask::image_folder
