#pragma once
// Images for the networks of tests/data/torchscript.

#include <cstdint>
#include <cstring>
#include <string>

namespace unmask::test {

/// A safetensors file with 40 grey images of 20 x 20 pixels in 10 classes: pixel 190 + k of an image
/// of class k is 200, of the other classes 55, so that 0.35 in linf turns one into the other.
inline std::string pixel_images() {
  const std::string header =
      R"({"labels":{"dtype":"I64","shape":[40],"data_offsets":[0,320]},)"
      R"("images":{"dtype":"U8","shape":[40,1,20,20],"data_offsets":[320,16320]}})";
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  bytes += header;
  for (std::int64_t i = 0; i < 40; ++i) {
    const std::int64_t label = i % 10;
    bytes.append(reinterpret_cast<const char*>(&label), 8);
  }
  for (std::size_t i = 0; i < 40; ++i) {
    std::string pixels(400, '\x37');
    pixels[190 + i % 10] = '\xc8';
    bytes += pixels;
  }
  return bytes;
}

}  // namespace unmask::test
