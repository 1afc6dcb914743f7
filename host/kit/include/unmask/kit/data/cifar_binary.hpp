#pragma once
// The "binary version" of CIFAR-10 and CIFAR-100: records of label bytes followed by 3072 bytes, 32
// x 32 red values, then green, then blue, row by row. Files may hold any number of records, so that
// a part of the original works too.

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "unmask/dataset.hpp"
#include "unmask/kit/data/files.hpp"
#include "unmask/sha256.hpp"

namespace unmask::kit {

struct CifarLayout {
  std::string id;
  std::vector<std::int64_t> label_classes;  ///< classes of every label byte; the last one counts
  std::vector<std::string> train_files;
  std::vector<std::string> test_files;
  std::vector<std::string> class_names;
};

/// Base of both plugins.
class CifarBinary : public Dataset {
 public:
  CifarBinary(CifarLayout layout, const std::string& folder)
      : layout_(std::move(layout)), folder_{layout_.id, folder, contents(layout_)} {}

  DatasetInfo describe() override {
    return {.channels = 3,
            .height = kSide,
            .width = kSide,
            .num_classes = layout_.label_classes.back(),
            .train_count = count(layout_.train_files),
            .test_count = count(layout_.test_files),
            .class_names = layout_.class_names};
  }

  std::string content_hash() override {
    if (!hash_) {
      describe();  // a malformed file is reported as such, not hashed
      std::string text = layout_.id + "\n";
      for (const auto* files : {&layout_.train_files, &layout_.test_files}) {
        for (const std::string& name : *files) {
          text += name + " " + sha256_file(folder_.path / name) + "\n";
        }
      }
      hash_ = sha256_hex(text);
    }
    return *hash_;
  }

  Samples load(Split split) override {
    const auto& files = split == Split::kTrain ? layout_.train_files : layout_.test_files;
    const std::int64_t total = count(files);
    const Tensor images = at::empty({total, 3, kSide, kSide}, at::kByte);
    const Tensor labels = at::empty({total}, at::kLong);
    std::uint8_t* pixels = images.data_ptr<std::uint8_t>();
    std::int64_t* label = labels.data_ptr<std::int64_t>();
    std::int64_t left = total;
    for (const std::string& name : files) {
      const std::filesystem::path file = folder_.path / name;
      const std::string bytes = folder_.read(file, folder_.size_of(file));
      const std::size_t records = bytes.size() / record_size();
      left -= static_cast<std::int64_t>(records);
      if (bytes.size() % record_size() != 0 || left < 0) fail_changed(file);
      for (std::size_t r = 0; r < records; ++r, pixels += kPixels, ++label) {
        *label = read_label(file, bytes, r);
        std::memcpy(pixels, bytes.data() + r * record_size() + label_bytes(), kPixels);
      }
    }
    if (left != 0) fail_changed(folder_.path);
    return {images, labels};
  }

 private:
  static constexpr std::int64_t kSide = 32;
  static constexpr std::size_t kPixels = 3 * 32 * 32;

  static std::string contents(const CifarLayout& layout) {
    std::string names;
    for (const auto* files : {&layout.train_files, &layout.test_files}) {
      for (const std::string& name : *files) names += (names.empty() ? "" : ", ") + name;
    }
    return "the binary version of the data set: " + names;
  }

  std::size_t label_bytes() const { return layout_.label_classes.size(); }
  std::size_t record_size() const { return label_bytes() + kPixels; }

  std::int64_t count(const std::vector<std::string>& files) const {
    std::int64_t total = 0;
    for (const std::string& name : files) {
      const std::filesystem::path file = folder_.path / name;
      const std::uintmax_t size = folder_.size_of(file);
      if (size == 0 || size % record_size() != 0) {
        folder_.fail_kind(file,
                          "has " + std::to_string(size) + " bytes, not a multiple of the " +
                              std::to_string(record_size()) +
                              " bytes of a record; it is truncated or not the binary version");
      }
      total += static_cast<std::int64_t>(size / record_size());
    }
    return total;
  }

  std::int64_t read_label(const std::filesystem::path& file,
                          const std::string& bytes,
                          std::size_t record) const {
    std::int64_t label = 0;
    for (std::size_t i = 0; i < label_bytes(); ++i) {
      label = byte_at(bytes, record * record_size() + i);
      if (label >= layout_.label_classes[i]) {
        folder_.fail(file,
                     "record " + std::to_string(record) + " has label " + std::to_string(label) +
                         ", allowed are 0 to " + std::to_string(layout_.label_classes[i] - 1) +
                         "; it is damaged or belongs to another data set");
      }
    }
    return label;
  }

  [[noreturn]] void fail_changed(const std::filesystem::path& file) const {
    folder_.fail(file, "changed while it was read; do not write to a data set in use");
  }

  CifarLayout layout_;
  DataFolder folder_;
  std::optional<std::string> hash_;
};

}  // namespace unmask::kit
