// What was acknowledged survives kill -9: a child commits results and says so over a pipe; the
// parent kills it at random moments, opens the file again and compares.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/unique_fd.hpp"
#include "store/database.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::kill_test {
namespace {

using testing::attack_cell;
using testing::train_cell;

constexpr int kKills = 15;
constexpr std::size_t kSamples = 200;

wire::Cell cell_number(std::int64_t seed) {
  return attack_cell(train_cell("so_resnet", 0), "bosh3", "", "pgd", 0.1, "0.1", seed);
}

// Commits cells from `first` on, for ever. One byte on `acknowledge` per commit.
[[noreturn]] void commit_for_ever(const std::filesystem::path& file,
                                  std::int64_t first,
                                  int acknowledge) {
  try {
    Store store = Store::open_writer(file);
    const auto run = store.begin_run(testing::make_study(), testing::make_info());
    const catalog::Catalog catalog = testing::make_catalog();
    const wire::CellResult result = testing::attack_result(std::string(kSamples, 'r'));
    for (std::int64_t seed = first;; ++seed) {
      const wire::Cell cell = cell_number(seed);
      store.register_cells(run, catalog, std::vector{cell});
      testing::finish(store, run, cell, result);
      const char byte = 'k';
      if (::write(acknowledge, &byte, 1) != 1) ::_exit(2);
    }
  } catch (const std::exception& error) {
    static_cast<void>(::write(STDERR_FILENO, error.what(), std::string_view(error.what()).size()));
    ::_exit(3);
  }
}

TEST(KillSafety, AcknowledgedCommitsSurviveAndNothingIsHalf) {
  const base::TempFolder folder;
  const auto file = folder.path() / "x.sqlite";
  {
    Store store = Store::open_writer(file);
    const auto run = store.begin_run(testing::make_study(), testing::make_info());
    const wire::Cell training = train_cell("so_resnet", 0);
    store.register_cells(run, testing::make_catalog(), std::vector{training});
    testing::finish(store, run, training, testing::train_result());
  }
  std::mt19937 random(20090);
  std::int64_t acknowledged = 0;
  std::int64_t next = 0;

  for (int kill = 0; kill < kKills; ++kill) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(pipe[0]);
      commit_for_ever(file, next, pipe[1]);
    }
    ::close(pipe[1]);
    const base::UniqueFd acknowledgements(pipe[0]);
    // The moment: some commits, then up to 20 ms. The wait only spreads the kills; nothing hangs on
    // its length.
    const int commits = static_cast<int>(random() % 6);
    char byte = 0;
    std::int64_t got = 0;
    while (got < commits && ::read(acknowledgements.get(), &byte, 1) == 1) ++got;
    ::usleep(static_cast<useconds_t>(random() % 20'000));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself, status " << status;
    while (::read(acknowledgements.get(), &byte, 1) == 1) ++got;
    acknowledged += got;

    const Store store = Store::open_writer(file);
    EXPECT_EQ(store.database().text("check", "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(store.database().integer("check", "SELECT count(*) FROM pragma_foreign_key_check"),
              0);
    std::vector<std::string> keys;
    for (std::int64_t seed = next; seed < next + got; ++seed) keys.push_back(cell_number(seed).key);
    EXPECT_EQ(store.lookup(std::span<const std::string>(keys)).size(), keys.size());
    EXPECT_EQ(
        store.database().integer(
            "check",
            "SELECT count(*) FROM attempt a JOIN cell c ON c.id = a.cell_id WHERE c.kind = "
            "'attack' AND (a.state = 'done') <> ((SELECT count(*) FROM sample_outcome o WHERE "
            "o.cell_id = c.id) = " +
                std::to_string(kSamples) + ")"),
        0);
    EXPECT_EQ(
        store.database().integer("check", "SELECT count(*) FROM attempt WHERE state = 'running'"),
        0);
    next = store.database().integer("next", "SELECT coalesce(max(seed) + 1, 0) FROM plan_cell");
  }

  EXPECT_GT(acknowledged, 0);
}

}  // namespace
}  // namespace unmask::store::kill_test
