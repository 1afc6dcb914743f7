#include "decode.hpp"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>

#include <array>
#include <cstddef>
#include <cstring>

// After <stdio.h>, which it needs and does not include.
#include <jpeglib.h>

#include "unmask/file_kind.hpp"

// Both libraries leave a call by longjmp when something is wrong, which skips destructors. Every
// function that calls setjmp here therefore holds nothing that has one.

namespace unmask::image_folder {
namespace {

[[noreturn]] void fail_side(std::uint64_t height, std::uint64_t width) {
  throw DecodeError("is " + std::to_string(height) + " x " + std::to_string(width) +
                    " pixels; at most " + std::to_string(kLargestSide) + " are allowed on a side");
}

void require_sides(std::uint64_t height, std::uint64_t width) {
  constexpr auto kLimit = static_cast<std::uint64_t>(kLargestSide);
  if (height > kLimit || width > kLimit) fail_side(height, width);
}

// ---- PNG

struct PngSource {
  std::string_view bytes;
  std::size_t used = 0;
  std::array<char, 200> message{};
};

[[noreturn]] void png_failed(png_structp png, png_const_charp message) {
  auto* const source = static_cast<PngSource*>(png_get_error_ptr(png));
  snprintf(source->message.data(), source->message.size(), "%s", message);
  png_longjmp(png, 1);
}

void png_warned(png_structp, png_const_charp) {}

void png_take(png_structp png, png_bytep to, png_size_t count) {
  auto* const source = static_cast<PngSource*>(png_get_io_ptr(png));
  if (count > source->bytes.size() - source->used) png_error(png, "it ends too early");
  std::memcpy(to, source->bytes.data() + source->used, count);
  source->used += count;
}

// Members of their own, so that they are freed when a constructor fails.
struct PngHandle {
  png_structp png = nullptr;
  png_infop info = nullptr;

  PngHandle() = default;
  PngHandle(const PngHandle&) = delete;
  PngHandle& operator=(const PngHandle&) = delete;
  ~PngHandle() { png_destroy_read_struct(&png, &info, nullptr); }
};

class Png {
 public:
  explicit Png(std::string_view bytes) : source_{bytes, 0, {}} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, png_failed, png_warned);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) throw DecodeError("cannot be decoded: libpng finds no memory");
    if (!read_header(png_, info_, &source_)) fail();
    require_sides(png_get_image_height(png_, info_), png_get_image_width(png_, info_));
  }

  PictureInfo info() const {
    return {.height = png_get_image_height(png_, info_),
            .width = png_get_image_width(png_, info_),
            .channels = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1};
  }

  Picture decode() {
    if (!ask_for_bytes(png_, info_)) fail();
    Picture picture{.info = info(), .pixels = {}};
    const auto height = static_cast<std::size_t>(picture.info.height);
    const std::size_t row_size = png_get_rowbytes(png_, info_);
    std::vector<std::uint8_t> bytes(height * row_size);
    std::vector<png_bytep> rows(height);
    for (std::size_t row = 0; row < height; ++row) rows[row] = bytes.data() + row * row_size;
    if (!read_pixels(png_, rows.data())) fail();

    const auto channels = static_cast<std::size_t>(picture.info.channels);
    if (png_get_channels(png_, info_) == channels) {
      picture.pixels = std::move(bytes);
      return picture;
    }
    // One channel more: how opaque a pixel is.
    picture.pixels.reserve(bytes.size() / (channels + 1) * channels);
    for (std::size_t i = 0; i < bytes.size(); i += channels + 1) {
      if (bytes[i + channels] != 255) {
        throw DecodeError(
            "has transparent pixels, and what is behind them is not known; flatten it onto a "
            "background");
      }
      for (std::size_t c = 0; c < channels; ++c) picture.pixels.push_back(bytes[i + c]);
    }
    return picture;
  }

 private:
  [[noreturn]] void fail() {
    const std::string message = source_.message.data();
    throw DecodeError("is not a sound PNG file: " + message);
  }

  static bool read_header(png_structp png, png_infop info, PngSource* source) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_read_fn(png, source, png_take);
    // Larger ones are refused by us, with their size.
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_read_info(png, info);
    return true;
  }

  // 8 bits for every channel; palettes and transparency become channels.
  static bool ask_for_bytes(png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
  }

  static bool read_pixels(png_structp png, png_bytepp rows) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    png_read_image(png, rows);
    png_read_end(png, nullptr);
    return true;
  }

  PngSource source_;
  PngHandle handle_;
  png_structp& png_ = handle_.png;
  png_infop& info_ = handle_.info;
};

