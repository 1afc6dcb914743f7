#pragma once
// A data set in memory, and batches of it.

#include <cstdint>
#include <string>
#include <vector>

#include "unmask/dataset.hpp"
#include "unmask/model.hpp"
#include "unmask/params.hpp"

namespace unmask::engine {

/// What the host does to every data set before a model or an attack sees it: the host's options of
/// a definition. The defaults leave everything as it is.
struct DataOptions {
  std::vector<std::int64_t> classes = {};  ///< kept, in the order of their new labels; empty: all
  std::int64_t train_limit = 0;            ///< first samples that are left; 0: all
  std::int64_t test_limit = 0;
  std::int64_t channels = 0;  ///< 0, 1 or 3
  std::int64_t resize = 0;    ///< height and width; 0: as they are

  /// @throws ParamError for a value that no data set can have
  static DataOptions from(const Params& params);
};

/// Shape, classes and names under the options. Counts are what is there at most: how many samples a
/// class filter leaves is not known without labels.
/// @throws ParamError when the options do not fit the data set
DatasetInfo describe(Dataset& dataset, const DataOptions& options);

/// One split, checked against what the data set says of itself.
struct LoadedSplit {
  Tensor images;  ///< [N, C, H, W] on the CPU, uint8 or float32
  Tensor labels;  ///< [N] int64 on the CPU

  std::int64_t size() const { return labels.size(0); }
};

/// Load a split under the options: the class filter, then the limit, then channels, then the size.
/// @throws DataError when the data set breaks its own promises: counts, shapes, dtypes, label range
/// @throws ParamError when the options do not fit the data set
LoadedSplit load_split(Dataset& dataset, Split split, const DataOptions& options);

/// Number of samples of load_split(), without loading images where that is possible.
std::int64_t sample_count(Dataset& dataset, Split split, const DataOptions& options);

/// What looks like a mistake in the labels of a data set and is none by itself, a sentence each: they
/// are counted from 1, or have gaps. Data that would take more than half a gigabyte are not looked at.
std::vector<std::string> remarks_about_labels(Dataset& dataset);

/// Images [B, C, H, W] in [0, 1] of the given samples, as `dtype` on the CPU.
Tensor gather_images(const LoadedSplit& split,
                     const std::vector<std::int64_t>& samples,
                     at::ScalarType dtype);

/// Labels [B] of the given samples.
Tensor gather_labels(const LoadedSplit& split, const std::vector<std::int64_t>& samples);

}  // namespace unmask::engine
