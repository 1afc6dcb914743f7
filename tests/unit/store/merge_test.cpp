// Databases of several machines become one: nothing left out, nothing twice, in any order.

#include "store/merge.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "store/result_files.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store::merge_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::SmallStudy;

// All that a database holds, by what it is and not by ids; without verdicts, which follow from it.
std::string content(const Store& store) {
  std::string text;
  for (const char* sql :
       {"SELECT sha256, name, description, file, text, first_seen FROM manifest ORDER BY 1, 2",
        "SELECT sha256, json, host, cpu FROM environment ORDER BY 1",
        "SELECT kind, name, fingerprint, version, capabilities FROM plugin ORDER BY 1, 2, 3",
        "SELECT r.id, r.uuid, m.sha256, e.sha256, p.sha256, r.state, r.exit_code, r.started_at, "
        "r.argv, r.git_commit, r.thresholds FROM run r JOIN manifest m ON m.id = r.manifest_id "
        "JOIN environment e ON e.id = r.environment_id LEFT JOIN plan p ON p.id = r.plan_id "
        "ORDER BY r.uuid",
        "SELECT r.uuid, p.name, x.file, x.file_sha256 FROM run_plugin x JOIN run r ON r.id = "
        "x.run_id JOIN plugin p ON p.id = x.plugin_id ORDER BY 1, 2",
        "SELECT c.key, c.kind, c.spec_json, c.norm, t.key, s.key FROM cell c LEFT JOIN cell t ON "
        "t.id = c.checkpoint_cell_id LEFT JOIN cell s ON s.id = c.source_cell_id ORDER BY 1",
        "SELECT c.key, x.role, p.name FROM cell_plugin x JOIN cell c ON c.id = x.cell_id JOIN "
        "plugin p ON p.id = x.plugin_id ORDER BY 1, 2",
        "SELECT p.sha256, x.place, c.key, x.is_alias, x.model, x.method, x.epsilon_text FROM "
        "plan_cell x JOIN plan p ON p.id = x.plan_id JOIN cell c ON c.id = x.cell_id ORDER BY 1, 2",
        "SELECT r.uuid, c.key, x.how, x.reason FROM run_cell x JOIN run r ON r.id = x.run_id JOIN "
        "cell c ON c.id = x.cell_id ORDER BY 1, 2",
        "SELECT a.id, c.key, r.uuid, a.n, a.state, a.failure_class, a.message, a.log_tail, "
        "a.started_at, a.wall_s, a.peak_bytes, a.device_peak_bytes, a.nfe, a.checkpoint_sha256 "
        "FROM attempt a JOIN cell "
        "c ON c.id = a.cell_id JOIN run r ON r.id = a.run_id ORDER BY 1",
        "SELECT c.key, x.sha256, x.bytes, x.path FROM checkpoint x JOIN cell c ON c.id = "
        "x.cell_id ORDER BY 1",
        "SELECT c.key, x.sha256, x.bytes, x.path FROM adversarials x JOIN cell c ON c.id = "
        "x.cell_id ORDER BY 1",
        "SELECT c.key, x.name, x.value, x.flag, x.reason, x.n FROM metric x JOIN cell c ON c.id = "
        "x.cell_id ORDER BY 1, 2",
        "SELECT c.key, x.name, x.step, x.value, x.flag FROM series x JOIN cell c ON c.id = "
        "x.cell_id ORDER BY 1, 2, 3",
        "SELECT c.key, x.phase, x.solve, x.solves, x.nfe_median, x.nfe_total, x.step_min FROM "
        "solve_stats x JOIN cell c ON c.id = x.cell_id ORDER BY 1, 2, 3",
        "SELECT c.key, x.sample, x.label, x.state, x.clean_prediction, x.prediction, x.distance, "
        "x.queries, x.passes FROM sample_outcome x JOIN cell c ON c.id = x.cell_id ORDER BY 1, 2",
        "SELECT c.key, x.sample, x.name, x.value, x.flag FROM sample_metric x JOIN cell c ON c.id "
        "= x.cell_id ORDER BY 1, 2, 3",
        "SELECT c.key, x.purpose, x.seed FROM seed x JOIN cell c ON c.id = x.cell_id ORDER BY 1, 2",
        "SELECT c.key, x.n, x.text FROM remark x JOIN cell c ON c.id = x.cell_id ORDER BY 1, 2"}) {
    text += table::to_text(run_query(store, sql), table::Format::kCsv) + "\n";
  }
  return text;
}

