#include "cli/judge_subject.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>
#include <variant>

#include "store/queries.hpp"
#include "text/names.hpp"
#include "text/numbers.hpp"
#include "text/utf8.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Absolute, as it stands in a manifest: that is JSON, and cannot hold every path.
std::string path_in_manifest(const fs::path& path, const std::string& what) {
  std::string text = fs::absolute(path).lexically_normal().string();
  if (words::first_invalid_utf8(text) != std::string::npos) {
    throw UsageError(
        what + ": the path \"" + text +
        "\" is not UTF-8, so that no manifest can name it; rename that file or folder, "
        "or make a symbolic link with another name");
  }
  return text;
}

std::string existing_file(const std::string& name, const std::string& what) {
  if (!fs::is_regular_file(name)) throw UsageError(what + ": there is no file \"" + name + "\"");
  return path_in_manifest(name, what);
}

Json json_object(const std::string& text, const std::string& option) {
  Json value = Json::parse(text, nullptr, false);
  if (!value.is_object()) {
    throw UsageError(option + " takes one JSON object, such as '{\"widths\": [64]}', not \"" +
                     text + "\"");
  }
  return value;
}

// "0.49,0.48,0.45" or "1/255"
Json numbers(const std::string& text, const std::string& option) {
  Json list = Json::array();
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t last = std::min(text.find(',', first), text.size());
    const std::string word = text.substr(first, last - first);
    if (words::parse_ratio(word)) {
      list.push_back(word);
    } else if (const auto value = words::parse_decimal(word)) {
      list.push_back(*value);
    } else {
      throw UsageError(option +
                       " takes one number for each channel, with commas between them, not \"" +
                       text + "\"");
    }
    first = last + 1;
  }
  return list;
}

// Data sets that come in one folder, by the word before the colon.
Json named_dataset(const std::string& plugin, const std::string& folder) {
  if (!fs::is_directory(folder)) {
    throw UsageError("--data " + plugin + ":" + folder + ": there is no folder \"" + folder + "\"");
  }
  return {{"plugin", plugin}, {"params", {{"folder", path_in_manifest(folder, "--data")}}}};
}

Json picture_folder(const fs::path& folder, std::optional<std::int64_t> size) {
  Json params = {{"folder", path_in_manifest(folder, "--data")}};
  // One folder for each class, without splits: nearly all of it is looked at.
  if (!fs::is_directory(folder / "test")) params["test_fraction"] = 0.9;
  if (size) params["size"] = *size;
  return {{"plugin", "image_folder"}, {"params", std::move(params)}};
}

// What the data says itself would be passed over without a word.
void expect_not_given(bool is_given, const std::string& option, const std::string& what_it_is_for) {
  if (is_given) throw UsageError(option + " is for " + what_it_is_for + ", and --data is none");
}

Json dataset_of(const BroughtNetwork& network) {
  const std::string& data = network.data;
  const char* const of_file = "a safetensors file";
  const char* const of_folder = "a folder of pictures";
  for (const char* plugin : {"cifar10", "cifar100", "mnist"}) {
    const std::string begin = std::string(plugin) + ":";
    if (!data.starts_with(begin)) continue;
    expect_not_given(network.classes.has_value(), "--classes", of_file);
    expect_not_given(network.size.has_value(), "--size", of_folder);
    return named_dataset(plugin, data.substr(begin.size()));
  }
  if (fs::is_directory(data)) {
    expect_not_given(network.classes.has_value(), "--classes", of_file);
    return picture_folder(data, network.size);
  }
  if (!fs::is_regular_file(data)) {
    throw UsageError("--data \"" + data +
                     "\" is neither a safetensors file nor a folder of pictures that exists, nor "
                     "cifar10:FOLDER, cifar100:FOLDER or mnist:FOLDER");
  }
  expect_not_given(network.size.has_value(), "--size", of_folder);
  Json params = {{"file", path_in_manifest(data, "--data")}};
  if (network.classes) params["num_classes"] = *network.classes;
  return {{"plugin", "tensors"}, {"params", std::move(params)}};
}

std::string name_from(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
    name += is_plain ? c : '_';
  }
  name = name.substr(0, 40);
  return words::is_valid_name(name) ? name : "network";
}

