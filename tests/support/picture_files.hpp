#pragma once
// PNG and JPEG files that tests write themselves.

#include <jpeglib.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/tiny_datasets.hpp"

namespace unmask::test {

/// What a PNG file stores: `values` row by row, the channels of a pixel side by side.
struct PngContent {
  std::uint32_t height = 0;
  std::uint32_t width = 0;
  int color_type = PNG_COLOR_TYPE_GRAY;
  int bits = 8;
  std::vector<std::uint8_t> bytes;  ///< as in the file: 16-bit values big endian, no filter
  std::vector<png_color> palette;
  bool is_interlaced = false;
};

inline void write_png(const std::filesystem::path& file, const PngContent& content) {
  std::string out;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const auto take = [](png_structp p, png_bytep bytes, png_size_t count) {
    static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(bytes), count);
  };
  png_set_write_fn(png, &out, take, nullptr);
  png_set_IHDR(png,
               info,
               content.width,
               content.height,
               content.bits,
               content.color_type,
               content.is_interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (!content.palette.empty()) {
    png_set_PLTE(png, info, content.palette.data(), static_cast<int>(content.palette.size()));
  }
  png_write_info(png, info);
  const std::size_t row_size = png_get_rowbytes(png, info);
  if (content.bytes.size() != row_size * content.height) throw std::logic_error("wrong row size");
  std::vector<std::uint8_t> bytes = content.bytes;
  std::vector<png_bytep> rows;
  for (std::uint32_t r = 0; r < content.height; ++r) rows.push_back(bytes.data() + r * row_size);
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  write_file(file, out);
}

/// A grey PNG of equal pixels.
inline void write_grey_png(const std::filesystem::path& file,
                           std::uint32_t height,
                           std::uint32_t width,
                           int value) {
  write_png(file,
            {.height = height,
             .width = width,
             .color_type = PNG_COLOR_TYPE_GRAY,
             .bits = 8,
             .bytes = std::vector<std::uint8_t>(std::size_t{height} * width,
                                                static_cast<std::uint8_t>(value)),
             .palette = {},
             .is_interlaced = false});
}

/// A JPEG of the highest quality. `channels`: 1 grey, 3 RGB, 4 CMYK.
inline void write_jpeg(const std::filesystem::path& file,
                       std::uint32_t height,
                       std::uint32_t width,
                       int channels,
                       std::vector<std::uint8_t> values) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  jpeg_mem_dest(&jpeg, &bytes, &count);
  jpeg.image_height = height;
  jpeg.image_width = width;
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row =
        values.data() + std::size_t{jpeg.next_scanline} * width * static_cast<unsigned>(channels);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  write_file(file, std::string(reinterpret_cast<char*>(bytes), count));
  std::free(bytes);
}

/// Two classes of grey 4 x 6 files: `cat` with values below 100, `dog` with values above; three of
/// each for training, two for testing.
inline void write_image_folder(const std::filesystem::path& folder) {
  for (const auto& [split, count] : {std::pair{"train", 3}, std::pair{"test", 2}}) {
    for (const auto& [name, value] : {std::pair{"cat", 10}, std::pair{"dog", 200}}) {
      const auto place = folder / split / name;
      std::filesystem::create_directories(place);
      for (int i = 0; i < count; ++i) {
        write_grey_png(place / (std::to_string(i) + ".png"), 4, 6, value + 10 * i + count);
      }
    }
  }
}

}  // namespace unmask::test
