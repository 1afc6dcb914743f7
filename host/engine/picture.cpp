#include "engine/picture.hpp"

#include <png.h>

#include <algorithm>
#include <string>

#include <torch/types.h>

#include "base/files.hpp"
#include "engine/safetensors.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

constexpr std::int64_t kSmallestTile = 64;  // pixels of height and width
constexpr std::int64_t kGap = 4;            // between tiles; half of it is a frame
constexpr double kPaper = 1.0;

// [C, H, W] in [0, 1] -> [3, H * scale, W * scale]
Tensor tile_of(const Tensor& image, std::int64_t scale) {
  Tensor colours = image.to(at::kCPU, at::kDouble);
  if (colours.size(0) != 3) colours = colours.mean(0, /*keepdim=*/true).expand({3, -1, -1});
  return colours.repeat_interleave(scale, 1).repeat_interleave(scale, 2);
}

Tensor difference_of(const Tensor& image, const Tensor& adversarial) {
  const Tensor change = adversarial.to(at::kDouble) - image.to(at::kDouble);
  const double largest = change.abs().max().item<double>();
  return 0.5 + (largest > 0 ? change * (0.5 / largest) : change);
}

void paint(Tensor& canvas, std::int64_t top, std::int64_t left, const Tensor& tile) {
  canvas.narrow(1, top, tile.size(1)).narrow(2, left, tile.size(2)).copy_(tile);
}

const Tensor& tensor_named(const TensorFile& file, const char* name, const std::string& path) {
  if (const Tensor* found = file.find(name)) return *found;
  throw DataError(path + " is no file of adversarial images: it has no tensor \"" + name + "\"");
}

}  // namespace

Tensor picture_of(const Tensor& images,
                  const Tensor& adversarials,
                  const Tensor& is_fooled,
                  std::int64_t columns) {
  const std::int64_t count = images.size(0);
  const std::int64_t height = images.size(2);
  const std::int64_t width = images.size(3);
  const std::int64_t scale = (kSmallestTile - 1) / std::min(height, width) + 1;
  const std::int64_t across = std::min(columns, count);
  const std::int64_t rows = (count - 1) / across + 1;
  const std::int64_t row_height = height * scale + kGap;
  const std::int64_t sample_width = 3 * (width * scale + kGap) + kGap;
  Tensor canvas =
      at::full({3, rows * row_height + kGap, across * sample_width}, kPaper, at::kDouble);
  const Tensor red = at::tensor({0.85, 0.1, 0.1}, at::kDouble).view({3, 1, 1});
  const Tensor green = at::tensor({0.1, 0.6, 0.2}, at::kDouble).view({3, 1, 1});
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t top = (i / across) * row_height + kGap;
    std::int64_t left = (i % across) * sample_width + kGap;
    const std::int64_t step = width * scale + kGap;
    paint(canvas, top, left, tile_of(images[i], scale));
    left += step;
    const Tensor frame = is_fooled[i].item<bool>() ? red : green;
    paint(canvas,
          top - kGap / 2,
          left - kGap / 2,
          frame.expand({3, height * scale + kGap, width * scale + kGap}));
    paint(canvas, top, left, tile_of(adversarials[i], scale));
    left += step;
    paint(canvas, top, left, tile_of(difference_of(images[i], adversarials[i]), scale));
  }
  return (canvas.clamp(0, 1) * 255).round().to(at::kByte).permute({1, 2, 0}).contiguous();
}

void write_png(const std::filesystem::path& file, const Tensor& picture) {
  TORCH_CHECK(picture.dim() == 3 && picture.size(2) == 3 && picture.scalar_type() == at::kByte,
              "a picture is uint8 [height, width, 3]");
  const Tensor pixels = picture.contiguous();
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(pixels.size(1));
  header.height = static_cast<png_uint_32>(pixels.size(0));
  header.format = PNG_FORMAT_RGB;
  const auto encode = [&](void* memory, png_alloc_size_t& bytes) {
    if (png_image_write_to_memory(
            &header, memory, &bytes, 0, pixels.data_ptr<std::uint8_t>(), 0, nullptr) == 0) {
      throw DataError("the picture " + file.string() + " cannot be encoded: " + header.message);
    }
  };
  png_alloc_size_t size = 0;
  encode(nullptr, size);
  std::string bytes(size, '\0');
  encode(bytes.data(), size);
  bytes.resize(size);
  base::write_file_atomically(file, bytes);
}

void draw_adversarials(const std::filesystem::path& file,
                       const std::vector<std::int64_t>& samples,
                       std::int64_t columns,
                       const std::filesystem::path& output) {
  const TensorFile content = read_safetensors(file);
  const auto get = [&](const char* name) -> const Tensor& {
    return tensor_named(content, name, file.string());
  };
  const Tensor& images = get("images");
  for (const std::int64_t sample : samples) {
    if (sample < 0 || sample >= images.size(0)) {
      throw ParamError("sample " + std::to_string(sample) + " is not among the " +
                       std::to_string(images.size(0)) + " of the cell");
    }
  }
  const Tensor index = torch::tensor(samples, at::kLong);
  const Tensor is_fooled =
      get("clean_predictions").eq(get("labels")).logical_and(get("predictions").ne(get("labels")));
  write_png(output,
            picture_of(images.index_select(0, index),
                       get("adversarials").index_select(0, index),
                       is_fooled.index_select(0, index),
                       columns));
}

}  // namespace unmask::engine