class Merge : public ::testing::Test {
 protected:
  fs::path path(const std::string& name) const { return folder_.path() / name / "x.sqlite"; }

  // A machine with a run of the small study that plans all of it.
  struct Machine {
    Store store;
    std::int64_t run;
  };
  Machine machine(const std::string& name, const std::string& cpu = "a processor") const {
    Machine result{Store::open_writer(path(name)), 0};
    RunInfo info = testing::make_info();
    info.environment["host"] = name;
    info.environment["cpu"] = cpu;
    result.run = result.store.begin_run(testing::make_study(), info);
    result.store.register_cells(result.run, testing::make_catalog(), study_.cells());
    return result;
  }

  // Three machines: two networks, a failure, a cell that two of them did, another that failed on one
  // and went well on another.
  std::vector<fs::path> three_machines() const {
    Machine a = machine("a"), b = machine("b"), c = machine("c");
    testing::finish(a.store, a.run, study_.train0, testing::train_result("a"));
    testing::finish(a.store, a.run, study_.clean, testing::attack_result("rrrw"));
    testing::fail(
        a.store, a.run, study_.crashed, {wire::FailureClass::kCrash, "fell", "x\n", 11, {}});
    testing::finish(b.store, b.run, study_.train0, testing::train_result("a"));
    testing::finish(b.store, b.run, study_.clean, testing::attack_result("rrrw"));
    testing::finish(b.store, b.run, study_.crashed, testing::attack_result("rrfw"));
    testing::finish(c.store, c.run, study_.train0, testing::train_result("a"));
    testing::finish(c.store, c.run, study_.train1, testing::train_result("b"));
    testing::finish(c.store, c.run, study_.pgd1, testing::attack_result("rfww"));
    testing::finish(c.store, c.run, study_.clean, testing::attack_result("rrrw"));
    c.store.skip_cell(c.run, study_.blocked.key, "its training failed");
    for (Machine* one : {&a, &b, &c}) one->store.end_run(one->run, 0);
    return {path("a"), path("b"), path("c")};
  }

  MergeReport merge_into(const std::string& name,
                         const std::vector<fs::path>& sources,
                         const MergeOptions& options = {}) const {
    Store store = Store::open_writer(path(name));
    return merge(store, sources, options);
  }

  std::string content_of(const std::string& name) const {
    return content(Store::open_reader(path(name)));
  }

  std::string ask(const std::string& name, const std::string& sql) const {
    return Store::open_reader(path(name)).database().text("ask", sql);
  }

  base::TempFolder folder_;
  SmallStudy study_;
};

TEST_F(Merge, BringsEverythingIntoAnEmptyDatabase) {
  {
    Store store = Store::open_writer(path("one"));
    testing::run_small_study(store, study_);
  }

  const MergeReport report = merge_into("all", {path("one")});

  EXPECT_TRUE(report.is_merged);
  EXPECT_EQ(report.added, 11u);
  EXPECT_EQ(content_of("all"), content_of("one"));
}

TEST_F(Merge, TwiceIsOnce) {
  const std::vector<fs::path> sources = three_machines();
  merge_into("all", sources);
  const std::string once = content_of("all");

  const MergeReport again = merge_into("all", sources);

  EXPECT_EQ(content_of("all"), once);
  EXPECT_EQ(again.added, 0u);
  EXPECT_EQ(again.attempts, 0u);
  EXPECT_EQ(again.known, 9u);
}

