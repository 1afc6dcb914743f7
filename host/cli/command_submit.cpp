// unmask submit: run a manifest on several machines.

#include <algorithm>
#include <iostream>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/counted.hpp"
#include "base/files.hpp"
#include "cli/batch_scripts.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/cost.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "cli/local_tasks.hpp"
#include "cli/machine.hpp"
#include "cli/plan_folder.hpp"
#include "cli/site_profile.hpp"
#include "cli/slurm.hpp"
#include "plan/frozen_plan.hpp"
#include "plan/shards.hpp"
#include "run/progress.hpp"
#include "store/merge.hpp"
#include "store/result_files.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// What a user asks of a submission.
struct Request {
  fs::path manifest, database, folder;
  std::string engine, device;
  std::size_t shards = 0;
  int parallel = 1;
  bool is_split = false, is_dry = false;
  std::optional<int> workers;
  std::vector<std::string> plugin_dirs;
  std::string kernels;
  std::optional<SiteProfile> profile;
};

// What is to be executed of a plan, and how.
struct Tasks {
  Submission submission;
  plan::FrozenPlan frozen;
  std::vector<plan::Shard> shards;
  std::vector<std::size_t> wanted;  // numbers of shards, from 1, ascending
};

// At most as many shards as Slurm takes in one array.
std::size_t within_limits(const Request& request) {
  if (request.engine != "slurm") return request.shards;
  const std::size_t most = ask_limits().most_tasks();
  if (request.shards <= most) return request.shards;
  std::cerr << "note: this site takes arrays of " << most << " tasks at most; the plan is divided "
            << "into " << most << " shards instead of " << request.shards << "\n";
  return most;
}

plan::FrozenPlan freeze(const Request& request, const PlannedStudy& planned) {
  for (const auto& [name, problem] : planned.plan.dataset_problems) {
    throw DataError("data set \"" + name + "\" of " + request.manifest.string() +
                    " cannot be used: " + problem);
  }
  plan::FrozenPlan frozen;
  frozen.study = planned.study;
  frozen.study.file = fs::absolute(request.manifest).lexically_normal();
  frozen.run = planned.study.run;
  const GitState git = git_state(request.manifest.parent_path());
  frozen.git_commit = git.commit;
  frozen.git_dirty = git.dirty;
  frozen.plan = planned.plan;
  const std::string device = request.device == "auto" ? "" : request.device;
  for (const run::CellCost& cost :
       costs_of_cells(planned.plan.cells, read_precedents(request.database, device))) {
    frozen.costs.push_back(cost.seconds);
  }
  frozen.is_split = request.is_split;
  frozen.tool = UNMASK_VERSION;
  return frozen;
}

// What the database has already is there for the shards like what another shard has published.
void publish_stored(const PlanFolder& folder,
                    const plan::FrozenPlan& frozen,
                    const fs::path& database) {
  if (!fs::exists(database)) return;
  if (store::Store::open_reader(database).lookup(std::span(frozen.plan.cells)).empty()) return;
  store::MergeOptions options;
  options.only.emplace();
  for (const wire::Cell& cell : frozen.plan.cells) options.only->insert(cell.key);
  const base::TempFolder scratch("unmask-submit-");
  store::Store store = store::Store::open_writer(scratch.path() / "stored.sqlite");
  store::merge(store, std::span(&database, 1), options);
  for (const std::string& problem : folder.publish(store, "stored")) {
    std::cerr << "note: " << problem << "; a shard computes it again\n";
  }
}

void expect_files_on_this_disk(const Request& request) {
  if (request.engine == "slurm" && !request.is_dry && !store::is_on_network(request.folder)) {
    std::cerr << "note: " << request.folder.string()
              << " does not look like a disk that all nodes share; where it is none, their results "
                 "stay on them (--folder names another)\n";
  }
}

void write_scripts(const Submission& submission) {
  const fs::path folder = submission.plan.parent_path();
  fs::create_directories(folder / "logs");
  base::write_file_atomically(folder / "submission.json",
                              nlohmann::json(submission).dump(1) + "\n");
  base::write_file_atomically(folder / "task.sh", task_script(submission));
  base::write_file_atomically(folder / "merge.sh", merge_script(submission));
}

