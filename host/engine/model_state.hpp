#pragma once
// The state of a model, parameters and buffers, as named tensors: what a checkpoint holds.

#include <string>
#include <vector>

#include "unmask/model.hpp"

namespace unmask::engine {

/// The model's own tensors: parameters, then buffers.
std::vector<NamedTensor> all_tensors(Model& model);

/// Copies of a model's parameters, then buffers, on the CPU, in their dtype.
std::vector<NamedTensor> model_state(Model& model);

/// Overwrite a model's parameters and buffers, matching tensors by name. Values are converted to
/// the model's dtype and device.
/// @param origin  what messages call the tensors: the checkpoint's path
/// @throws DataError that lists all tensors which are missing, unknown to the model, given twice,
///         of another shape, or not of floating dtype; the model is then unchanged
void load_model_state(Model& model,
                      const std::vector<NamedTensor>& tensors,
                      const std::string& origin);

}  // namespace unmask::engine
