// unmask judge: is the gradient of this one network masked? Writes a manifest, runs it, says what it
// found.

#include <algorithm>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "catalog/verdict_thresholds.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/judge_manifest.hpp"
#include "cli/judge_report.hpp"
#include "cli/judge_subject.hpp"
#include "cli/session.hpp"
#include "run/progress.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

std::string budget_text() {
  std::string text;
  for (const Budget budget : {Budget::kQuick, Budget::kStandard, Budget::kThorough}) {
    const JudgeCost cost = judge_cost(budget, "linf");
    text += std::string("  ") + to_string(budget) +
            std::string(10 - std::string(to_string(budget)).size(), ' ') +
            std::to_string(cost.forwards) + " forward and " + std::to_string(cost.backwards) +
            " backward passes\n";
  }
  return text;
}

std::string summary_text() {
  return "Says whether the gradients of one network are masked: attacks it with and without "
         "gradients, measures\nits gradients, and prints a verdict for each radius, the worst case "
         "with its 95 % interval, and what to\ndo next. What runs is an ordinary manifest, kept in "
         "the folder judge beside the database.\n\n"
         "NETWORK is what torch.jit.save wrote, or the key of a training in the database (its "
         "first digits,\nunmask query cells), whose study brings the images. Without it, --model "
         "names a model plugin and\n--weights a safetensors file.\n\n"
         "Passes of a budget, for each image and radius, when no attack succeeds; an image that "
         "falls leaves an\nattack early:\n" +
         budget_text() +
         "A network that is random, whose answers depend on the batch, or that answers with labels "
         "alone gets attacks\nfor that besides.";
}

void declare_judge_options(CommandLine& line) {
  line.positional("network", "TorchScript file, or key of a training");
  line.options().add_options()(
      "data",
      po::value<std::string>(),
      "images and labels: a safetensors file, a folder of pictures, cifar10:FOLDER, "
      "cifar100:FOLDER or mnist:FOLDER")(
      "epsilon",
      po::value<std::vector<std::string>>()->composing(),
      "radius, e.g. 8/255 or 0.03; may be repeated, or a list with commas")(
      "norm", po::value<std::string>()->default_value("linf"), "linf or l2")(
      "budget", po::value<std::string>()->default_value("quick"), "quick, standard or thorough")(
      "samples", po::value<std::int64_t>()->default_value(200), "images, the first ones")(
      "seed",
      po::value<std::int64_t>()->default_value(0),
      "seed of the attacks and probes; a verdict that another one changes was none")(
      "classes",
      po::value<std::int64_t>(),
      "number of classes, for a safetensors file; default: the largest label plus 1")(
      "size",
      po::value<std::int64_t>(),
      "height and width of pictures, for a folder whose files differ")(
      "mean",
      po::value<std::string>()->default_value(""),
      "subtracted from pixels, e.g. 0.5,0.5,0.5")(
      "std", po::value<std::string>()->default_value(""), "divides them then, e.g. 0.5,0.5,0.5")(
      "output",
      po::value<std::string>()->default_value("logits"),
      "what the network gives: logits or softmax")(
      "model", po::value<std::string>()->default_value(""), "id of a model plugin")(
      "params", po::value<std::string>()->default_value("{}"), "its parameters, a JSON object")(
      "weights", po::value<std::string>()->default_value(""), "its weights, a safetensors file")(
      "names", po::value<std::string>()->default_value(""), "table of names for the weights")(
      "solver",
      po::value<std::string>()->default_value(""),
      "id of a solver plugin, for its ODE blocks")("solver-params",
                                                   po::value<std::string>()->default_value("{}"),
                                                   "its parameters, a JSON object")(
      "write-manifest",
      po::value<std::string>(),
      "write the manifest to this new file, and run nothing")(
      "format", po::value<std::string>()->default_value("text"), "text or json (everything)")(
      "device", po::value<std::string>()->default_value("auto"), "auto, cpu, cuda or cuda:N")(
      "workers", po::value<int>(), "as for run")(
      "wait", "when another run writes to the same database, wait until it ends")(
      "progress", po::value<std::string>()->default_value("auto"), "auto, terminal, plain or none");
  line.add_database();
  line.add_plugin_dir();
  line.add_kernels();
}

