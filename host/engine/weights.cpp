#include "engine/weights.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include <torch/types.h>

#include "engine/model_state.hpp"
#include "engine/name_table.hpp"
#include "engine/safetensors.hpp"
#include "text/diagnostics.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

using words::in_quotes;

constexpr std::string_view kBatchCount = "num_batches_tracked";

std::vector<std::string> names_of(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& item : tensors) names.push_back(item.name);
  return names;
}

std::vector<std::string> own_names(Model& model) {
  std::vector<std::string> names = names_of(model.parameters());
  for (const NamedTensor& buffer : model.buffers()) names.push_back(buffer.name);
  return names;
}

// "module." when names of the one list are mostly those of the other behind "module."; "" when
// there is no such prefix. A prefix ends with '.' or '/'.
std::string common_prefix(const std::vector<std::string>& longer,
                          const std::vector<std::string>& shorter) {
  const std::set<std::string> wanted(shorter.begin(), shorter.end());
  std::map<std::string, std::size_t> counts;
  for (const std::string& name : longer) {
    for (std::size_t at = name.find_first_of("./"); at != std::string::npos;
         at = name.find_first_of("./", at + 1)) {
      if (wanted.contains(name.substr(at + 1))) ++counts[name.substr(0, at + 1)];
    }
  }
  const auto best =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
        return a.second < b.second;
      });
  return best == counts.end() || 2 * best->second < shorter.size() ? "" : best->first;
}

// What a table of names would have to say, as far as the names tell; "" when they do not.
std::string advice(const std::vector<std::string>& in_file, const std::vector<std::string>& own) {
  std::set<std::string> missing(own.begin(), own.end());
  std::vector<std::string> unknown;
  std::string rules;
  const auto add = [&](const std::string& rule) { rules += (rules.empty() ? "" : ", ") + rule; };
  bool counts_batches = false;
  for (const std::string& name : in_file) {
    if (missing.erase(name) > 0) continue;
    if (name.ends_with(kBatchCount)) {
      counts_batches = true;
    } else {
      unknown.push_back(name);
    }
  }
  if (counts_batches) add("\"*" + std::string(kBatchCount) + "\": null");
  const std::vector<std::string> wanted(missing.begin(), missing.end());
  if (const std::string prefix = common_prefix(unknown, wanted); !prefix.empty()) {
    add("\"" + prefix + "*\": \"*\"");
  } else if (wanted.size() == own.size()) {
    // A rule for "*" must not touch names that fit already.
    if (const std::string more = common_prefix(wanted, unknown); !more.empty()) {
      add("\"*\": \"" + more + "*\"");
    }
  }
  if (rules.empty()) return "";
  return "\na table of names (\"weights_names\" in a manifest, --names of unmask import) may help: "
         "{" +
         rules + "}";
}

[[noreturn]] void fail_value(const WeightsFile& weights,
                             const std::string& name,
                             const Tensor& is_bad,
                             const std::string& what) {
  const std::int64_t index = is_bad.reshape({-1}).nonzero()[0].item<std::int64_t>();
  throw DataError("the weights in " + weights.file.string() + " cannot be used: tensor " +
                  in_quotes(name) + " has " + what + " at index " + std::to_string(index) + " of " +
                  std::to_string(is_bad.numel()));
}

// A network with such a value answers NaN, or with one answer to every image.
void expect_usable(const WeightsFile& weights, const std::string& name, const Tensor& tensor) {
  if (!tensor.is_floating_point()) return;
  const Tensor values = tensor.to(at::kDouble);
  const Tensor is_nan = values.isnan();
  if (is_nan.any().item<bool>()) fail_value(weights, name, is_nan, "NaN");
  const Tensor is_large = values.isfinite().logical_and(
      values.abs().gt(static_cast<double>(std::numeric_limits<float>::max())));
  if (is_large.any().item<bool>()) {
    fail_value(weights, name, is_large, "a value beyond float32");
  }
}

// Masks among the buffers may be infinite; nothing that is learned is.
void expect_finite(const WeightsFile& weights, const std::string& name, const Tensor& tensor) {
  if (!tensor.is_floating_point()) return;
  const Tensor is_infinite = tensor.to(at::kDouble).isinf();
  if (is_infinite.any().item<bool>()) {
    fail_value(weights, name, is_infinite, "an infinite value");
  }
}

}  // namespace

WeightsFile weights_of(const Params& training_options) {
  WeightsFile result{training_options.get_text("weights"), std::nullopt};
  if (training_options.has("weights_names")) {
    result.names = training_options.get_text("weights_names");
  }
  return result;
}

void expect_readable(const WeightsFile& weights) {
  const TensorFileReader reader(weights.file);
  if (weights.names) NameTable::read(*weights.names);
}

LoadedWeights load_weights(Model& model, const WeightsFile& weights) {
  const TensorFileReader file(weights.file);
  const NameTable table = weights.names ? NameTable::read(*weights.names) : NameTable();
  std::vector<NamedTensor> renamed;
  std::vector<std::string> in_file;
  for (const TensorEntry& entry : file.entries()) {
    in_file.push_back(entry.name);
    auto name = table.model_name(entry.name);
    if (!name) continue;  // nobody reads it, so it may be anything
    renamed.push_back({*std::move(name), file.read(entry)});
    expect_usable(weights, entry.name, renamed.back().tensor);
  }
  const std::vector<std::string> unused = table.unused(in_file);
  try {
    load_model_state(model, renamed, weights.file.string());
  } catch (const DataError& error) {
    std::string text = error.what();
    for (const std::string& rule : unused) {
      text += "\n  no tensor fits the rule " + in_quotes(rule) + " of the table of names";
    }
    // With a table, further rules would have to be woven into it.
    if (table.empty()) text += advice(names_of(renamed), own_names(model));
    throw DataError(text);
  }
  for (const NamedTensor& parameter : model.parameters()) {
    expect_finite(weights, parameter.name, parameter.tensor);
  }
  std::map<std::string, Tensor> by_name;
  for (const NamedTensor& item : renamed) by_name.emplace(item.name, item.tensor);
  LoadedWeights result;
  for (const std::string& name : own_names(model)) {
    result.tensors.push_back({name, by_name.at(name)});
  }
  result.unused_rules = unused;
  return result;
}

}  // namespace unmask::engine
