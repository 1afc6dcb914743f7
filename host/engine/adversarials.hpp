#pragma once
// Adversarial images on disk: one safetensors file for each attack cell that was told to keep them.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/data.hpp"
#include "unmask/tensor.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Write `<folder>/<key>.safetensors`, whole or absent: `images` and `adversarials` [N, C, H, W] in
/// the dtype of the study, `labels`, `clean_predictions` and `predictions` int64 [N]. The image of
/// a sample that was misclassified from the start stands in both.
/// @param data         the evaluated samples
/// @param adversarial  the judged images, any device
/// @param outcomes     of all samples, in order
wire::ResultFile save_adversarials(const std::filesystem::path& folder,
                                   const std::string& key,
                                   const LoadedSplit& data,
                                   const Tensor& adversarial,
                                   const std::vector<wire::SampleOutcome>& outcomes);

}  // namespace unmask::engine