TEST_F(Merge, TheOrderDoesNotMatter) {
  std::vector<fs::path> sources = three_machines();
  merge_into("all", sources);
  const std::string expected = content_of("all");

  int number = 0;
  do {
    const std::string name = "order" + std::to_string(++number);
    for (const fs::path& source : sources) merge_into(name, {source});
    EXPECT_EQ(content_of(name), expected) << sources[0] << " " << sources[1] << " " << sources[2];
  } while (std::next_permutation(sources.begin(), sources.end()));
  EXPECT_EQ(number, 6);
}

TEST_F(Merge, GroupsDoNotMatter) {
  const std::vector<fs::path> sources = three_machines();
  merge_into("all", sources);
  merge_into("ab", {sources[0], sources[1]});
  merge_into("bc", {sources[1], sources[2]});

  merge_into("ab then c", {path("ab"), sources[2]});
  merge_into("a then bc", {sources[0], path("bc")});
  merge_into("twice", {path("bc"), path("ab"), path("bc")});

  EXPECT_EQ(content_of("ab then c"), content_of("all"));
  EXPECT_EQ(content_of("a then bc"), content_of("all"));
  EXPECT_EQ(content_of("twice"), content_of("all"));
}

TEST_F(Merge, AResultOfTwoMachinesStandsOnceAndItsAttemptsStay) {
  merge_into("all", three_machines());

  EXPECT_EQ(ask("all",
                "SELECT count(*) FROM attempt a JOIN cell c ON c.id = a.cell_id WHERE "
                "c.key = '" +
                    study_.clean.key + "'"),
            "3");
  EXPECT_EQ(ask("all", "SELECT state FROM cells WHERE key = '" + study_.clean.key + "'"), "done");
  EXPECT_EQ(
      ask("all", "SELECT state || attempts FROM cells WHERE key = '" + study_.crashed.key + "'"),
      "done2");
  EXPECT_EQ(ask("all", "SELECT count(*) FROM pragma_foreign_key_check"), "0");
  EXPECT_EQ(ask("all", "PRAGMA integrity_check"), "ok");
}

TEST_F(Merge, RunsAreNumberedByTheirBeginning) {
  const std::vector<fs::path> sources = three_machines();

  for (const std::size_t i : {2u, 0u, 1u}) merge_into("all", {sources[i]});

  EXPECT_EQ(ask("all",
                "SELECT group_concat(host) FROM (SELECT e.host FROM run r JOIN environment e ON "
                "e.id = r.environment_id ORDER BY r.id)"),
            "a,b,c");
}

TEST_F(Merge, OtherValuesAreRefusedWithBothMachinesAndNothingIsChanged) {
  {
    Machine a = machine("a", "Alpha 1"), b = machine("b", "Beta 2");
    for (Machine* one : {&a, &b}) {
      testing::finish(one->store, one->run, study_.train0, testing::train_result("a"));
    }
    testing::finish(a.store, a.run, study_.pgd, testing::attack_result("rrfw"));
    testing::finish(b.store, b.run, study_.pgd, testing::attack_result("rffw"));
    testing::finish(b.store, b.run, study_.spsa, testing::attack_result("rffw"));
  }
  merge_into("all", {path("a")});
  const std::string before = content_of("all");

  const MergeReport report = merge_into("all", {path("b")});

  EXPECT_FALSE(report.is_merged);
  ASSERT_THAT(report.conflicts, SizeIs(1));
  const MergeConflict& conflict = report.conflicts.front();
  EXPECT_EQ(conflict.key, study_.pgd.key);
  EXPECT_THAT(conflict.what, HasSubstr("sample_outcome: \"1, 1, decided, 1, 1"));
  EXPECT_THAT(conflict.target, HasSubstr("Alpha 1"));
  EXPECT_THAT(conflict.source, HasSubstr("Beta 2"));
  EXPECT_EQ(content_of("all"), before);
}