void define_torchscript(const BroughtNetwork& network, Json& define, const std::string& name) {
  Json params = {{"file", existing_file(network.file, "the network")}};
  if (!network.mean.empty()) params["mean"] = numbers(network.mean, "--mean");
  if (!network.std.empty()) params["std"] = numbers(network.std, "--std");
  if (network.output != "logits") params["output"] = network.output;
  define["model"][name] = {{"plugin", "torchscript"}, {"params", std::move(params)}};
  define["objective"]["as_it_is"] = {{"plugin", "cross_entropy"}, {"params", {{"epochs", 0}}}};
  define["solver"]["none"] = {{"plugin", "euler"}};
}

void define_weights(const BroughtNetwork& network, Json& define, const std::string& name) {
  if (network.weights.empty() || network.solver.empty()) {
    throw UsageError(
        "--model needs --weights FILE and --solver ID, the solver of its ODE blocks; for a model "
        "without any, --solver euler will do");
  }
  const Json params = json_object(network.params, "--params");
  Json model = {{"plugin", network.model}};
  if (!params.empty()) model["params"] = params;
  Json training = {{"epochs", 0}, {"weights", existing_file(network.weights, "--weights")}};
  if (!network.weights_names.empty()) {
    training["weights_names"] = existing_file(network.weights_names, "--names");
  }
  const Json solver_params = json_object(network.solver_params, "--solver-params");
  Json solver = {{"plugin", network.solver}};
  if (!solver_params.empty()) solver["params"] = solver_params;
  define["model"][name] = std::move(model);
  define["objective"]["as_it_is"] = {{"plugin", "cross_entropy"}, {"params", std::move(training)}};
  define["solver"][network.solver] = std::move(solver);
}

std::string text_at(const table::Table& table, std::size_t column) {
  return std::get<std::string>(table.rows.front().at(column));
}

}  // namespace

JudgeSubject subject_of(const BroughtNetwork& network) {
  JudgeSubject subject;
  const bool is_file = !network.file.empty();
  std::string stem = is_file ? fs::path(network.file).filename().string()
                             : fs::path(network.weights).filename().string();
  subject.name = name_from(stem.substr(0, stem.find('.')));
  subject.define["dataset"]["images"] = dataset_of(network);
  if (is_file) {
    define_torchscript(network, subject.define, subject.name);
  } else {
    define_weights(network, subject.define, subject.name);
  }
  subject.training = {{"dataset", "images"},
                      {"model", subject.name},
                      {"objective", "as_it_is"},
                      {"solver", is_file ? "none" : network.solver}};
  return subject;
}

bool looks_like_key(const std::string& word) {
  return word.size() >= 6 && word.size() <= 64 && std::all_of(word.begin(), word.end(), [](char c) {
           return std::isdigit(static_cast<unsigned char>(c)) != 0 || (c >= 'a' && c <= 'f');
         });
}

JudgeSubject subject_of_checkpoint(const store::Store& store, const std::string& key) {
  // looks_like_key: nothing in it can end the text.
  const table::Table found = store::run_query(
      store,
      "SELECT l.key, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, m.file "
      "FROM labelled_cell l JOIN current_run r ON r.study = l.study "
      "JOIN manifest m ON m.id = r.manifest_id "
      "WHERE l.kind = 'train' AND NOT l.is_alias AND l.study NOT GLOB 'judge-*' AND l.key GLOB '" +
          key + "*' ORDER BY r.run_id DESC");
  if (found.rows.empty()) {
    throw UsageError("no training of the database has a key that begins with " + key +
                     "; unmask query cells lists the keys (kind train)");
  }
  for (const auto& row : found.rows) {
    if (row.front() != found.rows.front().front()) {
      throw UsageError("several trainings have keys that begin with " + key + "; give more digits");
    }
  }
  const std::string manifest = text_at(found, 6);
  if (!fs::is_regular_file(manifest)) {
    throw UsageError("the manifest of that training is not at " + manifest +
                     " any more; run it once from where it is now");
  }
  JudgeSubject subject;
  subject.name = name_from(text_at(found, 2));
  subject.extends = fs::absolute(manifest).lexically_normal().string();
  subject.training = {{"dataset", text_at(found, 1)},
                      {"model", text_at(found, 2)},
                      {"objective", text_at(found, 3)},
                      {"solver", text_at(found, 4)},
                      {"seed", std::get<std::int64_t>(found.rows.front().at(5))}};
  return subject;
}

}  // namespace unmask::cli
