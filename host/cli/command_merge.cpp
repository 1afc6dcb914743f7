// unmask merge: several databases into one.

#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/counted.hpp"
#include "base/files.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/plan_folder.hpp"
#include "plan/frozen_plan.hpp"
#include "store/merge.hpp"
#include "store/queries.hpp"
#include "store/result_files.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"
#include "verdict/judge.hpp"
#include "verdict/report.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// As many contradictions as somebody reads.
constexpr std::size_t kConflictsShown = 10;

std::string to_text(const std::vector<store::MergeConflict>& conflicts) {
  std::string text;
  for (std::size_t i = 0; i < conflicts.size() && i < kConflictsShown; ++i) {
    const store::MergeConflict& one = conflicts[i];
    text += "  " + one.kind + " " + one.key.substr(0, 12) + ": " + one.what + "\n";
    if (!one.target.empty()) text += "    kept: " + one.target + "\n";
    if (!one.source.empty()) text += "    " + one.file.string() + ": " + one.source + "\n";
  }
  if (conflicts.size() > kConflictsShown) {
    text += "  and " + std::to_string(conflicts.size() - kConflictsShown) + " more\n";
  }
  return text;
}

void print(const store::MergeReport& report, std::size_t sources, const fs::path& target) {
  std::cerr << base::counted(sources, "database") << " merged into " << target.string() << ": "
            << base::counted(report.added, "result") << " added, " << report.known
            << (report.known == 1 ? " was" : " were") << " there, "
            << base::counted(report.attempts, "attempt") << " added\n";
  for (const std::string& problem : report.missing_files) {
    std::cerr << "note: " << problem << "; the next run computes it again\n";
  }
  if (report.conflicts.empty()) return;
  std::cerr << "note: " << base::counted(report.conflicts.size(), "result")
            << " with other values were not taken (--keep-first)\n"
            << to_text(report.conflicts);
}

// Bits are promised under equal kernels alone.
void print_kernels(const store::Store& store) {
  const auto kernels = store::kernels_of_results(store);
  if (kernels.size() < 2) return;
  std::cerr << "note: results come from different kernels, which may round differently:\n";
  for (const auto& [name, count] : kernels) {
    std::cerr << "  " << base::counted(count, "result") << ": " << name << "\n";
  }
}

// Verdicts follow from results; those of all studies are made again where they changed.
void renew_verdicts(store::Store& store) {
  std::vector<std::string> studies;
  const table::Table answer = store::run_query(store, "SELECT study FROM current_run ORDER BY 1");
  for (const auto& row : answer.rows) studies.push_back(std::get<std::string>(row.front()));
  for (const std::string& study : studies) {
    for (const std::string& line : verdict::lines_of(verdict::renew(store, study))) {
      std::cerr << "verdict: " << line << "\n";
    }
  }
}

// Networks that some database calls masked or suspect, and who says so.
using Judgements = std::map<std::string, std::pair<std::string, fs::path>>;

void collect_judgements(const store::Store& store, const fs::path& file, Judgements& judgements) {
  const table::Table verdicts =
      store::run_query(store,
                       "SELECT study || ': ' || model || '/' || dataset || '/' || objective || '/' "
                       "|| train_solver || '/' || train_seed || ' under ' || solver || ' at ' || "
                       "norm || ' ' || epsilon_text, judgement FROM verdict ORDER BY id");
  for (const auto& row : verdicts.rows) {
    const auto& judgement = std::get<std::string>(row.at(1));
    const auto [known, is_new] =
        judgements.try_emplace(std::get<std::string>(row.at(0)), judgement, file);
    if (!is_new && known->second.first != "masked") known->second = {judgement, file};
  }
}

// Verdicts are made from what is there. Evidence that somebody took out of a database, or more of it,
// may turn a mask into none; that is not to go unnoticed.
void print_weaker_verdicts(const store::Store& store, const Judgements& before) {
  Judgements now;
  collect_judgements(store, store.file(), now);
  for (const auto& [network, said] : before) {
    const auto& [judgement, file] = said;
    const auto found = now.find(network);
    const std::string after = found == now.end() ? "no verdict" : found->second.first;
    const bool is_weaker = judgement == "masked"
                               ? after != "masked"
                               : judgement == "suspect" && after != "masked" && after != "suspect";
    if (!is_weaker) continue;
    std::cerr << "note: " << network << ": " << judgement << " in " << file.string() << ", "
              << after << " after the merge, which judges by the evidence that is there\n";
  }
}

