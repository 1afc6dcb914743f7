#include "engine/adversarials.hpp"

#include <numeric>

#include <torch/types.h>

#include "base/files.hpp"
#include "engine/safetensors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::engine {

wire::ResultFile save_adversarials(const std::filesystem::path& folder,
                                   const std::string& key,
                                   const LoadedSplit& data,
                                   const Tensor& adversarial,
                                   const std::vector<wire::SampleOutcome>& outcomes) {
  std::vector<std::int64_t> all(outcomes.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::int64_t> labels, clean_predictions, predictions;
  for (const wire::SampleOutcome& outcome : outcomes) {
    labels.push_back(outcome.label);
    clean_predictions.push_back(outcome.clean_prediction);
    predictions.push_back(outcome.prediction);
  }
  const std::string bytes =
      safetensors_bytes({{"images", gather_images(data, all, adversarial.scalar_type())},
                         {"adversarials", adversarial.to(at::kCPU).contiguous()},
                         {"labels", torch::tensor(labels, at::kLong)},
                         {"clean_predictions", torch::tensor(clean_predictions, at::kLong)},
                         {"predictions", torch::tensor(predictions, at::kLong)}},
                        {{"cell", key}});
  const std::string name = key + ".safetensors";
  base::write_file_atomically(folder / name, bytes);
  return {sha256_hex(bytes), static_cast<std::int64_t>(bytes.size()), name};
}

}  // namespace unmask::engine
