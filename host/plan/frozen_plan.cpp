#include "plan/frozen_plan.hpp"

#include <cmath>
#include <set>

#include "base/files.hpp"
#include "base/json_shape.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "unmask/version.hpp"
#include "wire/failure_class.hpp"
#include "wire/key.hpp"

namespace unmask::plan {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Raised when the form of the file changes.
constexpr int kFormat = 1;

// Digits of the hash in the name: as many as tell plans apart and can still be read aloud.
constexpr std::size_t kDigits = 16;

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

template <class T>
std::optional<T> optional_of(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<T>());
}

json to_json(const manifest::RunSettings& run) {
  json retries = json::object();
  for (const auto& [failure_class, count] : run.retries) {
    retries[wire::to_string(failure_class)] = count;
  }
  return {{"workers", or_null(run.workers)},
          {"threads", or_null(run.threads)},
          {"timeout_s", or_null(run.timeout_s)},
          {"retries", retries},
          {"fail_fast", run.fail_fast}};
}

manifest::RunSettings run_settings(const json& j) {
  manifest::RunSettings run;
  run.workers = optional_of<int>(j.at("workers"));
  run.threads = optional_of<int>(j.at("threads"));
  run.timeout_s = optional_of<double>(j.at("timeout_s"));
  for (const auto& [name, count] : j.at("retries").items()) {
    run.retries[json(name).get<wire::FailureClass>()] = count.get<int>();
  }
  j.at("fail_fast").get_to(run.fail_fast);
  return run;
}

std::string text_of(const FrozenPlan& frozen) {
  const json j = {{"unmask_plan", kFormat},
                  {"tool", frozen.tool},
                  {"study",
                   {{"file", frozen.study.file.string()},
                    {"text", frozen.study.text},
                    {"sha256", frozen.study.sha256},
                    {"name", frozen.study.name},
                    {"description", frozen.study.description},
                    {"thresholds", frozen.study.thresholds}}},
                  {"run", to_json(frozen.run)},
                  {"git", {{"commit", frozen.git_commit}, {"dirty", or_null(frozen.git_dirty)}}},
                  {"split", frozen.is_split},
                  {"costs", frozen.costs},
                  {"plan", frozen.plan}};
  try {
    return j.dump(1) + "\n";
  } catch (const json::type_error& error) {
    throw DataError("the plan of " + frozen.study.file.string() +
                    " cannot be written: a path in it is not UTF-8 (" + error.what() +
                    "); rename that file or folder");
  }
}

std::string name_of_text(const std::string& text) {
  return "plan-" + sha256_hex(text).substr(0, kDigits);
}

void expect_of_this_program(const json& j, const FrozenPlan& frozen) {
  for (const wire::Cell& cell : frozen.plan.cells) {
    if (cell.spec.at("semantics") == wire::kSemantics && cell.spec.at("sdk_epoch") == kSdkEpoch)
      continue;
    throw DataError("it was made by unmask " + j.at("tool").get<std::string>() +
                    ", which computes cells otherwise than this one; submit the manifest again, or "
                    "use that version on every machine");
  }
}

// As make_plan yields them: each once, and after the trainings that it needs.
void expect_order(const Plan& plan) {
  std::set<std::string> seen;
  for (const wire::Cell& cell : plan.cells) {
    for (const std::string& key : cell.all_needs()) {
      if (!seen.contains(key)) {
        throw DataError("the cell " + cell.key + " stands before the training that it needs");
      }
    }
    if (!seen.insert(cell.key).second) throw DataError("the cell " + cell.key + " is there twice");
  }
}

FrozenPlan parse(const std::string& text) {
  if (base::json_shape(text).depth > base::kDeepestJson) {
    throw DataError("its values are nested deeper than " + std::to_string(base::kDeepestJson) +
                    " levels, which no plan is");
  }
  const json j = json::parse(text);
  if (j.at("unmask_plan") != kFormat) {
    throw DataError("its form is version " + j.at("unmask_plan").dump() + ", this unmask reads " +
                    std::to_string(kFormat) + "; submit the manifest again");
  }
  FrozenPlan frozen;
  const json& study = j.at("study");
  frozen.study.file = study.at("file").get<std::string>();
  study.at("text").get_to(frozen.study.text);
  study.at("sha256").get_to(frozen.study.sha256);
  study.at("name").get_to(frozen.study.name);
  study.at("description").get_to(frozen.study.description);
  study.at("thresholds").get_to(frozen.study.thresholds);
  frozen.run = run_settings(j.at("run"));
  j.at("git").at("commit").get_to(frozen.git_commit);
  frozen.git_dirty = optional_of<bool>(j.at("git").at("dirty"));
  j.at("split").get_to(frozen.is_split);
  j.at("costs").get_to(frozen.costs);
  j.at("tool").get_to(frozen.tool);
  j.at("plan").get_to(frozen.plan);
  if (frozen.costs.size() != frozen.plan.cells.size()) throw DataError("not every cell has a cost");
  for (const double cost : frozen.costs) {
    if (!std::isfinite(cost) || cost < 0) throw DataError("a cost is not a number of at least 0");
  }
  expect_order(frozen.plan);
  expect_of_this_program(j, frozen);
  return frozen;
}

}  // namespace

fs::path write_frozen_plan(const fs::path& folder, const FrozenPlan& frozen) {
  const std::string text = text_of(frozen);
  fs::path file = folder / (name_of_text(text) + ".json");
  base::write_file_atomically(file, text);
  return file;
}

FrozenPlan read_frozen_plan(const fs::path& file) {
  const std::string text = base::read_file(file);
  if (file.filename() != name_of_text(text) + ".json") {
    throw DataError("the plan " + file.string() +
                    " is not what was frozen: a plan is called plan-<hash of its bytes>.json, and "
                    "this one would be " +
                    name_of_text(text) + ".json; submit the manifest again");
  }
  try {
    return parse(text);
  } catch (const json::exception& error) {
    throw DataError("the plan " + file.string() + " cannot be read: " + error.what());
  } catch (DataError& error) {
    error.add_context("the plan " + file.string() + " cannot be used");
    throw;
  }
}

}  // namespace unmask::plan
