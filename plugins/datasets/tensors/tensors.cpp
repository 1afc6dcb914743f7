// Any data set that somebody has written as tensors: `images` and `labels` in safetensors files.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/plugin.hpp"
#include "unmask/safetensors.hpp"
#include "unmask/sha256.hpp"

namespace unmask {
namespace {

constexpr std::int64_t kMostClasses = 1'000'000;

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t comma = text.find(',', begin);
    std::string name = text.substr(begin, comma - begin);
    const std::size_t first = name.find_first_not_of(" \t");
    const std::size_t last = name.find_last_not_of(" \t");
    names.push_back(first == std::string::npos ? "" : name.substr(first, last - first + 1));
    if (comma == std::string::npos) return names;
    begin = comma + 1;
  }
}

/// One file: what its header promises, and its tensors on request.
class SplitFile {
 public:
  explicit SplitFile(std::filesystem::path path)
      : path_(std::move(path)),
        reader_(open(path_)),
        images_(entry("images", 4, "[N, C, H, W]")),
        labels_(entry("labels", 1, "[N]")) {
    if (images_.dtype != at::kByte && images_.dtype != at::kFloat) {
      fail("tensor \"images\" has dtype " + images_.dtype_name +
           ", must be uint8 (U8, k stands for k/255) or float32 (F32) in [0, 1]");
    }
    if (labels_.dtype != at::kLong && labels_.dtype != at::kInt && labels_.dtype != at::kByte) {
      fail("tensor \"labels\" has dtype " + labels_.dtype_name +
           ", must be int64 (I64), int32 (I32) or uint8 (U8)");
    }
    if (std::find(images_.shape.begin(), images_.shape.end(), 0) != images_.shape.end()) {
      fail("tensor \"images\" has shape " + shape_text(images_.shape) + ", no size may be zero");
    }
    if (labels_.shape[0] != images_.shape[0]) {
      fail("tensor \"labels\" has shape " + shape_text(labels_.shape) + ", \"images\" has " +
           shape_text(images_.shape) + "; there must be one label for each image");
    }
  }

  const std::filesystem::path& path() const { return path_; }
  const std::vector<std::int64_t>& shape() const { return images_.shape; }

  /// int64, none of them negative.
  Tensor labels() const {
    const Tensor labels = read(labels_).to(at::kLong);
    const auto* label = labels.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < labels.size(0); ++i) {
      if (label[i] < 0 || label[i] >= kMostClasses) {
        fail("label " + std::to_string(i) + " is " + std::to_string(label[i]) +
             ", allowed are 0 to the number of classes minus 1");
      }
    }
    return labels;
  }

  Tensor images() const {
    const Tensor images = read(images_);
    if (images.scalar_type() == at::kByte) return images;
    const float* pixel = images.data_ptr<float>();
    const std::int64_t of_image = images.numel() / images.size(0);
    for (std::int64_t i = 0; i < images.numel(); ++i) {
      if (!(pixel[i] >= 0 && pixel[i] <= 1)) {  // NaN too
        fail("image " + std::to_string(i / of_image) + " has the value " +
             std::to_string(pixel[i]) +
             ", must be in [0, 1]; divide by the largest value, and leave normalisation to the "
             "model");
      }
    }
    return images;
  }

  [[noreturn]] void fail(const std::string& problem) const {
    throw DataError("data set tensors: " + path_.string() + ": " + problem);
  }

 private:
  static TensorFileReader open(const std::filesystem::path& path) {
    try {
      return TensorFileReader(path);
    } catch (Error& error) {
      error.add_context("data set tensors");
      throw;
    }
  }

  TensorEntry entry(const char* name, std::size_t dimensions, const char* wanted) const {
    const TensorEntry* const found = reader_.find(name);
    if (found == nullptr) {
      std::string present;
      for (const TensorEntry& other : reader_.entries()) {
        present += (present.empty() ? "\"" : ", \"") + other.name + "\"";
      }
      fail("there is no tensor \"" + std::string(name) + "\"; the file holds " +
           (present.empty() ? "none" : present));
    }
    if (found->shape.size() != dimensions) {
      fail("tensor \"" + std::string(name) + "\" has shape " + shape_text(found->shape) +
           ", must be " + wanted);
    }
    return *found;
  }

  Tensor read(const TensorEntry& entry) const {
    try {
      return reader_.read(entry);
    } catch (Error& error) {
      error.add_context("data set tensors");
      throw;
    }
  }

  std::filesystem::path path_;
  TensorFileReader reader_;
  TensorEntry images_;
  TensorEntry labels_;
};

