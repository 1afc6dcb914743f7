#include "cli/batch_scripts.hpp"

#include "text/shell_words.hpp"

namespace unmask::cli {
namespace {

using nlohmann::json;

// "#SBATCH --partition=gpu" for what the profile says. sbatch reads quotes as a shell does.
std::string directive(const std::string& option, const std::string& value) {
  if (value.empty()) return "";
  const bool has_blank = value.find_first_of(" \t") != std::string::npos;
  return "#SBATCH --" + option + "=" + (has_blank ? "\"" + value + "\"" : value) + "\n";
}

std::string common_directives(const Submission& s) {
  const SiteProfile& p = s.profile;
  std::string text = directive("partition", p.partition) + directive("account", p.account) +
                     directive("qos", p.qos) + directive("constraint", p.constraint);
  text += "#SBATCH --nodes=1\n#SBATCH --ntasks=1\n#SBATCH --open-mode=append\n";
  for (const std::string& option : p.sbatch) text += "#SBATCH " + option + "\n";
  return text;
}

std::string prologue(const Submission& s) {
  std::string text;
  for (const std::string& name : s.profile.modules)
    text += "module load " + words::shell_word(name) + "\n";
  for (const std::string& line : s.profile.prologue) text += line + "\n";
  return text.empty() ? "" : text + "\n";
}

// Words of a command, one to a line.
std::string lines_of(const std::vector<std::vector<std::string>>& groups) {
  std::string text;
  for (const auto& group : groups) {
    text += (text.empty() ? "" : " \\\n  ") + words::shell_command(group);
  }
  return text;
}

// A name may hold anything; in a comment it must not begin a line.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

// The first digits of the plan's hash.
std::string short_name(const Submission& s) {
  const std::string name = s.plan.stem().string();
  const std::string prefix = "plan-";
  return name.starts_with(prefix) ? name.substr(prefix.size(), 8) : name;
}

std::string logs_of(const Submission& s) {
  return (s.plan.parent_path() / "logs").string();
}

// The program in the background, so that the script can be told something meanwhile.
std::string command_of_task(const Submission& s) {
  const std::vector<std::vector<std::string>> groups = {{s.program.string(), "run"},
                                                        {"--plan", s.plan.string()}};
  std::vector<std::string> rest = {"--device", s.device, "--progress", "plain"};
  for (const std::string& folder : s.plugin_dirs) {
    rest.emplace_back("--plugin-dir");
    rest.push_back(folder);
  }
  if (!s.kernels.empty()) rest.insert(rest.end(), {"--kernels", s.kernels});
  std::string text = "options=()\n";
  if (s.workers) {
    text += "options+=(--workers " + std::to_string(*s.workers) + ")\n";
  } else if (s.profile.gres.empty() && s.device != "cuda") {
    // Without limits of the site a job sees all processors of its node.
    text +=
        "[ -n \"${SLURM_CPUS_PER_TASK:-}\" ] && "
        "options+=(--workers \"$((SLURM_CPUS_PER_TASK < " +
        std::to_string(s.threads) + " ? 1 : SLURM_CPUS_PER_TASK / " + std::to_string(s.threads) +
        "))\")\n";
  }
  text += "is_started=yes\n" + lines_of(groups) + " --shard \"$shard/" + std::to_string(s.shards) +
          "\" \\\n  " + words::shell_command(rest) + " \"${options[@]}\" &\nchild=$!\n\n";
  return text;
}

}  // namespace

void to_json(json& j, const Submission& s) {
  j = {{"engine", s.engine},
       {"shards", s.shards},
       {"program", s.program.string()},
       {"plan", s.plan.filename().string()},
       {"database", s.database.string()},
       {"study", s.study},
       {"device", s.device},
       {"workers", s.workers ? json(*s.workers) : json()},
       {"threads", s.threads},
       {"plugin_dirs", s.plugin_dirs},
       {"kernels", s.kernels},
       {"profile", to_json(s.profile)}};
}

void from_json(const json& j, Submission& s) {
  j.at("engine").get_to(s.engine);
  j.at("shards").get_to(s.shards);
  s.program = j.at("program").get<std::string>();
  s.plan = j.at("plan").get<std::string>();
  s.database = j.at("database").get<std::string>();
  j.at("study").get_to(s.study);
  j.at("device").get_to(s.device);
  if (!j.at("workers").is_null()) s.workers = j.at("workers").get<int>();
  j.at("threads").get_to(s.threads);
  j.at("plugin_dirs").get_to(s.plugin_dirs);
  s.kernels = j.value("kernels", std::string());
  s.profile = site_profile_from(j.at("profile"), "submission.json");
}

std::string task_script(const Submission& s) {
  const SiteProfile& p = s.profile;
  const std::string count = std::to_string(s.shards);
  std::string text = "#!/bin/bash\n# Task N executes shard N of " + count + " of the study \"" +
                     one_line(s.study) +
                     "\". Written by `unmask submit`.\n# By hand, anywhere: bash task.sh N\n";
  text += directive("job-name", "unmask-" + short_name(s));
  text += common_directives(s) + directive("time", p.time) + directive("mem", p.memory) +
          directive("gres", p.gres);
  if (p.cpus_per_task) text += directive("cpus-per-task", std::to_string(*p.cpus_per_task));
  text += directive("output", logs_of(s) + "/shard-%a.log");
  // A task that lost its node begins again; one that runs out of time is told before.
  text += "#SBATCH --requeue\n#SBATCH --signal=B:USR1@" + std::to_string(p.stop_before_s) + "\n\n";
  text += "shard=${SLURM_ARRAY_TASK_ID:-${1:?the number of the shard}}\n\n";
  text +=
      "# The time is nearly up: let running cells finish; what does not within half of what is "
      "left is stopped.\n"
      "wind_down() {\n"
      "  tell INT\n"
      "  (sleep " +
      std::to_string(p.stop_before_s / 2) +
      "; tell TERM) &\n"
      "}\n"
      "# Passed on to the program; before it begins, there is nothing to wind down.\n"
      "is_started= child=\n"
      "tell() {\n"
      "  [ -n \"$is_started\" ] || exit 75\n"
      "  kill -\"$1\" \"${child:-$!}\" 2>/dev/null\n"
      "}\n"
      "trap wind_down USR1\n"
      "trap 'tell TERM' TERM INT\n\n";
  text += prologue(s) + command_of_task(s);
  text +=
      "while kill -0 \"$child\" 2>/dev/null; do wait \"$child\"; done\n"
      "wait \"$child\"\ncode=$?\n\n";
  text +=
      "# 75: stopped before its end. What was done is published; the same task goes on with the "
      "rest.\n"
      "if [ \"$code\" = 75 ] && [ -n \"${SLURM_ARRAY_JOB_ID:-}\" ] && "
      "[ \"${SLURM_RESTART_COUNT:-0}\" -lt " +
      std::to_string(p.max_requeues) +
      " ]; then\n"
      "  scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\"\n"
      "fi\n"
      "exit \"$code\"\n";
  return text;
}

std::string merge_script(const Submission& s) {
  std::string text =
      "#!/bin/bash\n# Puts what the shards have published into one database. Written by `unmask "
      "submit`;\n# by hand, any time: bash merge.sh\n";
  text += directive("job-name", "unmask-merge");
  text += common_directives(s) + directive("time", s.profile.merge_time);
  text += directive("output", logs_of(s) + "/merge.log") + "\n" + prologue(s);
  text += "exec " +
          lines_of(
              {{s.program.string(), "merge"}, {s.database.string()}, {"--plan", s.plan.string()}}) +
          "\n";
  return text;
}

}  // namespace unmask::cli