// @return the tasks; none wanted when everything is stored
Tasks make_tasks(const Request& request, const HostContext& host) {
  Tasks tasks;
  const PlannedStudy planned = plan_study(request.manifest, host);
  tasks.frozen = freeze(request, planned);
  const std::size_t count = within_limits(request);
  tasks.shards =
      plan::make_shards(tasks.frozen.plan.cells, tasks.frozen.costs, count, request.is_split);
  const PlanFolder folder(plan::write_frozen_plan(request.folder, tasks.frozen));
  publish_stored(folder, tasks.frozen, request.database);

  Submission& s = tasks.submission;
  s.engine = request.engine;
  s.shards = count;
  s.program = host.executable();
  s.plan = folder.plan();
  s.database = fs::absolute(request.database).lexically_normal();
  s.study = planned.study.name;
  s.device = request.device;
  s.workers = request.workers;
  s.threads = planned.study.run.threads.value_or(1);
  // Tasks that run side by side share the processors.
  if (s.engine == "local" && request.parallel > 1 && !s.workers && !planned.study.run.workers &&
      planned.catalog.cuda_devices == 0) {
    s.workers = std::max(1, usable_processors() / (request.parallel * s.threads));
  }
  s.kernels = request.kernels;
  for (const std::string& name : request.plugin_dirs) {
    s.plugin_dirs.push_back(fs::absolute(name).lexically_normal().string());
  }
  s.profile = request.profile.value_or(SiteProfile{});
  return tasks;
}

// The tasks of an earlier submission.
Tasks reload_tasks(const PlanFolder& folder, const std::optional<SiteProfile>& profile) {
  Tasks tasks;
  tasks.frozen = plan::read_frozen_plan(folder.plan());
  const fs::path file = folder.folder() / "submission.json";
  try {
    tasks.submission = nlohmann::json::parse(base::read_file(file)).get<Submission>();
  } catch (const nlohmann::json::exception& error) {
    throw DataError(file.string() + " is damaged: " + error.what() + "; submit the manifest again");
  }
  tasks.submission.plan = folder.plan();
  if (profile) tasks.submission.profile = *profile;
  tasks.shards = plan::make_shards(
      tasks.frozen.plan.cells, tasks.frozen.costs, tasks.submission.shards, tasks.frozen.is_split);
  return tasks;
}

// The shards with a cell that no published database has.
void choose_missing(Tasks& tasks) {
  const PlanFolder folder(tasks.submission.plan);
  const std::set<std::string> done = folder.done(tasks.frozen.plan.cells);
  std::size_t missing = 0;
  for (std::size_t i = 0; i < tasks.shards.size(); ++i) {
    std::size_t of_shard = 0;
    for (const std::size_t place : tasks.shards[i].cells) {
      if (!done.contains(tasks.frozen.plan.cells[place].key)) ++of_shard;
    }
    if (of_shard > 0) tasks.wanted.push_back(i + 1);
    missing += of_shard;
  }
  std::cerr << "plan " << tasks.submission.plan.string() << ": "
            << base::counted(tasks.frozen.plan.cells.size(), "cell") << ", " << missing
            << " to run in " << base::counted(tasks.wanted.size(), "shard") << "\n";
  for (const std::size_t number : tasks.wanted) {
    const plan::Shard& shard = tasks.shards[number - 1];
    std::cerr << "  shard " << number << ": " << base::counted(shard.cells.size(), "cell")
              << (shard.is_second_stage ? ", after the trainings" : "") << "\n";
  }
}

std::vector<std::size_t> of_stage(const Tasks& tasks, bool is_second) {
  std::vector<std::size_t> numbers;
  for (const std::size_t number : tasks.wanted) {
    if (tasks.shards[number - 1].is_second_stage == is_second) numbers.push_back(number);
  }
  return numbers;
}

// Sends a job, or says how it would be sent.
std::string send(const std::vector<std::string>& command, bool is_dry) {
  std::cerr << (is_dry ? "would run: " : "ran: ") << words::shell_command(command) << "\n";
  return is_dry ? "<job>" : submit_job(command);
}

void run_on_slurm(const Tasks& tasks, bool is_dry) {
  const fs::path folder = tasks.submission.plan.parent_path();
  std::string jobs;
  for (const bool is_second : {false, true}) {
    const std::vector<std::size_t> numbers = of_stage(tasks, is_second);
    if (numbers.empty()) continue;
    std::string array = array_of(numbers);
    if (const auto& most = tasks.submission.profile.max_parallel) {
      array += "%" + std::to_string(*most);
    }
    std::vector<std::string> command = {"sbatch", "--parsable", "--array=" + array};
    // Whatever became of the trainings: evaluations of those that are there can be done.
    if (!jobs.empty()) command.push_back("--dependency=afterany:" + jobs);
    command.push_back((folder / "task.sh").string());
    const std::string id = send(command, is_dry);
    jobs += (jobs.empty() ? "" : ":") + id;
  }
  const std::string merge = send({"sbatch",
                                  "--parsable",
                                  "--dependency=afterany:" + jobs,
                                  "--kill-on-invalid-dep=yes",
                                  (folder / "merge.sh").string()},
                                 is_dry);
  if (is_dry) return;
  std::cout << jobs << " " << merge << "\n";
  std::cerr << "logs are in " << (folder / "logs").string() << "; results will be in "
            << tasks.submission.database.string() << "\nwhat is missing afterwards: "
            << words::shell_command(
                   {"unmask", "submit", "--missing", tasks.submission.plan.string(), "--dry-run"})
            << "\n";
}