store::MergeReport merge_into(store::Store& store,
                              const std::vector<fs::path>& sources,
                              const store::MergeOptions& options) {
  Judgements before;
  collect_judgements(store, store.file(), before);
  for (const fs::path& source : sources) {
    collect_judgements(store::Store::open_reader(source), source, before);
  }
  store::MergeReport report = store::merge(store, sources, options);
  if (!report.is_merged) {
    throw StoreError("the databases contradict each other; nothing was merged\n" +
                     to_text(report.conflicts) +
                     "find out which one is right (unmask exec computes a cell again); merge "
                     "without the other database, or --keep-first");
  }
  renew_verdicts(store);
  print_weaker_verdicts(store, before);
  print_kernels(store);
  return report;
}

// On a file system that machines share, no database is written in place: it is made here, with all
// that was there before, and put there in one piece.
store::MergeReport merge_through_scratch(const fs::path& target,
                                         std::vector<fs::path> sources,
                                         const store::MergeOptions& options) {
  std::error_code error;
  fs::path log = target;
  log += "-wal";
  if (fs::exists(log, error)) {
    throw StoreError(target.string() + " is in use, or was not closed (" + log.string() +
                     " is there); merge into a file on a local disk");
  }
  if (fs::exists(target, error)) sources.insert(sources.begin(), target);
  const base::TempFolder scratch("unmask-merge-");
  store::Store store = store::Store::open_writer(scratch.path() / "merged.sqlite");
  store::MergeReport report = merge_into(store, sources, options);
  for (const std::string& problem :
       store::copy_result_files(store, store::ResultFolders::of(target))) {
    report.missing_files.push_back(problem);
  }
  store::write_sealed_copy(store, store::ResultFolders::of(target).database);
  return report;
}

// @return the exit code
int print_missing(const PlanFolder& folder, const fs::path& target) {
  const plan::FrozenPlan frozen = plan::read_frozen_plan(folder.plan());
  const store::DoneCells done =
      store::Store::open_reader(target).lookup(std::span(frozen.plan.cells));
  const std::size_t missing = frozen.plan.cells.size() - done.size();
  if (missing == 0) {
    std::cerr << "all " << base::counted(done.size(), "cell") << " of the plan have a result\n";
    return 0;
  }
  std::cerr << missing << " of " << base::counted(frozen.plan.cells.size(), "cell")
            << " of the plan have no result; to send them again: "
            << words::shell_command({"unmask", "submit", "--missing", folder.plan().string()})
            << "\n";
  return static_cast<int>(ExitCode::kCellsFailed);
}

}  // namespace

int command_merge(const Arguments& arguments) {
  CommandLine line(
      "merge OUT IN... [options]  or  unmask merge OUT --plan FILE [options]",
      "Puts everything that the databases IN hold into OUT, with checkpoints and images: results, "
      "attempts, runs,\nplans, machines, plugins. OUT is made when it is missing. The order does "
      "not matter, and what is there\nalready is not there twice. It is one transaction. When two "
      "databases hold other values for one cell,\nnothing is merged, and both machines are named "
      "(exit code 5).");
  line.positional("out", "the database to merge into");
  line.positional("in", "databases to merge", true);
  line.options().add_options()("plan",
                               po::value<std::string>(),
                               "merge what the shards of this plan have published, and say what is "
                               "missing")(
      "keep-first",
      "where values differ, keep those of OUT, then those of the database named first")(
      "through-scratch",
      "make OUT among temporary files and put it in place in one piece; without this option it is "
      "done so on file systems that machines share");
  if (!line.parse(arguments)) return 0;
  const fs::path target = line.required("out");
  std::vector<fs::path> sources;
  for (const std::string& file :
       line.find<std::vector<std::string>>("in").value_or(std::vector<std::string>{})) {
    sources.emplace_back(file);
  }
  std::optional<PlanFolder> folder;
  if (const auto plan = line.find<std::string>("plan")) {
    folder = PlanFolder::find(*plan);
    for (const fs::path& file : folder->published()) sources.push_back(file);
  }
  if (sources.empty()) {
    throw UsageError(folder ? "no shard of the plan has published anything yet"
                            : "name the databases to merge; usage: unmask merge OUT IN...");
  }
  store::MergeOptions options;
  if (line.has("keep-first")) options.on_conflict = store::OnConflict::kKeepFirst;
  store::MergeReport report;
  if (line.has("through-scratch") || store::is_on_network(target)) {
    report = merge_through_scratch(target, sources, options);
  } else {
    store::Store store = store::Store::open_writer(target);
    report = merge_into(store, sources, options);
  }
  print(report, sources.size(), target);
  return folder ? print_missing(*folder, target) : 0;
}

}  // namespace unmask::cli
