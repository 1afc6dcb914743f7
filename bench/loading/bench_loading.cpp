// What a data set costs, as the processes of the program come to it.
//
//   bench_loading PLUGIN FOLDER CACHE hash|load
//
// `hash` is what the preparation of a run asks: description and content hash. `load` is what a
// worker asks: these, and the images of both splits. What is remembered lies in CACHE. Prints one
// line of JSON: the seconds that it took, without the start of LibTorch, and the SHA-256 of the
// training images and labels in the order of the data set, for comparison with another reader.

#include <chrono>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>

#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "base/cache.hpp"
#include "engine/remembered_dataset.hpp"
#include "engine/worker.hpp"
#include "loader/registry.hpp"
#include "support/plugins.hpp"
#include "unmask/sha256.hpp"

namespace unmask::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::string hash_of(const Samples& samples) {
  Sha256 hash;
  for (const Tensor& tensor : {samples.images, samples.labels}) {
    const Tensor bytes = tensor.contiguous();
    hash.update(
        bytes.data_ptr(),
        static_cast<std::size_t>(bytes.numel()) * static_cast<std::size_t>(bytes.element_size()));
  }
  return hash.hex();
}

int run(const std::string& plugin,
        const std::string& folder,
        const std::filesystem::path& cache,
        bool loads) {
  engine::configure_libtorch(1);  // as a worker does
  const nlohmann::json params = {{"folder", folder}};
  loader::Registry registry({test::plugin_file("dataset", plugin)});
  const auto& record = registry.record("dataset", plugin);

  const auto start = Clock::now();
  const auto dataset = engine::remembered(registry.create_dataset(plugin, params),
                                          record,
                                          params,
                                          {base::Cache(cache), cache / "images"});
  nlohmann::json line = {{"train", dataset->describe().train_count},
                         {"content", dataset->content_hash()}};
  Samples train, test;
  if (loads) {
    train = dataset->load(Split::kTrain);
    test = dataset->load(Split::kTest);
  }
  line["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();

  if (loads) line["images"] = hash_of(train);
  std::cout << line.dump() << std::endl;
  return 0;
}

}  // namespace
}  // namespace unmask::bench

int main(int argc, char** argv) {
  const std::string_view step = argc == 5 ? argv[4] : "";
  if (step != "hash" && step != "load") {
    std::cerr << "bench_loading PLUGIN FOLDER CACHE hash|load\n";
    return 2;
  }
  try {
    return unmask::bench::run(argv[1], argv[2], argv[3], step == "load");
  } catch (const std::exception& error) {
    std::cerr << "bench_loading: " << error.what() << "\n";
    return 1;
  }
}