std::vector<std::string> radii_of(const CommandLine& line) {
  std::vector<std::string> radii;
  for (const std::string& text :
       line.find<std::vector<std::string>>("epsilon").value_or(std::vector<std::string>{})) {
    for (std::size_t first = 0; first <= text.size();) {
      const std::size_t last = std::min(text.find(',', first), text.size());
      radii.push_back(text.substr(first, last - first));
      first = last + 1;
    }
  }
  if (radii.empty()) throw UsageError("a radius is missing, such as --epsilon 8/255");
  return radii;
}

// Options that mean nothing for this kind of network would be passed over without a word.
void expect_no(const CommandLine& line,
               const std::vector<std::string>& options,
               const std::string& situation) {
  for (const std::string& option : options) {
    if (line.is_given(option)) throw UsageError("--" + option + " means nothing for " + situation);
  }
}

JudgeSubject subject_from(const CommandLine& line) {
  const std::string word = line.find<std::string>("network").value_or("");
  const bool is_key = looks_like_key(word) && !fs::exists(word);
  const std::vector<std::string> of_torchscript = {"mean", "std", "output"};
  const std::vector<std::string> of_weights = {
      "params", "weights", "names", "solver", "solver-params"};
  const std::vector<std::string> of_data = {"data", "classes", "size", "model"};
  if (is_key) {
    for (const auto& options : {of_torchscript, of_weights, of_data}) {
      expect_no(line, options, "a training of the database, which has all of it");
    }
    return subject_of_checkpoint(store::Store::open_reader(line.database()), word);
  }
  BroughtNetwork network;
  network.file = word;
  network.model = line.get<std::string>("model");
  if (word.empty() == network.model.empty()) {
    throw UsageError(
        "name one network: a TorchScript file, the key of a training, or --model ID with --weights "
        "FILE");
  }
  if (!line.has("data"))
    throw UsageError("images are missing: --data FILE, a folder, or mnist:FOLDER");
  expect_no(line,
            word.empty() ? of_torchscript : of_weights,
            word.empty() ? "--model" : "a TorchScript file");
  network.mean = line.get<std::string>("mean");
  network.std = line.get<std::string>("std");
  network.output = line.get<std::string>("output");
  network.params = line.get<std::string>("params");
  network.weights = line.get<std::string>("weights");
  network.weights_names = line.get<std::string>("names");
  network.solver = line.get<std::string>("solver");
  network.solver_params = line.get<std::string>("solver-params");
  network.data = line.get<std::string>("data");
  network.classes = line.find<std::int64_t>("classes");
  network.size = line.find<std::int64_t>("size");
  return subject_of(network);
}

JudgeRequest request_from(const CommandLine& line) {
  JudgeRequest request;
  request.norm = line.get<std::string>("norm");
  if (request.norm != "linf" && request.norm != "l2") {
    throw UsageError("--norm \"" + request.norm + "\" is not possible; it is linf or l2");
  }
  request.epsilons = radii_of(line);
  for (const std::string& text : request.epsilons) parse_radius(text, request.norm);
  request.budget = parse_budget(line.get<std::string>("budget"));
  request.samples = line.get<std::int64_t>("samples");
  if (request.samples < 1) throw UsageError("--samples must be at least 1");
  request.seed = line.get<std::int64_t>("seed");
  if (request.seed < 0) throw UsageError("--seed must be at least 0");
  request.subject = subject_from(line);
  return request;
}