TEST_F(Merge, KeepFirstTakesTheRestAndRemembersTheOther) {
  {
    Machine a = machine("a"), b = machine("b");
    for (Machine* one : {&a, &b}) {
      testing::finish(one->store, one->run, study_.train0, testing::train_result("a"));
    }
    testing::finish(a.store, a.run, study_.pgd, testing::attack_result("rrfw"));
    testing::finish(b.store, b.run, study_.pgd, testing::attack_result("rffw"));
    testing::finish(b.store, b.run, study_.spsa, testing::attack_result("rffw"));
  }

  const MergeReport report =
      merge_into("all", {path("a"), path("b")}, {.on_conflict = OnConflict::kKeepFirst});

  EXPECT_TRUE(report.is_merged);
  EXPECT_THAT(report.conflicts, SizeIs(1));
  EXPECT_EQ(ask("all",
                "SELECT prediction FROM sample_outcome o JOIN cell c ON c.id = o.cell_id "
                "WHERE c.key = '" +
                    study_.pgd.key + "' AND sample = 1"),
            "1");
  EXPECT_EQ(ask("all", "SELECT state FROM cells WHERE key = '" + study_.spsa.key + "'"), "done");
  EXPECT_EQ(ask("all", "SELECT count(*) FROM attempt WHERE state = 'discarded'"), "2");
  EXPECT_THAT(merge_into("all", {path("b")}).conflicts, IsEmpty());
}

TEST_F(Merge, ResultsOfOtherWeightsAreNotTaken) {
  {
    Machine a = machine("a"), b = machine("b");
    testing::finish(a.store, a.run, study_.train0, testing::train_result("a"));
    testing::finish(b.store, b.run, study_.train0, testing::train_result("other"));
    testing::finish(b.store, b.run, study_.pgd, testing::attack_result("rffw"));
  }

  const MergeReport refused = merge_into("all", {path("a"), path("b")});
  const MergeReport kept =
      merge_into("first", {path("a"), path("b")}, {.on_conflict = OnConflict::kKeepFirst});

  EXPECT_THAT(refused.conflicts, SizeIs(2));
  EXPECT_FALSE(refused.is_merged);
  EXPECT_THAT(kept.conflicts.back().what, HasSubstr("weights"));
  EXPECT_EQ(ask("first", "SELECT count(*) FROM sample_outcome"), "0");
}

TEST_F(Merge, WhatRunsThereIsInterruptedHereUntilItHasEnded) {
  Machine a = machine("a");
  testing::finish(a.store, a.run, study_.train0, testing::train_result("a"));
  const std::string attempt = a.store.begin_attempt(a.run, study_.clean.key, 1, "cpu");
  merge_into("all", {path("a")});
  EXPECT_EQ(ask("all", "SELECT state FROM cells WHERE key = '" + study_.clean.key + "'"),
            "interrupted");
  EXPECT_EQ(ask("all", "SELECT state FROM run"), "interrupted");

  std::ignore = a.store.commit_result(attempt, testing::attack_result("rrrw"));
  a.store.end_run(a.run, 0);
  merge_into("all", {path("a")});

  EXPECT_EQ(content_of("all"), content_of("a"));
}

TEST_F(Merge, ADiscardedResultStaysDiscarded) {
  Machine a = machine("a");
  testing::finish(a.store, a.run, study_.train0, testing::train_result("a"));
  testing::finish(a.store, a.run, study_.clean, testing::attack_result("rrrw"));
  a.store.end_run(a.run, 0);
  merge_into("all", {path("a")});
  merge_into("old", {path("a")});
  a.store.discard_result(study_.clean.key, "its images are gone");

  merge_into("all", {path("a")});
  EXPECT_EQ(ask("all", "SELECT count(*) FROM sample_outcome"), "0");
  merge_into("all", {path("old")});

  EXPECT_EQ(content_of("all"), content_of("a"));
}

TEST_F(Merge, OnlyTakesResultsOfSomeCellsAndTheirRuns) {
  const std::vector<fs::path> sources = three_machines();

  const MergeReport report =
      merge_into("some", sources, {.only = std::set<std::string>{study_.train1.key}});

  EXPECT_EQ(report.added, 1u);
  EXPECT_EQ(ask("some", "SELECT count(*) FROM run"), "1");
  EXPECT_EQ(ask("some", "SELECT count(*) FROM cell"), "1");
}