// @return the exit code
int run_here(const Tasks& tasks, int parallel, bool is_dry) {
  LocalTasks local(tasks.submission.plan.parent_path(), parallel);
  for (const bool is_second : {false, true}) {
    const std::vector<std::size_t> numbers = of_stage(tasks, is_second);
    if (is_dry) {
      for (const std::size_t number : numbers) {
        std::cerr << "would run: " << words::shell_command(local.command(number)) << "\n";
      }
    } else if (!local.run(numbers)) {
      std::cerr << "stopped; to go on: "
                << words::shell_command(
                       {"unmask", "submit", "--missing", tasks.submission.plan.string()})
                << "\n";
      return static_cast<int>(ExitCode::kCellsFailed);
    }
  }
  if (is_dry) {
    std::cerr << "would run: " << words::shell_command(local.merge_command()) << "\n";
    return 0;
  }
  return local.merge();
}

int run_tasks(Tasks tasks, int parallel, bool is_dry) {
  choose_missing(tasks);
  write_scripts(tasks.submission);
  if (tasks.submission.engine == "local") return run_here(tasks, parallel, is_dry);
  if (tasks.wanted.empty()) {
    std::cerr << "nothing is missing; to merge: bash "
              << words::shell_command({(tasks.submission.plan.parent_path() / "merge.sh").string()})
              << "\n";
    return 0;
  }
  run_on_slurm(tasks, is_dry);
  return 0;
}

void add_options(CommandLine& line) {
  line.options().add_options()("engine",
                               po::value<std::string>()->default_value("slurm"),
                               "slurm, or local: the same without Slurm, on this machine")(
      "shards", po::value<int>(), "into how many parts to divide the plan")(
      "split",
      "trainings in shards of their own, evaluations after them: for few networks and many "
      "attacks")("missing",
                 po::value<std::string>(),
                 "send again what has no result yet of a plan (file or folder) that was submitted")(
      "folder",
      po::value<std::string>(),
      "of the plan, on a disk that all machines see; default: cluster/<study>")(
      "profile", po::value<std::string>(), "what the site wants, a JSON file (docs/cluster.md)")(
      "parallel",
      po::value<int>()->default_value(1),
      "engine local: shards that run at the same time")(
      "dry-run", "write plan and scripts and print the commands; send nothing")(
      "device", po::value<std::string>()->default_value("auto"), "as for run")(
      "workers", po::value<int>(), "of each task, as for run");
  line.add_database();
  line.add_plugin_dir();
  line.add_kernels();
}

std::size_t shards_of(const CommandLine& line) {
  const auto shards = line.find<int>("shards");
  const int least = line.has("split") ? 2 : 1;
  if (!shards) throw UsageError("say into how many parts to divide the plan: --shards N");
  if (*shards < least) throw UsageError("--shards must be at least " + std::to_string(least));
  return static_cast<std::size_t>(*shards);
}

}  // namespace

int command_submit(const Arguments& arguments) {
  CommandLine line(
      "submit MANIFEST --shards N [options]  or  unmask submit --missing PLAN",
      "Runs a manifest on several machines: freezes its plan in a file, divides it into shards "
      "that need nothing\nof each other, writes scripts and sends them to Slurm, and a job behind "
      "them that merges what they\npublished into the database. Cells that share a training are in "
      "one shard. docs/cluster.md.");
  line.positional("manifest", "the manifest");
  add_options(line);
  if (!line.parse(arguments)) return 0;
  const bool is_dry = line.has("dry-run");
  const auto parallel = line.get<int>("parallel");
  if (parallel < 1) throw UsageError("--parallel must be at least 1");
  std::optional<SiteProfile> profile;
  if (const auto file = line.find<std::string>("profile")) profile = read_site_profile(*file);
  if (const auto plan = line.find<std::string>("missing")) {
    if (line.has("manifest")) throw UsageError("--missing takes no manifest: it has its plan");
    return run_tasks(reload_tasks(PlanFolder::find(*plan), profile), parallel, is_dry);
  }

  Request request;
  request.manifest = line.required("manifest");
  request.database = line.database();
  request.engine = line.get<std::string>("engine");
  if (request.engine != "slurm" && request.engine != "local") {
    throw UsageError("--engine must be slurm or local, not \"" + request.engine + "\"");
  }
  request.shards = shards_of(line);
  request.parallel = parallel;
  request.is_split = line.has("split");
  request.is_dry = is_dry;
  request.device = line.get<std::string>("device");
  request.workers = line.find<int>("workers");
  request.kernels = line.find<std::string>("kernels").value_or("");
  request.plugin_dirs =
      line.find<std::vector<std::string>>("plugin-dir").value_or(std::vector<std::string>{});
  request.profile = profile;
  request.folder = fs::absolute(
      line.find<std::string>("folder").value_or("cluster/" + request.manifest.stem().string()));
  expect_files_on_this_disk(request);
  const HostContext host(line.plugin_dirs(), line.kernels());
  return run_tasks(make_tasks(request, host), parallel, is_dry);
}

}  // namespace unmask::cli
