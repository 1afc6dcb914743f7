#pragma once
// Files of the data set `tensors` that tests write themselves.

#include <filesystem>

#include "support/tiny_datasets.hpp"
#include "unmask/safetensors.hpp"

namespace unmask::test {

inline void write_tensors(const std::filesystem::path& file,
                          const Tensor& images,
                          const Tensor& labels) {
  write_file(file, safetensors_bytes({{"images", images}, {"labels", labels}}));
}

}  // namespace unmask::test
