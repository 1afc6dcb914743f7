// Parsers that make tensors: safetensors, schedules of steps, MNIST's and CIFAR's files.

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "fuzz/targets.hpp"
#include "ode/schedule.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/safetensors.hpp"

namespace unmask::fuzz {
namespace {

// Both ways to read a file must agree on whether it is one.
void safetensors(std::string_view bytes) {
  bool is_good = true;
  try {
    parse_safetensors(bytes, "input");
  } catch (const DataError&) {
    is_good = false;
  }
  try {
    const TensorFileReader reader(scratch_file("x.safetensors", bytes));
    for (const TensorEntry& entry : reader.entries()) reader.read(entry);
  } catch (const DataError&) {
    is_good = !is_good;
  }
  if (!is_good) throw std::logic_error("two readers of safetensors disagree");
}

void schedules(std::string_view bytes) {
  try {
    ode::load_schedules(scratch_file("steps.json", bytes));
  } catch (const DataError&) {
  }
}

// What a data set gives of a folder keeps the rules of data sets.
void load(const std::string& id) {
  try {
    const auto data =
        test::make_plugin<Dataset>("dataset", id, {{"folder", scratch_folder() + "/" + id}});
    const DatasetInfo info = data->describe();
    for (const Split split : {Split::kTrain, Split::kTest}) {
      const Samples samples = data->load(split);
      const std::int64_t count = split == Split::kTrain ? info.train_count : info.test_count;
      if (samples.images.size(0) != count || samples.labels.size(0) != count) {
        throw std::logic_error("other counts than announced");
      }
      const bool is_empty = count == 0;
      if (!is_empty && (samples.labels.min().item<std::int64_t>() < 0 ||
                        samples.labels.max().item<std::int64_t>() >= info.num_classes)) {
        throw std::logic_error("a label that is no class");
      }
    }
  } catch (const DataError&) {
  }
}

std::string in_folder(const std::string& id, const std::string& name) {
  std::filesystem::create_directories(scratch_folder() + "/" + id);
  return id + "/" + name;
}

// Images, a zero of two bytes, labels: the same for both splits.
void idx(std::string_view bytes) {
  const std::size_t size = bytes.size() < 2 ? 0
                                            : static_cast<unsigned char>(bytes[0]) * 256U +
                                                  static_cast<unsigned char>(bytes[1]);
  bytes.remove_prefix(std::min<std::size_t>(2, bytes.size()));
  const std::string_view images = bytes.substr(0, size);
  const std::string_view labels = bytes.substr(std::min(size, bytes.size()));
  for (const std::string part : {"train", "t10k"}) {
    scratch_file(in_folder("mnist", part + "-images-idx3-ubyte"), images);
    scratch_file(in_folder("mnist", part + "-labels-idx1-ubyte"), labels);
  }
  load("mnist");
}

void cifar(std::string_view bytes) {
  for (const char* name : {"data_batch_1.bin",
                           "data_batch_2.bin",
                           "data_batch_3.bin",
                           "data_batch_4.bin",
                           "data_batch_5.bin",
                           "test_batch.bin"}) {
    scratch_file(in_folder("cifar10", name), bytes);
  }
  load("cifar10");
}

}  // namespace

const std::map<std::string, Target>& targets() {
  static const std::map<std::string, Target> all = {
      {"cifar", cifar}, {"idx", idx}, {"safetensors", safetensors}, {"schedules", schedules}};
  return all;
}

}  // namespace unmask::fuzz
