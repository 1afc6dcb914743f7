// Trainings that are killed in the middle of an epoch, one after the other, and continued by the
// next run.

#include <signal.h>

#include <filesystem>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "integration/sandbox.hpp"

namespace unmask::test::resume_test {
namespace {

constexpr std::int64_t kSteps = 4;  // of an epoch: 60 images, 15 at a time

// Every architecture of the paper once, naturally, and the ResNet against two inner attacks;
// several optimisers, averages and schedules among them.
std::string eight_trainings() {
  return R"({
  "version": 1, "name": "resume",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 76, "test_count": 20, "train_limit": 60 } } },
    "model": {
      "resnet": { "plugin": "resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } },
      "so_resnet": { "plugin": "so_resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } },
      "odenet": { "plugin": "odenet", "params": { "channels": 8, "blocks": 1 } },
      "sonet": { "plugin": "sonet", "params": { "channels": 8, "blocks": [1], "strides": [2] } }
    },
    "objective": {
      "natural": { "plugin": "cross_entropy", "params": { "epochs": 8, "batch_size": 15, "learning_rate": 0.02 } },
      "long": { "extends": "natural", "params": { "epochs": 120 } },
      "adam": { "extends": "long", "params": { "optimizer": "adam", "learning_rate": 0.002, "averaging": "ema", "averaging_decay": 0.9 } },
      "best": { "extends": "long", "params": { "batch_size": 11, "validation": 16, "keep": "best", "horizontal_flip": true } },
      "madry": { "plugin": "madry", "params": { "epochs": 50, "batch_size": 15, "learning_rate": 0.02, "steps": 2, "nesterov": true, "schedule": "cosine" } },
      "trades": { "plugin": "trades", "params": { "epochs": 30, "batch_size": 15, "optimizer": "adamw", "learning_rate": 0.002, "steps": 2, "averaging": "swa" } }
    },
    "solver": { "bosh3": { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1 } } }
  },
  "train": {
    "matrix": { "dataset": ["strokes"], "model": ["so_resnet", "odenet", "sonet"], "objective": ["natural"], "solver": ["bosh3"], "seed": [0] },
    "add": [ { "dataset": "strokes", "model": "resnet", "objective": ["long", "adam", "best", "madry", "trades"], "solver": "bosh3", "seed": 0 } ]
  }
}
)";
}

// Everything that a study stores but times, the curves of trainings included.
std::string all_results(const Sandbox& box) {
  return box.results() +
         box.ask(
             "SELECT c.key, s.name, s.step, s.value FROM series s JOIN cell c ON c.id = s.cell_id "
             "WHERE s.name <> 'images_per_s' ORDER BY c.key, s.name, s.step") +
         box.ask(
             "SELECT c.key, a.forwards, a.backwards, a.nfe FROM attempt a JOIN cell c ON c.id = "
             "a.cell_id WHERE a.state = 'done' ORDER BY c.key");
}

std::set<std::string> unfinished(const Sandbox& box) {
  std::set<std::string> keys;
  const auto folder = box.path("checkpoints") / "unfinished";
  if (!std::filesystem::exists(folder)) return keys;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") keys.insert(entry.path().stem().string());
  }
  return keys;
}

// Kills a run with all its processes in the middle of a training that has not been killed before.
// Returns the key of that cell; nullopt when the run came to its end.
std::optional<std::string> kill_in_the_next_training(const Sandbox& box,
                                                     const std::filesystem::path& manifest,
                                                     const std::set<std::string>& killed) {
  WatchedRun run(box, manifest, {"--workers", "1"});
  std::set<std::string> seen;
  for (;;) {
    nlohmann::json event;
    try {
      event = run.wait_for("cell_progress");
    } catch (const std::runtime_error&) {
      run.wait();
      return std::nullopt;
    }
    const auto key = event.at("key").get<std::string>();
    const auto done = event.at("done").get<std::int64_t>();
    if (killed.contains(key)) {
      const bool is_first = seen.insert(key).second;
      EXPECT_TRUE(!is_first || done > kSteps) << "the training began anew";
    } else if (done > kSteps && 4 * done < 3 * event.at("total").get<std::int64_t>()) {
      ::kill(run.pid(), SIGKILL);
      EXPECT_EQ(run.wait().signal, SIGKILL);
      return key;
    }
  }
}

TEST(Resume, TrainingsKilledInMidEpochGiveTheCheckpointsOfAnUndisturbedRun) {
  const Sandbox calm;
  const Outcome undisturbed = calm.run(calm.write("resume.json", eight_trainings()));
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.err;
  const Sandbox box;
  const auto file = box.write("resume.json", eight_trainings());

  // Each run finishes what the last one had begun, and is killed in the middle of the next
  // training, after its first epoch. The last of the trainings may be over before it is seen.
  std::set<std::string> killed;
  while (std::optional<std::string> key = kill_in_the_next_training(box, file, killed)) {
    killed.insert(*key);
    EXPECT_EQ(unfinished(box), std::set<std::string>{*key});
  }
  const Outcome last = box.run(file);

  EXPECT_EQ(last.code, 0) << last.err;
  EXPECT_GE(killed.size(), 5u) << "of eight trainings; the others were too short to be caught";
  EXPECT_EQ(all_results(box), all_results(calm));
  EXPECT_TRUE(unfinished(box).empty());
}

}  // namespace
}  // namespace unmask::test::resume_test