class Tensors final : public Dataset {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "any images with labels, read from safetensors files",
        .source = "own; specified in tensors.md",
        .params = {path("train",
                        "safetensors file of the training split: \"images\" [N, C, H, W] uint8 "
                        "or float32 in [0, 1], \"labels\" [N] int64, int32 or uint8")
                       .optional(),
                   path("test", "the same for the test split").optional(),
                   path("file", "one file as both splits, in place of train and test").optional(),
                   integer("num_classes",
                           "number of classes; left out: that of class_names, else the "
                           "largest label plus 1")
                       .at_least(2)
                       .at_most(static_cast<double>(kMostClasses))
                       .optional(),
                   text("class_names",
                        "names of the classes in the order of their labels, with commas "
                        "between them; left out: the labels")
                       .optional()},
        .capabilities = {"content_from_params"}};
  }

  explicit Tensors(const Params& params) {
    const auto optional_path = [&](const char* name) -> std::optional<std::filesystem::path> {
      if (!params.has(name)) return std::nullopt;
      return params.get_text(name);
    };
    train_path_ = optional_path("train");
    test_path_ = optional_path("test");
    if (const auto file = optional_path("file")) {
      if (train_path_ || test_path_) {
        throw ParamError(
            "parameter \"file\" stands for both splits: leave it out, or leave out \"train\" and "
            "\"test\"");
      }
      train_path_ = test_path_ = file;
    }
    if (!train_path_ && !test_path_) {
      throw ParamError("one of the parameters \"train\", \"test\" and \"file\" must name a file");
    }
    if (params.has("num_classes")) num_classes_ = params.get_integer("num_classes");
    if (params.has("class_names")) set_class_names(params.get_text("class_names"));
  }

  DatasetInfo describe() override {
    if (!info_) info_ = examine();
    return *info_;
  }

  std::string content_hash() override {
    if (!hash_) {
      describe();  // a malformed file is reported as such, not hashed
      const std::string train = split_hash(train_path_);
      const std::string test = test_path_ == train_path_ ? train : split_hash(test_path_);
      hash_ = sha256_hex("tensors\n" + train + test);
    }
    return *hash_;
  }

  Samples load(Split split) override {
    const DatasetInfo info = describe();
    const auto& path = path_of(split);
    if (!path) {
      return {at::empty({0, info.channels, info.height, info.width}, at::kByte),
              at::empty({0}, at::kLong)};
    }
    const SplitFile file(*path);
    Samples samples{file.images(), file.labels()};
    check_labels(file, samples.labels, info.num_classes);
    return samples;
  }

 private:
  const std::optional<std::filesystem::path>& path_of(Split split) const {
    return split == Split::kTrain ? train_path_ : test_path_;
  }

  void set_class_names(const std::string& text) {
    class_names_ = split_names(text);
    const std::set<std::string> distinct(class_names_.begin(), class_names_.end());
    if (distinct.size() != class_names_.size() || distinct.contains("") ||
        class_names_.size() < 2) {
      throw ParamError("parameter \"class_names\" = \"" + text +
                       "\": must be at least two different names with commas between them");
    }
    const auto count = static_cast<std::int64_t>(class_names_.size());
    if (num_classes_ && *num_classes_ != count) {
      throw ParamError("parameter \"class_names\" = \"" + text + "\": gives " +
                       std::to_string(count) +
                       " names for \"num_classes\" = " + std::to_string(*num_classes_));
    }
    num_classes_ = count;
  }

  // Headers and labels of both files.
  DatasetInfo examine() const {
    DatasetInfo info;
    std::optional<SplitFile> first;
    std::int64_t largest = 1;  // there are at least two classes
    for (const Split split : {Split::kTrain, Split::kTest}) {
      const auto& path = path_of(split);
      if (!path) continue;
      const SplitFile file(*path);
      const std::vector<std::int64_t>& shape = file.shape();
      if (!first) {
        first.emplace(file);
        info.channels = shape[1];
        info.height = shape[2];
        info.width = shape[3];
      } else if (!std::equal(shape.begin() + 1, shape.end(), first->shape().begin() + 1)) {
        file.fail("tensor \"images\" has shape " + shape_text(shape) + ", that of " +
                  first->path().string() + " has " + shape_text(first->shape()) +
                  "; all images must have one size");
      }
      (split == Split::kTrain ? info.train_count : info.test_count) = shape[0];
      const Tensor labels = file.labels();
      if (num_classes_) check_labels(file, labels, *num_classes_);
      largest = std::max(largest, labels.max().item<std::int64_t>());
    }
    info.num_classes = num_classes_.value_or(largest + 1);
    info.class_names = class_names_;
    if (info.class_names.empty()) {
      for (std::int64_t i = 0; i < info.num_classes; ++i) {
        info.class_names.push_back(std::to_string(i));
      }
    }
    return info;
  }

  static void check_labels(const SplitFile& file, const Tensor& labels, std::int64_t num_classes) {
    const Tensor wrong = labels.ge(num_classes).nonzero();
    if (wrong.size(0) == 0) return;
    const auto i = wrong[0][0].item<std::int64_t>();
    const bool is_from_one =
        labels.min().item<std::int64_t>() == 1 && labels.max().item<std::int64_t>() == num_classes;
    file.fail("label " + std::to_string(i) + " is " +
              std::to_string(labels[i].item<std::int64_t>()) + ", allowed are 0 to " +
              std::to_string(num_classes - 1) +
              (is_from_one ? "; the labels seem to be counted from 1: subtract 1" : ""));
  }

  // Of what is read from the file, so that neither its other tensors nor its layout count.
  static std::string split_hash(const std::optional<std::filesystem::path>& path) {
    if (!path) return "none\n";
    const SplitFile file(*path);
    return shape_text(file.shape()) + " " + hash_of(file.images()) + " " + hash_of(file.labels()) +
           "\n";
  }

  static std::string hash_of(const Tensor& values) {
    Sha256 hash;
    hash.update(values.data_ptr(),
                static_cast<std::size_t>(values.numel()) * values.element_size());
    return std::string(c10::toString(values.scalar_type())) + " " + hash.hex();
  }

  std::optional<std::filesystem::path> train_path_;
  std::optional<std::filesystem::path> test_path_;
  std::optional<std::int64_t> num_classes_;
  std::vector<std::string> class_names_;
  std::optional<DatasetInfo> info_;
  std::optional<std::string> hash_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Tensors)