TEST_F(Merge, CarriesFilesAndSaysWhichAreMissing) {
  wire::CellResult trained = testing::train_result("a");
  const std::string weights(1234, 'w');
  trained.checkpoint = wire::CheckpointFile{sha256_hex(weights), 1234, "ab/w.safetensors"};
  wire::CellResult lost = testing::train_result("b");
  wire::CellResult outside = testing::train_result("c");
  outside.checkpoint->path = "../../outside";
  {
    Machine a = machine("a");
    testing::finish(a.store, a.run, study_.train0, trained);
    testing::finish(a.store, a.run, study_.train1, lost);
    testing::finish(a.store, a.run, study_.broken, outside);
    base::write_file_atomically(path("a").parent_path() / "checkpoints/ab/w.safetensors", weights);
  }

  const MergeReport report = merge_into("all", {path("a")});

  EXPECT_EQ(base::read_file(path("all").parent_path() / "checkpoints/ab/w.safetensors"), weights);
  EXPECT_THAT(report.missing_files,
              ::testing::UnorderedElementsAre(HasSubstr("b.safetensors is missing"),
                                              HasSubstr("leads out of its folder")));
}

TEST_F(Merge, ItselfIsNoSource) {
  { Machine a = machine("a"); }
  EXPECT_THROW(merge_into("a", {path("a")}), UsageError);
}

TEST_F(Merge, KilledInTheMiddleLeavesAllOrNothing) {
  {
    Machine a = machine("a");
    testing::finish(a.store, a.run, study_.train0, testing::train_result("a"));
    testing::finish(a.store, a.run, study_.clean, testing::attack_result(std::string(20000, 'r')));
  }
  merge_into("whole", {path("a")});
  const std::string whole = content_of("whole");
  Store::open_writer(path("all"));
  const std::string nothing = content_of("all");

  // The waits only spread the kills over the merge; nothing hangs on their length.
  int halves = 0;
  for (int kill = 0; kill < 12; ++kill) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        merge_into("all", {path("a")});
        ::_exit(0);
      } catch (const std::exception&) {
        ::_exit(3);
      }
    }
    ::usleep(static_cast<useconds_t>(4000 * kill));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    const std::string left = content(Store::open_writer(path("all")));
    EXPECT_EQ(ask("all", "PRAGMA integrity_check"), "ok");
    if (left != nothing && left != whole) ++halves;
    if (left == whole) break;
  }
  merge_into("all", {path("a")});

  EXPECT_EQ(halves, 0);
  EXPECT_EQ(content_of("all"), whole);
}

TEST_F(Merge, ASealedCopyHoldsEverythingInOneFile) {
  {
    Store store = Store::open_writer(path("one"));
    testing::run_small_study(store, study_);
    write_sealed_copy(store, path("sealed"));
  }

  EXPECT_EQ(content_of("sealed"), content_of("one"));
  EXPECT_EQ(ask("sealed", "PRAGMA journal_mode"), "delete");
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path("sealed").parent_path())) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, ::testing::ElementsAre("x.sqlite"));
}

TEST_F(Merge, KernelsOfResultsAreCounted) {
  {
    Machine a = machine("a", "Alpha 1"), b = machine("b", "Beta 2");
    testing::finish(a.store, a.run, study_.train0, testing::train_result("a"));
    testing::finish(b.store, b.run, study_.train1, testing::train_result("b"));
  }
  merge_into("all", {path("a"), path("b")});

  EXPECT_THAT(kernels_of_results(Store::open_reader(path("all"))),
              ::testing::UnorderedElementsAre(::testing::Pair("LibTorch 1.13.1, Alpha 1", 1u),
                                              ::testing::Pair("LibTorch 1.13.1, Beta 2", 1u)));
}

}  // namespace
}  // namespace unmask::store::merge_test