// Whether a manifest is as we would write it for this request, whatever a look at the network found.
bool is_unedited(const std::string& manifest, const JudgeRequest& request) {
  JudgeRequest other = request;
  for (unsigned found = 0; found < 16; ++found) {
    other.findings = {(found & 1) != 0, (found & 2) != 0, (found & 4) != 0, (found & 8) != 0};
    if (manifest == judge_manifest(other).text) return true;
  }
  return false;
}

// Keep the manifest, but no other text than our own is replaced.
void keep_manifest(const fs::path& file, const JudgeRequest& request) {
  const std::string text = judge_manifest(request).text;
  if (fs::exists(file)) {
    const std::string there = base::read_file(file);
    if (there == text) return;
    if (!is_unedited(there, request)) {
      throw UsageError(
          file.string() +
          " was edited: run it with unmask run, or move it away to have it written anew");
    }
  }
  base::write_file_atomically(file, text);
}

// For --write-manifest: nobody has looked at the network yet, so whatever it may need.
void write_manifest(const fs::path& file, JudgeRequest request) {
  request.findings = {true, true, true, true};
  const std::string text = judge_manifest(request).text;
  if (fs::exists(file) && !is_unedited(base::read_file(file), request)) {
    throw UsageError("--write-manifest " + file.string() +
                     ": the file exists and holds something else; name another, or remove it");
  }
  base::write_file_atomically(file, text);
}

// --- running
// --------------------------------------------------------------------------------------

std::string quoted(const std::string& study) {
  // Names of our studies hold nothing that could end the text.
  return "'" + study + "'";
}

JudgeObservations observe(const store::Store& store, const std::string& study) {
  JudgeObservations seen;
  const table::Table metrics =
      store::run_query(store,
                       "SELECT name, max(value) FROM metrics WHERE study = " + quoted(study) +
                           " AND value IS NOT NULL AND (name GLOB 'check.*' OR name GLOB "
                           "'output_*') GROUP BY name");
  for (const auto& row : metrics.rows) {
    if (const auto* value = std::get_if<double>(&row.at(1))) {
      seen.metrics[std::get<std::string>(row.at(0))] = *value;
    }
  }
  const table::Table labels = store::run_query(
      store,
      "SELECT count(DISTINCT o.label) FROM sample_outcome o JOIN labelled_cell l ON l.cell_id = "
      "o.cell_id WHERE l.study = " +
          quoted(study));
  if (const auto n = std::get<std::int64_t>(labels.rows.at(0).at(0)); n > 0) seen.n_labels = n;
  const table::Table failures = store::run_query(
      store,
      "SELECT DISTINCT message FROM failures WHERE study = " + quoted(study) + " AND NOT is_alias");
  for (const auto& row : failures.rows) {
    seen.failures.push_back(std::get<std::string>(row.at(0)));
  }
  return seen;
}

JudgeFindings findings_of(const JudgeObservations& seen) {
  const auto threshold = [](const char* name) {
    return catalog::find_verdict_threshold(name)->value;
  };
  const double repeats = threshold("randomised");
  const auto is_above = [&](const char* name, double limit) {
    const auto found = seen.metrics.find(name);
    return found != seen.metrics.end() && found->second > limit;
  };
  return {is_above("check.randomised", repeats),
          is_above("check.batch_dependence", repeats),
          is_above("check.one_hot_output", 0.5),
          is_above("check.zero_gradient", threshold("zero_masked"))};
}

struct Judging {
  JudgeRequest request;
  fs::path manifest;
  SessionOptions session;  // without `only`
  run::ProgressMode mode = run::ProgressMode::kAuto;
};

std::vector<verdict::Verdict> wanted(std::vector<verdict::Verdict> all,
                                     const JudgeRequest& request) {
  std::set<double> radii;
  for (const std::string& text : request.epsilons) radii.insert(parse_radius(text, request.norm));
  std::erase_if(all, [&](const verdict::Verdict& v) { return !radii.contains(v.epsilon); });
  return all;
}

