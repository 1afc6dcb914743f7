#pragma once
// Small files in the formats of the data sets that users bring, made by the tests themselves.

#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <zlib.h>

namespace unmask::test {

/// A new folder, removed with everything in it at the end.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "unmask-data-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

inline void write_gzip(const std::filesystem::path& file, const std::string& bytes) {
  const gzFile stream = gzopen(file.c_str(), "wb");
  if (stream == nullptr) throw std::runtime_error("cannot write " + file.string());
  gzwrite(stream, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(stream);
}

inline std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Records of CIFAR's binary version. Pixel p (channel-major) of record r is (7 r + p) mod 256; the
/// last label byte is r mod `classes`, a coarse one before it is 3.
inline std::string cifar_records(int count, int label_bytes, int classes) {
  std::string bytes;
  for (int r = 0; r < count; ++r) {
    if (label_bytes == 2) bytes.push_back(3);
    bytes.push_back(static_cast<char>(r % classes));
    for (int p = 0; p < 3072; ++p) bytes.push_back(static_cast<char>((7 * r + p) % 256));
  }
  return bytes;
}

inline void write_cifar10(const std::filesystem::path& folder) {
  for (int i = 1; i <= 5; ++i) {
    write_file(folder / ("data_batch_" + std::to_string(i) + ".bin"), cifar_records(i, 1, 10));
  }
  write_file(folder / "test_batch.bin", cifar_records(4, 1, 10));
}

inline void write_cifar100(const std::filesystem::path& folder) {
  write_file(folder / "train.bin", cifar_records(101, 2, 100));
  write_file(folder / "test.bin", cifar_records(3, 2, 100));
}

inline std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

/// IDX images: pixel p of image i is (11 i + p) mod 256.
inline std::string idx_images(std::uint32_t count, std::uint32_t height, std::uint32_t width) {
  std::string bytes =
      big_endian(0x803) + big_endian(count) + big_endian(height) + big_endian(width);
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t p = 0; p < height * width; ++p) {
      bytes.push_back(static_cast<char>((11 * i + p) % 256));
    }
  }
  return bytes;
}

inline std::string idx_labels(std::uint32_t count) {
  std::string bytes = big_endian(0x801) + big_endian(count);
  for (std::uint32_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>(i % 10));
  return bytes;
}

/// Twelve training and five test images of 6 x 4 pixels.
inline void write_mnist(const std::filesystem::path& folder) {
  write_file(folder / "train-images-idx3-ubyte", idx_images(12, 6, 4));
  write_file(folder / "train-labels-idx1-ubyte", idx_labels(12));
  write_file(folder / "t10k-images-idx3-ubyte", idx_images(5, 6, 4));
  write_file(folder / "t10k-labels-idx1-ubyte", idx_labels(5));
}

}  // namespace unmask::test
