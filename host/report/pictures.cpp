#include "report/pictures.hpp"

#include <png.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "unmask/errors.hpp"

namespace unmask::report {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little endian");

constexpr std::uint64_t kMostHeader = 1 << 20;  // of five tensors it takes a few hundred bytes
constexpr std::uint64_t kMostSide = 1 << 14;    // of an image

[[noreturn]] void refuse_file(const std::filesystem::path& file, const std::string& reason) {
  throw DataError(file.string() + " is no file of adversarial images: " + reason);
}

std::string read_bytes(const std::filesystem::path& file, std::uint64_t begin, std::uint64_t n) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(n, '\0');
  stream.seekg(static_cast<std::streamoff>(begin));
  stream.read(bytes.data(), static_cast<std::streamsize>(n));
  if (!stream) throw DataError(file.string() + " cannot be read, or is too short");
  return bytes;
}

nlohmann::json header_of(const std::filesystem::path& file, std::uint64_t& size) {
  const std::string prefix = read_bytes(file, 0, 8);
  std::memcpy(&size, prefix.data(), 8);
  if (size > kMostHeader) refuse_file(file, "its header is too long");
  auto header = nlohmann::json::parse(read_bytes(file, 8, size), nullptr, false);
  if (!header.is_object()) refuse_file(file, "its header is no JSON object");
  return header;
}

// A picture in memory: rows of pixels of 1 or 3 values.
struct Raster {
  std::size_t width = 0, height = 0, channels = 1;
  std::vector<double> values;
};

std::string png_of(const Raster& raster) {
  std::vector<std::uint8_t> pixels;
  pixels.reserve(raster.values.size());
  for (const double value : raster.values) {
    const double shown = std::isnan(value) ? 0.5 : std::clamp(value, 0.0, 1.0);
    pixels.push_back(static_cast<std::uint8_t>(std::lround(255 * shown)));
  }
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(raster.width);
  header.height = static_cast<png_uint_32>(raster.height);
  header.format = raster.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&header, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0) {
    throw DataError(std::string("a picture cannot be encoded: ") + header.message);
  }
  bytes.resize(size);
  return bytes;
}

// [C, H, W] in fields of `step` pixels, each shown as what `combine` makes of its values.
template <typename Combine>
Raster raster_of(const std::vector<double>& values,
                 std::size_t channels,
                 std::size_t height,
                 std::size_t width,
                 std::size_t step,
                 const Combine& combine) {
  Raster result{(width - 1) / step + 1, (height - 1) / step + 1, channels == 3 ? 3U : 1U, {}};
  std::vector<double> field;
  for (std::size_t top = 0; top < height; top += step) {
    for (std::size_t left = 0; left < width; left += step) {
      for (std::size_t shown = 0; shown < result.channels; ++shown) {
        field.clear();
        const std::size_t last = result.channels == 3 ? shown + 1 : channels;
        for (std::size_t c = shown; c < last; ++c) {
          for (std::size_t y = top; y < std::min(top + step, height); ++y) {
            for (std::size_t x = left; x < std::min(left + step, width); ++x) {
              field.push_back(values[(c * height + y) * width + x]);
            }
          }
        }
        result.values.push_back(combine(field));
      }
    }
  }
  return result;
}

double mean_of(const std::vector<double>& field) {
  double sum = 0;
  for (const double value : field) sum += value;
  return sum / static_cast<double>(field.size());
}

double largest_of(const std::vector<double>& field) {
  return *std::max_element(
      field.begin(), field.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
}

}  // namespace

KeptImages::KeptImages(const std::filesystem::path& file) : file_(file) {
  std::uint64_t size = 0;
  const nlohmann::json header = header_of(file, size);
  const auto tensor = [&](const char* name) -> const nlohmann::json& {
    if (!header.contains(name)) refuse_file(file, "it has no tensor \"" + std::string(name) + "\"");
    return header.at(name);
  };
  try {
    const nlohmann::json& images = tensor("images");
    const auto dtype = images.at("dtype").get<std::string>();
    if (dtype != "F32" && dtype != "F64") refuse_file(file, "its images are " + dtype);
    is_double_ = dtype == "F64";
    const auto shape = images.at("shape").get<std::vector<std::uint64_t>>();
    const auto is_side = [](std::uint64_t n) { return n >= 1 && n <= kMostSide; };
    if (shape.size() != 4 || !std::all_of(shape.begin() + 1, shape.end(), is_side)) {
      refuse_file(file, "its images are not [N, C, H, W]");
    }
    count_ = shape[0];
    channels_ = shape[1];
    height_ = shape[2];
    width_ = shape[3];
    const std::uint64_t bytes = shape[1] * shape[2] * shape[3] * (is_double_ ? 8 : 4);
    const std::uint64_t room = std::filesystem::file_size(file) - 8 - size;  // behind the header
    for (const auto& [name, place] :
         {std::pair{"images", &clean_}, std::pair{"adversarials", &adversarial_}}) {
      const nlohmann::json& of = tensor(name);
      const auto range = of.at("data_offsets").get<std::vector<std::uint64_t>>();
      if (of.at("shape") != images.at("shape") || of.at("dtype") != images.at("dtype") ||
          range.size() != 2 || range[1] < range[0] || range[1] > room ||
          (range[1] - range[0]) / bytes != count_) {
        refuse_file(file, "its tensors do not fit together");
      }
      *place = {8 + size + range[0], bytes};
    }
  } catch (const nlohmann::json::exception&) {
    refuse_file(file, "its header does not describe images");
  }
}

std::vector<double> KeptImages::read(const Tensor& tensor, std::int64_t index) const {
  if (index < 0 || static_cast<std::uint64_t>(index) >= count_) {
    throw DataError("sample " + std::to_string(index) + " is not among the " +
                    std::to_string(count_) + " of " + file_.string());
  }
  const std::string bytes = read_bytes(
      file_, tensor.begin + static_cast<std::uint64_t>(index) * tensor.bytes, tensor.bytes);
  std::vector<double> values(channels_ * height_ * width_);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_double_) {
      std::memcpy(&values[i], bytes.data() + 8 * i, 8);
    } else {
      float value = 0;
      std::memcpy(&value, bytes.data() + 4 * i, 4);
      values[i] = static_cast<double>(value);
    }
  }
  return values;
}

Shots KeptImages::shots(std::int64_t index, std::size_t most) const {
  const std::vector<double> clean = read(clean_, index);
  const std::vector<double> adversarial = read(adversarial_, index);
  std::vector<double> change(clean.size());
  double largest = 0;
  for (std::size_t i = 0; i < change.size(); ++i) {
    change[i] = adversarial[i] - clean[i];
    if (std::isfinite(change[i])) largest = std::max(largest, std::abs(change[i]));
  }
  for (double& value : change) value = 0.5 + (largest > 0 ? value * (0.5 / largest) : value);
  const std::size_t step = (std::max(height_, width_) - 1) / most + 1;
  const auto shown = [&](const std::vector<double>& values, const auto& combine) {
    return raster_of(values, channels_, height_, width_, step, combine);
  };
  const Raster first = shown(clean, mean_of);
  return {png_of(first),
          png_of(shown(adversarial, mean_of)),
          png_of(shown(change,
                       [](std::vector<double>& field) {
                         for (double& value : field) value -= 0.5;
                         return 0.5 + largest_of(field);
                       })),
          first.width,
          first.height};
}

}  // namespace unmask::report
