// unmask run: run what is missing of a manifest and record it.

#include <cstddef>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/counted.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/retry_option.hpp"
#include "cli/session.hpp"
#include "cli/shard_run.hpp"
#include "run/progress.hpp"
#include "store/store.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"
#include "verdict/judge.hpp"
#include "verdict/report.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

// Study names what to do when something could not be done.
// @param command  this run, to be pasted
void print_summary(const run::RunSummary& summary,
                   const std::string& command,
                   const std::string& database) {
  std::cerr << base::counted(summary.ran, "cell") << " ran, " << summary.hit
            << (summary.hit == 1 ? " was stored" : " were stored");
  if (summary.failed > 0) std::cerr << ", " << summary.failed << " failed";
  if (summary.skipped > 0) std::cerr << ", " << summary.skipped << " skipped";
  if (summary.interrupted + summary.not_run > 0) {
    std::cerr << ", " << summary.interrupted + summary.not_run << " left";
  }
  std::cerr << " (" << run::duration_text(summary.wall_s) << "); results in " << database << "\n";
  if (summary.failed > 0) {
    std::cerr << "what failed and why: "
              << words::shell_command({"unmask", "query", "failures", "--db", database}) << "\n";
  }
  if (summary.interrupted + summary.not_run > 0) std::cerr << "to go on: " << command << "\n";
}

// A network that ends with a softmax looks robust where it is only saturated. Trainings that were
// stored before count too: whoever reads the results must hear of it.
void warn_of_probabilities(const store::Store& store, const std::vector<wire::Cell>& cells) {
  const std::map<std::string, double> found = store.metric_above("output_is_probability", 0.5);
  const std::map<std::string, double> one_hot = store.metric_above("output_is_one_hot", 0.5);
  std::set<std::string> models, without_logits;
  for (const wire::Cell& cell : cells) {
    if (cell.kind == wire::CellKind::kTrain && found.contains(cell.key)) {
      (one_hot.contains(cell.key) ? without_logits : models).insert(cell.labels.model);
    }
  }
  for (const std::string& model : without_logits) {
    std::cerr
        << "warning: the model \"" << model
        << "\" answers with zeros and ones alone. No loss of them has a gradient, and nothing "
           "is left of\n  the logits: the model looks more robust than it is. Bring one that "
           "gives its logits, or believe only\n  attacks without gradients, such as square.\n";
  }
  for (const std::string& model : models) {
    std::cerr << "warning: the model \"" << model
              << "\" answers with probabilities. Attacks take its answers for logits, so their "
                 "losses pass a\n  second softmax and lose their gradients: the model looks more "
                 "robust than it is. Let it end before its\n  softmax, or, for torchscript, set "
                 "\"output\": \"softmax\".\n";
  }
}

// What an attack returns outside of its ball or of the pixels' range is thrown away, so an attack
// that always does so makes every network look robust.
void warn_of_violations(const store::Store& store, const std::vector<wire::Cell>& cells) {
  const std::map<std::string, double> found = store.metric_above("threat_violations", 0);
  std::map<std::string, std::size_t> points_of;
  for (const wire::Cell& cell : cells) {
    const auto known = found.find(cell.key);
    if (known != found.end()) {
      points_of[cell.labels.method] += static_cast<std::size_t>(known->second);
    }
  }
  for (const auto& [attack, points] : points_of) {
    std::cerr << "warning: the attack \"" << attack << "\" returned "
              << base::counted(points, "point") << " outside of its ball or of the pixels' range. "
              << (points == 1 ? "It counts" : "They count")
              << " as not fooled: its\n  networks look more robust than they are.\n";
  }
}

// One line a network. What --only left out of this run counts as far as it is stored.
void print_verdicts(store::Store& store, const std::string& study, const std::string& database) {
  const std::vector<std::string> lines = verdict::lines_of(verdict::renew(store, study));
  for (const std::string& line : lines) std::cerr << "verdict: " << line << "\n";
  if (lines.empty()) return;
  std::cerr << "every rule, and what evidence is missing: "
            << words::shell_command({"unmask", "verdict", "study=" + study, "--db", database})
            << "\n";
}

// Options of a task of a cluster.
void add_shard_options(CommandLine& line) {
  line.options().add_options()("plan",
                               po::value<std::string>(),
                               "execute a frozen plan (unmask submit makes them) instead of a "
                               "manifest")(
      "shard", po::value<std::string>(), "its part, e.g. 3/8; default: all of it")(
      "publish-every",
      po::value<double>()->default_value(300),
      "seconds between two publications of the shard's database");
}

std::optional<std::size_t> at_least(int lowest, const char* option, std::optional<int> value) {
  if (!value) return std::nullopt;
  if (*value < lowest) {
    throw UsageError("--" + std::string(option) + " must be at least " + std::to_string(lowest) +
                     ", not " + std::to_string(*value));
  }
  return static_cast<std::size_t>(*value);
}

