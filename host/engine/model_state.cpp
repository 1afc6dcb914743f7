#include "engine/model_state.hpp"

#include <map>
#include <sstream>

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

std::string shape_text(const Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

}  // namespace

std::vector<NamedTensor> all_tensors(Model& model) {
  std::vector<NamedTensor> result = model.parameters();
  for (NamedTensor& buffer : model.buffers()) result.push_back(std::move(buffer));
  return result;
}

std::vector<NamedTensor> model_state(Model& model) {
  std::vector<NamedTensor> result = all_tensors(model);
  for (NamedTensor& item : result) {
    item.tensor = item.tensor.detach()
                      .to(at::kCPU, item.tensor.scalar_type(), false, /*copy=*/true)
                      .contiguous();
  }
  return result;
}

void load_model_state(Model& model,
                      const std::vector<NamedTensor>& tensors,
                      const std::string& origin) {
  std::string problems;
  std::map<std::string, const Tensor*> given;
  for (const NamedTensor& item : tensors) {
    if (!given.emplace(item.name, &item.tensor).second) {
      problems += "\n  twice: " + item.name;
    }
  }

  std::vector<std::pair<Tensor, const Tensor*>> copies;
  for (const NamedTensor& own : all_tensors(model)) {
    const auto found = given.find(own.name);
    if (found == given.end()) {
      problems += "\n  missing: " + own.name + " " + shape_text(own.tensor);
      continue;
    }
    const Tensor& value = *found->second;
    if (value.sizes() != own.tensor.sizes()) {
      problems += "\n  shape: " + own.name + " is " + shape_text(value) + ", the model has " +
                  shape_text(own.tensor);
    } else if (!value.is_floating_point()) {
      problems += "\n  dtype: " + own.name + " is " + c10::toString(value.scalar_type()) +
                  ", the model needs floating point";
    } else {
      copies.emplace_back(own.tensor, &value);
    }
    given.erase(found);
  }
  for (const auto& [name, value] : given) {
    problems += "\n  unknown to the model: " + name + " " + shape_text(*value);
  }
  if (!problems.empty()) {
    throw DataError(origin +
                    " does not fit the model; check that both were made with the same model and "
                    "parameters:" +
                    problems);
  }

  const at::NoGradGuard no_grad;
  for (auto& [own, value] : copies) own.copy_(*value);
}

}  // namespace unmask::engine
