// Sending a plan to Slurm, without Slurm: what a site says and wants, and the scripts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/child.hpp"
#include "base/files.hpp"
#include "cli/batch_scripts.hpp"
#include "cli/plan_folder.hpp"
#include "cli/site_profile.hpp"
#include "cli/slurm.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli::submit_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SlurmLimits, AreReadFromTheConfiguration) {
  const SlurmLimits limits = parse_limits(
      "Configuration data as of today\n"
      "MaxArraySize            = 1001\n"
      "MaxArraySizeOther       = 7\n"
      "MaxJobCount             = 10000\n");
  EXPECT_EQ(limits.max_array, 1001u);
  EXPECT_EQ(limits.max_jobs, 10000u);
  EXPECT_EQ(limits.most_tasks(), 1000u);
}

TEST(SlurmLimits, OfASiteThatSaysNothingAreNone) {
  EXPECT_EQ(parse_limits("nothing").max_array, std::nullopt);
  EXPECT_GT(parse_limits("").most_tasks(), 1000000u);
  EXPECT_EQ(parse_limits("MaxJobCount = 3\nMaxArraySize = 1001").most_tasks(), 2u);
}

TEST(ArrayOf, JoinsNeighbours) {
  EXPECT_EQ(array_of({1, 2, 3, 7, 9, 10}), "1-3,7,9-10");
  EXPECT_EQ(array_of({5}), "5");
  EXPECT_EQ(array_of({}), "");
}

TEST(ShardName, IsTwoNumbers) {
  EXPECT_EQ(parse_shard("3/8").index, 3u);
  EXPECT_EQ(parse_shard("3/8").count, 8u);
  for (const char* wrong : {"", "3", "0/8", "9/8", "a/8", "3/", "/8", "3/8/2", "-1/8", "3 /8"}) {
    EXPECT_THROW(parse_shard(wrong), UsageError) << wrong;
  }
}

