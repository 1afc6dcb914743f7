#include "engine/data.hpp"

#include <algorithm>
#include <numeric>
#include <set>

#include <torch/types.h>

#include "base/counted.hpp"
#include "unmask/errors.hpp"
#include "unmask/images.hpp"

namespace unmask::engine {
namespace {

const char* name_of(Split split) {
  return split == Split::kTrain ? "training" : "test";
}

Tensor index_tensor(const std::vector<std::int64_t>& samples) {
  return torch::tensor(samples, torch::kLong);
}

// The samples as the data set gives them, held to what it says of itself.
LoadedSplit load_checked(Dataset& dataset, const DatasetInfo& info, Split split) {
  const Samples samples = dataset.load(split);
  const std::int64_t promised = split == Split::kTrain ? info.train_count : info.test_count;
  const auto require = [&](bool condition, const std::string& rule) {
    if (!condition) {
      throw DataError("the data set's " + std::string(name_of(split)) +
                      " split is inconsistent: " + rule);
    }
  };
  require(samples.images.dim() == 4, "images must be [N, C, H, W]");
  require(samples.images.size(0) == promised && samples.labels.dim() == 1 &&
              samples.labels.size(0) == promised,
          base::counted(promised, "sample") + (promised == 1 ? " was" : " were") + " announced, " +
              base::counted(samples.images.size(0), "image") + " came");
  require(samples.images.size(1) == info.channels && samples.images.size(2) == info.height &&
              samples.images.size(3) == info.width,
          "images do not have the announced shape");
  const auto dtype = samples.images.scalar_type();
  require(dtype == at::kByte || dtype == at::kFloat, "images must be uint8 or float32");
  require(samples.labels.scalar_type() == at::kLong, "labels must be int64");
  if (promised > 0) {
    require(samples.labels.min().item<std::int64_t>() >= 0 &&
                samples.labels.max().item<std::int64_t>() < info.num_classes,
            "a label is outside of 0 .. " + std::to_string(info.num_classes - 1));
    if (dtype == at::kFloat) {
      const bool inside = samples.images.ge(0).logical_and(samples.images.le(1)).all().item<bool>();
      require(inside, "a pixel is outside of [0, 1]");
    }
  }
  return {samples.images, samples.labels};
}

std::int64_t limit_of(const DataOptions& options, Split split) {
  return split == Split::kTrain ? options.train_limit : options.test_limit;
}

std::int64_t limited(std::int64_t count, std::int64_t limit) {
  return limit > 0 ? std::min(limit, count) : count;
}

// Only samples of the kept classes, labelled by the place of their class in the list.
LoadedSplit keep_classes(const LoadedSplit& split,
                         const std::vector<std::int64_t>& classes,
                         std::int64_t num_classes) {
  Tensor place = at::full({num_classes}, -1, at::kLong);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    place[classes[i]] = static_cast<std::int64_t>(i);
  }
  const Tensor labels = place.index_select(0, split.labels);
  const Tensor kept = labels.ge(0).nonzero().view(-1);
  return {split.images.index_select(0, kept), labels.index_select(0, kept)};
}

}  // namespace

DataOptions DataOptions::from(const Params& params) {
  DataOptions options;
  options.classes = params.get_integers("classes");
  options.train_limit = params.get_integer("train_limit");
  options.test_limit = params.get_integer("test_limit");
  options.channels = params.get_integer("channels");
  options.resize = params.get_integer("resize");
  if (options.channels == 2) {
    throw ParamError("parameter \"channels\" = 2: must be 0 (as they are), 1 or 3");
  }
  const std::set<std::int64_t> distinct(options.classes.begin(), options.classes.end());
  if (distinct.size() != options.classes.size() || options.classes.size() == 1) {
    throw ParamError("parameter \"classes\" = " + to_text(options.classes) +
                     ": must name at least two classes, each once");
  }
  return options;
}

