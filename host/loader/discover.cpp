#include "loader/discover.hpp"

#include <algorithm>
#include <iterator>

#include "base/items.hpp"
#include "unmask/errors.hpp"

namespace unmask::loader {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using End = base::ItemAnswer::End;

// Why a library is refused that took the child down: a sentence without a subject.
std::string what_happened(const base::ItemAnswer& answer) {
  switch (answer.end) {
    case End::kLate: return "did not finish loading within " + answer.ending;
    case End::kCrashed: return "crashed while it was being loaded: " + answer.ending;
    case End::kExited: return "ended the process while it was being loaded: " + answer.ending;
    case End::kDisturbed:
      return "wrote to a file descriptor of the process that loaded it, which is not its own";
    case End::kAnswered: break;
  }
  return "";
}

// Kind as a position in catalog::kKinds; unknown ones last.
std::ptrdiff_t rank(const std::string& kind) {
  return std::find(std::begin(catalog::kKinds), std::end(catalog::kKinds), kind) -
         std::begin(catalog::kKinds);
}

bool is_named_after_its_plugin(const catalog::PluginRecord& record) {
  return record.file.stem() == record.kind + "_" + record.id;
}

}  // namespace

catalog::Catalog assemble_catalog(std::vector<catalog::PluginRecord> records,
                                  std::vector<catalog::PluginRefusal> refusals) {
  // Stable: of equal ones the first in the search path stays first.
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    if (rank(a.kind) != rank(b.kind)) return rank(a.kind) < rank(b.kind);
    if (a.id != b.id) return a.id < b.id;
    return is_named_after_its_plugin(a) && !is_named_after_its_plugin(b);
  });
  catalog::Catalog catalog;
  catalog.refusals = std::move(refusals);
  for (catalog::PluginRecord& record : records) {
    const catalog::PluginRecord* taken =
        catalog.plugins.empty() ? nullptr : &catalog.plugins.back();
    if (taken == nullptr || taken->kind != record.kind || taken->id != record.id) {
      catalog.plugins.push_back(std::move(record));
    } else if (taken->fingerprint != record.fingerprint) {
      catalog.notes.push_back({record.kind,
                               record.id,
                               record.kind + " " + record.id + " is taken from '" +
                                   taken->file.string() + "'; '" + record.file.string() +
                                   "' offers another one, which is not used"});
    }
  }
  std::stable_sort(catalog.refusals.begin(),
                   catalog.refusals.end(),
                   [](const auto& a, const auto& b) { return a.file < b.file; });
  return catalog;
}

Inspection inspect_in_child(const ListCommand& command, const std::vector<fs::path>& files) {
  const base::ItemCommand child{command.argv,
                                command.env,
                                command.timeout_s,
                                /*reading_is_progress=*/true,
                                "plugins cannot be listed"};
  base::ItemAnswers answers = base::ask_items(child, files.size(), [&](std::size_t first) {
    json rest = json::array();
    for (std::size_t i = first; i < files.size(); ++i) rest.push_back(files[i].string());
    return json{{"files", std::move(rest)}};
  });
  Inspection result;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const base::ItemAnswer& answer = answers.items[i];
    if (answer.end != End::kAnswered) {
      result.refusals.push_back({files[i], what_happened(answer)});
      continue;
    }
    auto found = answer.answer.get<catalog::Catalog>();
    UNMASK_CHECK(found.plugins.size() + found.refusals.size() == 1,
                 "the child that lists plugins does not answer file by file");
    for (catalog::PluginRecord& record : found.plugins) {
      record.file = files[i];
      result.records.push_back(std::move(record));
    }
    for (catalog::PluginRefusal& refusal : found.refusals) {
      result.refusals.push_back({files[i], std::move(refusal.reason)});
    }
  }
  answers.end.at("cuda_devices").get_to(result.cuda_devices);
  answers.end.at("engine_files").get_to(result.engine_files);
  return result;
}

catalog::Catalog inspect_files(const ListCommand& command, const std::vector<fs::path>& files) {
  Inspection found = inspect_in_child(command, files);
  catalog::Catalog catalog = assemble_catalog(std::move(found.records), std::move(found.refusals));
  catalog.cuda_devices = found.cuda_devices;
  return catalog;
}

}  // namespace unmask::loader