SessionOptions session_options(const CommandLine& line, const Arguments& arguments) {
  const auto words = [&](const char* name) {
    return line.find<std::vector<std::string>>(name).value_or(std::vector<std::string>{});
  };
  SessionOptions options;
  if (!line.has("plan")) options.manifest = line.required("manifest");
  options.database = line.database();
  options.device = line.get<std::string>("device");
  options.workers = line.find<int>("workers");
  options.only = words("only");
  options.fail_fast = line.has("fail-fast");
  options.max_failures = at_least(1, "max-failures", line.find<int>("max-failures"));
  options.recycle_after = at_least(0, "recycle", line.find<int>("recycle"));
  options.part_s = line.find<double>("part-seconds");
  if (options.part_s && !(*options.part_s >= 0)) {
    throw UsageError("--part-seconds is a number of seconds, or 0: cells run whole");
  }
  options.retries = parse_retries(words("retry"));
  options.plugin_dirs = words("plugin-dir");
  options.cuda_graphs = line.has("cuda-graphs");
  options.waits = line.has("wait");
  options.argv = arguments;
  options.argv.insert(options.argv.begin(), {"unmask", "run"});
  return options;
}

void add_run_options(CommandLine& line) {
  const std::string retry_help =
      "try a failed cell again so often: N, or CLASS=N for one class of failures or all=N; "
      "default: " +
      default_retries_text();
  line.options().add_options()("device",
                               po::value<std::string>()->default_value("auto"),
                               "auto, cpu, cuda (all devices) or cuda:N")(
      "workers",
      po::value<int>(),
      "worker processes; default: one per processor, and on GPUs as many as their memory holds, at "
      "most "
      "four each")(
      "only",
      po::value<std::vector<std::string>>()->composing(),
      "run only matching cells and what they need, e.g. attack=pgd*,model=resnet; may be repeated")(
      "retry", po::value<std::vector<std::string>>()->composing(), retry_help.c_str())(
      "max-failures", po::value<int>(), "begin no further cell after this many failed")(
      "fail-fast", "the same as --max-failures 1")(
      "recycle",
      po::value<int>(),
      "replace a worker after this many cells; 0: never for that reason; default: 1000")(
      "part-seconds",
      po::value<double>(),
      "record a part of an attack or probe every so many seconds; 0: cells run whole; default: 25")(
      "wait", "when another run writes to the same database, wait until it ends")(
      "cuda-graphs",
      "record passes under fixed or replayed steps as CUDA graphs; needs a CUDA device")(
      "progress",
      po::value<std::string>()->default_value("auto"),
      "auto, terminal, plain, json or none");
  line.add_database();
  line.add_plugin_dir();
  line.add_kernels();
  add_shard_options(line);
}

int run_plan(const CommandLine& line, SessionOptions session, run::Progress& progress) {
  if (line.has("manifest") || line.has("only")) {
    throw UsageError("--plan takes neither a manifest nor --only: the plan says what to execute");
  }
  ShardOptions options;
  options.plan = line.get<std::string>("plan");
  options.shard = parse_shard(line.find<std::string>("shard").value_or("1/1"));
  if (line.is_given("db")) options.database = line.database();
  options.publish_every_s = line.get<double>("publish-every");
  options.session = std::move(session);
  const HostContext host(line.plugin_dirs(), line.kernels());
  return run_shard(host, std::move(options), progress);
}

}  // namespace

int command_run(const Arguments& arguments) {
  CommandLine line(
      "run MANIFEST [options]  or  unmask run --plan FILE [--shard 3/8] [options]",
      "Runs the cells of a manifest that are not stored yet and records each as soon as it is "
      "finished.\nKill it at any time; the same command again runs exactly what is missing. "
      "Ctrl-C once lets running\ncells finish, twice stops at once.\n\n"
      "With --plan it is one task of several machines: it executes its shard on a database of this "
      "machine\n(--db, else one for "
      "temporary files) and publishes it beside the plan (docs/cluster.md). Exit code 75:\nit was "
      "stopped; the same command goes on.");
  line.positional("manifest", "the manifest");
  add_run_options(line);
  if (!line.parse(arguments)) return 0;
  const bool is_of_plan = line.has("plan");
  if (line.has("shard") && !is_of_plan) throw UsageError("--shard needs --plan");
  SessionOptions options = session_options(line, arguments);
  const std::string command = words::shell_command(options.argv);
  const run::ProgressMode mode = run::parse_progress_mode(line.get<std::string>("progress"));
  const auto progress = run::make_progress(mode);
  if (is_of_plan) return run_plan(line, std::move(options), *progress);

  const HostContext host(line.plugin_dirs(), line.kernels());
  Session session(host, std::move(options), *progress);
  const run::RunSummary summary = session.run();
  if (mode == run::ProgressMode::kNone) {
    for (const std::string& note : summary.notes) std::cerr << "note: " << note << "\n";
  }
  warn_of_probabilities(session.store(), session.cells());
  warn_of_violations(session.store(), session.cells());
  print_summary(summary, command, line.database().string());
  print_verdicts(session.store(), session.study_name(), line.database().string());
  return static_cast<int>(summary.is_complete() ? ExitCode::kDone : ExitCode::kCellsFailed);
}

}  // namespace unmask::cli