DatasetInfo describe(Dataset& dataset, const DataOptions& options) {
  DatasetInfo info = dataset.describe();
  if (!options.classes.empty()) {
    std::vector<std::string> names;
    for (const std::int64_t label : options.classes) {
      if (label >= info.num_classes) {
        throw ParamError("parameter \"classes\" = " + to_text(options.classes) +
                         ": there is no class " + std::to_string(label) +
                         ", the data set has 0 to " + std::to_string(info.num_classes - 1));
      }
      names.push_back(info.class_names.at(static_cast<std::size_t>(label)));
    }
    info.num_classes = static_cast<std::int64_t>(options.classes.size());
    info.class_names = std::move(names);
  }
  info.train_count = limited(info.train_count, options.train_limit);
  info.test_count = limited(info.test_count, options.test_limit);
  if (options.channels > 0 && options.channels != info.channels) {
    if (info.channels != 4 - options.channels) {  // 1 from 3, 3 from 1
      throw ParamError("parameter \"channels\" = " + std::to_string(options.channels) +
                       ": the images have " + base::counted(info.channels, "channel") +
                       "; 1 can become 3 and 3 can become 1");
    }
    info.channels = options.channels;
  }
  if (options.resize > 0) info.height = info.width = options.resize;
  return info;
}

LoadedSplit load_split(Dataset& dataset, Split split, const DataOptions& options) {
  const DatasetInfo original = dataset.describe();
  const DatasetInfo wanted = describe(dataset, options);
  LoadedSplit samples = load_checked(dataset, original, split);
  if (!options.classes.empty()) {
    const bool was_empty = samples.size() == 0;
    samples = keep_classes(samples, options.classes, original.num_classes);
    if (samples.size() == 0 && !was_empty) {
      throw DataError("parameter \"classes\" = " + to_text(options.classes) +
                      " leaves no sample of the " + name_of(split) + " split");
    }
  }
  const std::int64_t count = limited(samples.size(), limit_of(options, split));
  samples.images = samples.images.narrow(0, 0, count);
  samples.images = with_channels(samples.images, wanted.channels);
  samples.images = resize_images(samples.images, wanted.height, wanted.width).contiguous();
  samples.labels = samples.labels.narrow(0, 0, count).contiguous();
  return samples;
}

std::int64_t sample_count(Dataset& dataset, Split split, const DataOptions& options) {
  if (!options.classes.empty()) return load_split(dataset, split, options).size();
  const DatasetInfo info = describe(dataset, options);
  return split == Split::kTrain ? info.train_count : info.test_count;
}

std::vector<std::string> remarks_about_labels(Dataset& dataset) {
  constexpr std::int64_t kMostValues = std::int64_t{1} << 27;
  const DatasetInfo info = dataset.describe();
  const std::int64_t count = info.train_count + info.test_count;
  if (count * info.channels * info.height * info.width > kMostValues) return {};
  std::set<std::int64_t> present;
  for (const Split split : {Split::kTrain, Split::kTest}) {
    const LoadedSplit samples = load_checked(dataset, info, split);
    const auto* label = samples.labels.data_ptr<std::int64_t>();
    present.insert(label, label + samples.size());
  }
  if (present.empty()) return {};
  const std::int64_t largest = *present.rbegin();
  const std::int64_t missing_count = largest + 1 - static_cast<std::int64_t>(present.size());
  if (missing_count == 0) return {};
  if (missing_count == 1 && *present.begin() == 1) {
    return {
        "its labels run from 1 to " + std::to_string(largest) +
        ", but labels are counted from 0, so there is a class without images; subtract 1, unless "
        "that is meant"};
  }
  std::string missing;
  constexpr std::int64_t kShown = 5;
  std::int64_t shown = 0;
  for (std::int64_t label = 0; label < largest && shown < kShown; ++label) {
    if (present.contains(label)) continue;
    missing += (missing.empty() ? "" : ", ") + std::to_string(label);
    ++shown;
  }
  return {"no image has the label " + missing + (missing_count > kShown ? " and others" : "") +
          ", though labels go up to " + std::to_string(largest) +
          "; number the classes without gaps, unless that is meant"};
}

Tensor gather_images(const LoadedSplit& split,
                     const std::vector<std::int64_t>& samples,
                     at::ScalarType dtype) {
  const Tensor chosen = split.images.index_select(0, index_tensor(samples));
  return chosen.scalar_type() == at::kByte ? chosen.to(dtype).div_(255) : chosen.to(dtype);
}

Tensor gather_labels(const LoadedSplit& split, const std::vector<std::int64_t>& samples) {
  return split.labels.index_select(0, index_tensor(samples));
}

}  // namespace unmask::engine