// ---- JPEG

struct JpegErrors {
  jpeg_error_mgr base;  // first: the library knows the address of this member
  jmp_buf back;
  std::array<char, JMSG_LENGTH_MAX> message;
};

JpegErrors* errors_of(j_common_ptr jpeg) {
  return reinterpret_cast<JpegErrors*>(jpeg->err);
}

[[noreturn]] void jpeg_failed(j_common_ptr jpeg) {
  JpegErrors* const errors = errors_of(jpeg);
  (*jpeg->err->format_message)(jpeg, errors->message.data());
  longjmp(errors->back, 1);
}

// The library goes on after a warning and makes pixels up.
void jpeg_warned(j_common_ptr jpeg, int level) {
  if (level < 0) jpeg_failed(jpeg);
}

void jpeg_quiet(j_common_ptr) {}

struct JpegHandle {
  jpeg_decompress_struct jpeg{};

  JpegHandle() = default;
  JpegHandle(const JpegHandle&) = delete;
  JpegHandle& operator=(const JpegHandle&) = delete;
  ~JpegHandle() { jpeg_destroy_decompress(&jpeg); }
};

class Jpeg {
 public:
  explicit Jpeg(std::string_view bytes) {
    jpeg_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = jpeg_failed;
    errors_.base.emit_message = jpeg_warned;
    errors_.base.output_message = jpeg_quiet;
    const bool is_sound = read_header(&jpeg_,
                                      &errors_,
                                      reinterpret_cast<const unsigned char*>(bytes.data()),
                                      static_cast<unsigned long>(bytes.size()));
    if (!is_sound) fail();
    require_sides(jpeg_.image_height, jpeg_.image_width);
    if (jpeg_.num_components != 1 && jpeg_.num_components != 3) {
      throw DecodeError("is a JPEG file of " + std::to_string(jpeg_.num_components) +
                        " channels (CMYK?); convert it to RGB or grey");
    }
  }

  PictureInfo info() const {
    return {.height = static_cast<std::int64_t>(jpeg_.image_height),
            .width = static_cast<std::int64_t>(jpeg_.image_width),
            .channels = jpeg_.num_components};
  }

  Picture decode() {
    Picture picture{.info = info(), .pixels = {}};
    const auto row_size = static_cast<std::size_t>(picture.info.width * picture.info.channels);
    picture.pixels.resize(row_size * static_cast<std::size_t>(picture.info.height));
    if (!read_pixels(&jpeg_, &errors_, picture.pixels.data(), row_size)) fail();
    return picture;
  }

 private:
  [[noreturn]] void fail() {
    const std::string message = errors_.message.data();
    throw DecodeError("is not a sound JPEG file: " + message);
  }

  static bool read_header(jpeg_decompress_struct* jpeg,
                          JpegErrors* errors,
                          const unsigned char* bytes,
                          unsigned long count) {
    if (setjmp(errors->back) != 0) return false;
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, bytes, count);
    jpeg_read_header(jpeg, TRUE);
    return true;
  }

  static bool read_pixels(jpeg_decompress_struct* jpeg,
                          JpegErrors* errors,
                          std::uint8_t* pixels,
                          std::size_t row_size) {
    if (setjmp(errors->back) != 0) return false;
    jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;  // the same numbers with and without vector instructions
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
      JSAMPROW row = pixels + row_size * jpeg->output_scanline;
      jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return true;
  }

  JpegErrors errors_{};
  JpegHandle handle_;
  jpeg_decompress_struct& jpeg_ = handle_.jpeg;
};

bool is_png(std::string_view bytes) {
  return bytes.starts_with("\x89PNG\r\n\x1a\n");
}

bool is_jpeg(std::string_view bytes) {
  return bytes.starts_with("\xff\xd8\xff");
}

[[noreturn]] void fail_kind(std::string_view bytes) {
  if (bytes.empty()) throw DecodeError("is empty");
  const std::string kind = file_kind(bytes.substr(0, kFileKindBytes));
  throw DecodeError("is neither a PNG nor a JPEG file" + (kind.empty() ? kind : "; it is " + kind));
}

}  // namespace

PictureInfo examine(std::string_view bytes) {
  if (is_png(bytes)) return Png(bytes).info();
  if (is_jpeg(bytes)) return Jpeg(bytes).info();
  fail_kind(bytes);
}

Picture decode(std::string_view bytes) {
  if (is_png(bytes)) return Png(bytes).decode();
  if (is_jpeg(bytes)) return Jpeg(bytes).decode();
  fail_kind(bytes);
}

}  // namespace unmask::image_folder
