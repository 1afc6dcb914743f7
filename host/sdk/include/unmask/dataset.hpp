#pragma once
// A data set: images with labels in two splits, and a hash of its content.

#include <cstdint>
#include <string>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

enum class Split { kTrain, kTest };

/// What is known without loading images.
struct DatasetInfo {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t num_classes = 0;
  std::int64_t train_count = 0;
  std::int64_t test_count = 0;
  std::vector<std::string> class_names;  ///< num_classes entries
};

/// One split in memory, on the CPU.
struct Samples {
  Tensor images;  ///< [N, C, H, W], uint8 (k stands for k/255) or float32 in [0, 1]
  Tensor labels;  ///< [N], int64 in [0, num_classes)
};

/// Base of every data set plugin. The class is constructible from (const Params&).
class UNMASK_API Dataset {
 public:
  Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;
  virtual ~Dataset();

  /// What load() will give, without reading images. (Not named info(): that is the plugin's own
  /// table.)
  /// @throws DataError when files are missing or malformed: which file, what is wrong with it
  virtual DatasetInfo describe() = 0;

  /// Hash of everything that decides the images and labels, 64 hexadecimal digits. Part of every
  /// key: two folders with the same content give the same keys. @throws DataError as describe()
  virtual std::string content_hash() = 0;

  /// Read or generate one split. @throws DataError as describe()
  virtual Samples load(Split split) = 0;
};

}  // namespace v1
}  // namespace unmask