TEST(SiteProfile, IsCheckedAndNamesWhatIsWrong) {
  const auto complaint = [](const json& object) -> std::string {
    try {
      site_profile_from(object, "site.json");
    } catch (const ManifestError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(complaint({{"partion", "gpu"}}), HasSubstr("partition"));
  EXPECT_THAT(complaint({{"time", 3}}), HasSubstr("\"time\" must be a text of one line, not 3"));
  EXPECT_THAT(complaint({{"account", "a\nrm -rf"}}), HasSubstr("one line"));
  EXPECT_THAT(complaint({{"cpus_per_task", 0}}), HasSubstr("at least 1"));
  EXPECT_THAT(complaint({{"cpus_per_task", 1.5}}), HasSubstr("whole number"));
  EXPECT_THAT(complaint({{"modules", "cuda"}}), HasSubstr("a list of texts"));
  EXPECT_THAT(complaint(json::array()), HasSubstr("no JSON object"));
}

json full_profile() {
  return {{"partition", "gpu"},
          {"account", "lab"},
          {"time", "04:00:00"},
          {"gres", "gpu:1"},
          {"cpus_per_task", 4},
          {"stop_before_s", 120},
          {"max_requeues", 3},
          {"modules", {"cuda/12", "gcc 12"}},
          {"prologue", {"export X='a b'"}},
          {"sbatch", {"--exclusive"}}};
}

Submission submission() {
  Submission s;
  s.engine = "slurm";
  s.shards = 8;
  s.program = "/opt/unmask dir/bin/unmask";
  s.plan = "/shared/my study/plan-0123456789abcdef.json";
  s.database = "/shared/results.sqlite";
  s.study = "small";
  s.threads = 2;
  s.plugin_dirs = {"/shared/my plugins"};
  s.profile = site_profile_from(full_profile(), "site.json");
  return s;
}

TEST(SiteProfile, ComesBackAsItWas) {
  EXPECT_EQ(to_json(site_profile_from(full_profile(), "site.json")), full_profile());
}

TEST(Submission, ComesBackAsItWas) {
  const json sent = submission();
  EXPECT_EQ(json(sent.get<Submission>()), sent);
}

TEST(TaskScript, SaysWhatTheSiteWants) {
  const std::string text = task_script(submission());
  for (const char* line : {"#SBATCH --partition=gpu\n",
                           "#SBATCH --account=lab\n",
                           "#SBATCH --time=04:00:00\n",
                           "#SBATCH --gres=gpu:1\n",
                           "#SBATCH --cpus-per-task=4\n",
                           "#SBATCH --exclusive\n",
                           "#SBATCH --requeue\n",
                           "#SBATCH --open-mode=append\n",
                           "#SBATCH --signal=B:USR1@120\n",
                           "#SBATCH --output=\"/shared/my study/logs/shard-%a.log\"\n",
                           "module load 'gcc 12'\n",
                           "export X='a b'\n",
                           "'/opt/unmask dir/bin/unmask' run",
                           "--plan '/shared/my study/plan-0123456789abcdef.json'",
                           "--shard \"$shard/8\"",
                           "--plugin-dir '/shared/my plugins'"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("SLURM_CPUS_PER_TASK"))) << "a GPU has one worker";
}

TEST(Scripts, AreBash) {
  const base::TempFolder folder;
  for (const std::string& text :
       {task_script(submission()), merge_script(submission()), task_script(Submission{})}) {
    base::write_file_atomically(folder.path() / "x.sh", text);
    const auto checked = base::run_child({"bash", "-n", (folder.path() / "x.sh").string()}, 10);
    EXPECT_TRUE(checked.status.is_success()) << checked.err << text;
  }
}

// A stand-in for the program, and one for scontrol, that write down what they are told.
class TaskScriptRuns : public ::testing::Test {
 protected:
  base::ChildOutput run(const std::string& program,
                        const std::vector<std::string>& environment,
                        const std::vector<std::string>& prologue = {}) {
    Submission s = submission();
    s.program = folder_.path() / "unmask";
    s.plan = folder_.path() / "plan-0123456789abcdef.json";
    s.profile = {};
    s.profile.stop_before_s = 2;
    s.profile.max_requeues = 3;
    s.profile.prologue = prologue;
    s.plugin_dirs.clear();
    const auto write = [&](const char* name, const std::string& text) {
      base::write_file_atomically(folder_.path() / name, text);
      std::filesystem::permissions(folder_.path() / name, std::filesystem::perms::owner_all);
    };
    write("unmask", "#!/bin/bash\necho \"told $*\"\n" + program);
    write("scontrol", "#!/bin/bash\necho \"scontrol $*\"\n");
    write("task.sh", task_script(s));
    std::vector<std::string> variables = {"PATH=" + folder_.path().string() + ":" +
                                          std::getenv("PATH")};
    variables.insert(variables.end(), environment.begin(), environment.end());
    return base::run_child(
        {"bash", (folder_.path() / "task.sh").string(), "5"}, 60, 1 << 20, variables);
  }
  base::TempFolder folder_;
};

TEST_F(TaskScriptRuns, PassesOnTheShardAndTheExitCode) {
  const base::ChildOutput done = run("exit 4\n", {});
  EXPECT_EQ(done.status.exit_code, 4);
  EXPECT_THAT(done.out, HasSubstr("--shard 5/8"));
  EXPECT_THAT(done.out, Not(HasSubstr("scontrol")));
}

TEST_F(TaskScriptRuns, UsesTheProcessorsOfItsJob) {
  EXPECT_THAT(run("", {"SLURM_CPUS_PER_TASK=8"}).out, HasSubstr("--workers 4"));
  EXPECT_THAT(run("", {"SLURM_CPUS_PER_TASK=1"}).out, HasSubstr("--workers 1"));
  EXPECT_THAT(run("", {}).out, Not(HasSubstr("--workers")));
}

TEST_F(TaskScriptRuns, RequeuesItselfAloneWhileItMay) {
  const std::vector<std::string> job = {"SLURM_ARRAY_JOB_ID=12", "SLURM_ARRAY_TASK_ID=7"};
  EXPECT_THAT(run("exit 75\n", job).out, HasSubstr("scontrol requeue 12_7"));
  EXPECT_THAT(run("exit 75\n", job).out, HasSubstr("--shard 7/8"));
  EXPECT_THAT(run("exit 1\n", job).out, Not(HasSubstr("scontrol")));
  EXPECT_THAT(run("exit 75\n", {job[0], job[1], "SLURM_RESTART_COUNT=3"}).out,
              Not(HasSubstr("scontrol")));
}

// The script is told by its child, as Slurm tells the batch shell alone. Perl, since a shell that bash
// starts in the background cannot catch SIGINT, and the program can.
TEST_F(TaskScriptRuns, WindsDownBeforeItsTimeIsUp) {
  const std::string program =
      "exec perl -e '$| = 1; $SIG{INT} = sub { print qq(drains\\n) }; "
      "$SIG{TERM} = sub { print qq(stops\\n); exit 75 }; "
      "kill USR1 => getppid; sleep 1 for 1 .. 40; exit 3'\n";
  const base::ChildOutput told = run(program, {});
  EXPECT_THAT(told.out, HasSubstr("drains\nstops\n"));
  EXPECT_EQ(told.status.exit_code, 75);
}

// The script may be told before it has done anything else: bash runs traps between its commands.
TEST_F(TaskScriptRuns, StopsAtOnceWhenItIsToldTo) {
  const std::string program =
      "trap 'exit 75' TERM\nkill -TERM $PPID\nfor i in $(seq 300); do sleep 0.1; done\n";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(run(program, {}).status.exit_code, 75);
}

TEST_F(TaskScriptRuns, StartsNothingOnceItWasTold) {
  const base::ChildOutput told = run("", {}, {"kill -TERM $$"});
  EXPECT_EQ(told.status.exit_code, 75);
  EXPECT_THAT(told.out, Not(HasSubstr("told")));
}

}  // namespace
}  // namespace unmask::cli::submit_test