// The path as the user would write it, where the database is named relative to the working folder.
std::string shown(const fs::path& manifest, const fs::path& database) {
  const fs::path near = database.parent_path() / "judge" / manifest.filename();
  return fs::weakly_canonical(near) == manifest ? near.string() : manifest.string();
}

// Runs what is missing, and reports on what is stored then.
JudgeReport run_manifest(const HostContext& host, const Judging& judging, const std::string& only) {
  const JudgeManifest manifest = judge_manifest(judging.request);
  keep_manifest(judging.manifest, judging.request);
  SessionOptions options = judging.session;
  if (!only.empty()) options.only = {"attack=" + only};
  const auto progress = run::make_progress(judging.mode);
  Session session(host, std::move(options), *progress);
  const run::RunSummary summary = session.run();
  JudgeReport report;
  report.name = judging.request.subject.name;
  report.study = manifest.study;
  report.manifest = shown(judging.manifest, judging.session.database);
  report.database = judging.session.database.string();
  report.was_stopped = summary.interrupted + summary.not_run > 0;
  report.n_left = summary.failed + summary.skipped + summary.interrupted + summary.not_run;
  report.seen = observe(session.store(), manifest.study);
  if (only.empty()) {
    verdict::renew(session.store(), manifest.study);
    report.verdicts =
        wanted(verdict::judge(session.store(), verdict::Filter({"study=" + manifest.study})),
               judging.request);
  }
  return report;
}

// First a look, which every budget needs anyway; what it finds decides what else there is to do.
JudgeReport judge(const HostContext& host, Judging judging) {
  const std::string look = judge_manifest(judging.request).look;
  JudgeReport report = run_manifest(host, judging, look);
  // One radius that fails leaves the others their say; a network that answers nothing does not.
  if (report.was_stopped || report.seen.metrics.empty()) return report;
  judging.request.findings = findings_of(report.seen);
  return run_manifest(host, judging, "");
}

}  // namespace

int command_judge(const Arguments& arguments) {
  CommandLine line("judge NETWORK --data DATA --epsilon E [options]", summary_text());
  declare_judge_options(line);
  if (!line.parse(arguments)) return 0;
  const auto format = line.get<std::string>("format");
  if (format != "text" && format != "json") {
    throw UsageError("--format \"" + format + "\" is not possible; it is text or json");
  }
  Judging judging;
  judging.request = request_from(line);
  if (line.has("write-manifest")) {
    const fs::path file = line.get<std::string>("write-manifest");
    write_manifest(file, judging.request);
    std::cerr << "wrote " << file.string() << "; "
              << words::shell_command(
                     {"unmask", "run", file.string(), "--db", line.database().string()})
              << " runs it\n";
    return 0;
  }
  judging.mode = run::parse_progress_mode(line.get<std::string>("progress"));
  if (judging.mode == run::ProgressMode::kJson) {
    throw UsageError("--progress json is not possible: standard output is for the verdict");
  }
  const std::string study = judge_manifest(judging.request).study;
  judging.manifest = store::ResultFolders::of(line.database()).database.parent_path() / "judge" /
                     (study + ".json");
  judging.session.manifest = judging.manifest;
  judging.session.database = line.database();
  judging.session.device = line.get<std::string>("device");
  if (line.has("plugin-dir")) {
    judging.session.plugin_dirs = line.get<std::vector<std::string>>("plugin-dir");
  }
  judging.session.workers = line.find<int>("workers");
  judging.session.waits = line.has("wait");
  judging.session.argv = arguments;
  judging.session.argv.insert(judging.session.argv.begin(), {"unmask", "judge"});

  const HostContext host(line.plugin_dirs(), line.kernels());
  const JudgeReport report = judge(host, judging);
  if (format == "json") {
    std::cout << json_of(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    std::cout << text_of(report);
  }
  return static_cast<int>(report.n_left == 0 ? ExitCode::kDone : ExitCode::kCellsFailed);
}

}  // namespace unmask::cli
