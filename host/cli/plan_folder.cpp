#include "cli/plan_folder.hpp"

#include <algorithm>
#include <charconv>
#include <iostream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "store/merge.hpp"
#include "store/result_files.hpp"
#include "store/result_folders.hpp"
#include "unmask/errors.hpp"
#include "wire/unfinished.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;

// How much of a random name tells the databases of one shard apart.
constexpr std::size_t kNameDigits = 8;

std::vector<fs::path> files_in(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const fs::path& file = at->path();
    // Names with a dot in front are on their way.
    if (file.extension() == extension && file.filename().string().front() != '.') {
      files.push_back(file);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  return parsed.ec == std::errc() && parsed.ptr == end ? value : 0;
}

// The plan that was submitted last in a folder; empty: it is not known.
fs::path plan_of_submission(const fs::path& folder) {
  const fs::path file = folder / "submission.json";
  std::error_code error;
  if (!fs::exists(file, error)) return {};
  const auto content = nlohmann::json::parse(base::read_file(file), nullptr, false);
  const bool is_known =
      content.is_object() && content.contains("plan") && content["plan"].is_string();
  return is_known ? folder / content["plan"].get<std::string>() : fs::path();
}

// A snapshot that cannot be carried costs time, nothing else.
void carry_snapshot(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (!fs::exists(from, error)) return;
  const auto there = fs::last_write_time(to, error);
  if (!error && there >= fs::last_write_time(from, error)) return;
  try {
    base::copy_file_atomically(from, to);
  } catch (const DataError& problem) {
    std::cerr << "note: " << problem.what() << "; the training may begin anew elsewhere\n";
  }
}

}  // namespace

ShardName parse_shard(const std::string& text) {
  const auto slash = text.find('/');
  ShardName name{0, 0};
  if (slash != std::string::npos) {
    name = {number(std::string_view(text).substr(0, slash)),
            number(std::string_view(text).substr(slash + 1))};
  }
  if (name.index < 1 || name.index > name.count) {
    throw UsageError("--shard must be like 3/8, the third of eight, not \"" + text + "\"");
  }
  return name;
}

PlanFolder::PlanFolder(const fs::path& plan) : plan_(fs::absolute(plan).lexically_normal()) {}

PlanFolder PlanFolder::find(const fs::path& plan_or_folder) {
  std::error_code error;
  if (!fs::is_directory(plan_or_folder, error)) return PlanFolder(plan_or_folder);
  std::vector<fs::path> plans;
  for (const fs::path& file : files_in(plan_or_folder, ".json")) {
    if (file.filename().string().starts_with("plan-")) plans.push_back(file);
  }
  if (plans.size() == 1) return PlanFolder(plans.front());
  const fs::path latest = plan_of_submission(plan_or_folder);
  if (std::find(plans.begin(), plans.end(), latest) != plans.end()) return PlanFolder(latest);
  throw UsageError((plans.empty() ? "there is no plan in " : "there are several plans in ") +
                   plan_or_folder.string() + "; name the file plan-<hash>.json");
}

std::vector<fs::path> PlanFolder::published() const {
  return files_in(shards(), ".sqlite");
}

fs::path PlanFolder::published_name(const store::Store& store, const std::string& stem) const {
  return shards() / (stem + "-" + store.uuid().substr(0, kNameDigits) + ".sqlite");
}

std::vector<std::string> PlanFolder::publish(store::Store& store, const std::string& stem) const {
  const fs::path file = published_name(store, stem);
  // Files first: what a published database names is there.
  std::vector<std::string> problems =
      store::copy_result_files(store, store::ResultFolders::of(file));
  store::write_sealed_copy(store, file);
  publish_snapshots(store);
  return problems;
}

void PlanFolder::publish_snapshots(const store::Store& store) const {
  const store::ResultFolders here = store::ResultFolders::of(store.file());
  const fs::path there = wire::unfinished_folder(shards() / "checkpoints");
  std::error_code error;
  for (const fs::path& file : files_in(here.unfinished, ".safetensors")) {
    carry_snapshot(file, there / file.filename());
  }
  for (const auto& [key, checkpoint] : store.stored()) {
    if (checkpoint) fs::remove(wire::snapshot_file(shards() / "checkpoints", key), error);
  }
}

void PlanFolder::fetch_snapshots(const store::Store& store,
                                 const std::vector<wire::Cell>& cells) const {
  const store::ResultFolders here = store::ResultFolders::of(store.file());
  const store::DoneCells done = store.lookup(cells);
  for (const wire::Cell& cell : cells) {
    if (cell.kind != wire::CellKind::kTrain || done.contains(cell.key)) continue;
    carry_snapshot(wire::snapshot_file(shards() / "checkpoints", cell.key),
                   wire::snapshot_file(here.checkpoints, cell.key));
  }
}

std::size_t PlanFolder::fetch(store::Store& store, const std::vector<wire::Cell>& cells) const {
  store::MergeOptions options;
  options.only.emplace();
  for (const wire::Cell& cell : cells) options.only->insert(cell.key);
  std::size_t added = 0;
  for (const fs::path& file : published()) {
    const store::DoneCells there = store::Store::open_reader(file).lookup(cells);
    const store::DoneCells here = store.lookup(cells);
    const bool has_more = std::any_of(
        there.begin(), there.end(), [&](const auto& one) { return !here.contains(one.first); });
    if (!has_more) continue;
    // A contradiction is the merge's to tell, with both sides whole.
    const store::MergeReport report = store::merge(store, std::span(&file, 1), options);
    if (report.is_merged) added += report.added;
  }
  fetch_snapshots(store, cells);
  return added;
}

std::set<std::string> PlanFolder::done(const std::vector<wire::Cell>& cells) const {
  std::set<std::string> keys;
  for (const fs::path& file : published()) {
    for (const auto& [key, checkpoint] : store::Store::open_reader(file).lookup(cells)) {
      keys.insert(key);
    }
  }
  return keys;
}

}  // namespace unmask::cli
