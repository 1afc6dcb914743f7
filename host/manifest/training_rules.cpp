#include "manifest/training_rules.hpp"

#include <algorithm>
#include <cstdint>

#include "base/counted.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {
namespace {

class TrainingRules : private OptionRules {
 public:
  TrainingRules(const nlohmann::json& values, const IsWritten& is_written)
      : OptionRules(values, is_written) {}

  std::vector<OptionConflict> check() {
    check_optimizer();
    check_milestones();
    check_schedule();
    check_averaging();
    check_validation();
    return take_conflicts();
  }

 private:
  const std::string& text(const char* name) const {
    return values().at(name).get_ref<const std::string&>();
  }
  std::int64_t integer(const char* name) const { return values().at(name).get<std::int64_t>(); }

  // A number of epochs against the number of all epochs. A training of none is an untrained network
  // and says nothing about its other options.
  bool is_beyond_the_end(std::int64_t epoch) const {
    const std::int64_t epochs = integer("epochs");
    return epochs > 0 && epoch >= epochs;
  }
  std::string all_epochs() const {
    const std::int64_t epochs = integer("epochs");
    return epochs == 1 ? "the only epoch" : "the " + std::to_string(epochs) + " epochs";
  }

  void check_optimizer() {
    const std::string& optimizer = text("optimizer");
    const std::string because = "the optimizer is " + in_quotes(optimizer);
    if (optimizer == "sgd") {
      expect_unwritten({"betas", "adam_epsilon"}, because);
      if (values().at("nesterov").get<bool>() && values().at("momentum").get<double>() == 0) {
        add({"nesterov", "momentum"},
            "\"nesterov\" needs a \"momentum\" above 0",
            "Nesterov's method looks ahead along the momentum");
      }
    } else {
      expect_unwritten({"momentum", "nesterov"}, because);
    }
  }

  void check_milestones() {
    const nlohmann::json& milestones = values().at("milestones");
    const nlohmann::json& factors = values().at("factors");
    const bool is_stepping = text("schedule") == "step";
    if (!is_stepping) {
      expect_unwritten({"milestones", "factors"},
                       "the schedule is " + in_quotes(text("schedule")) + ", not \"step\"");
      return;
    }
    if (milestones.empty()) {
      add({"schedule"},
          "schedule \"step\" needs \"milestones\"",
          "the epochs (counted from 0) at whose start the learning rate changes");
      return;
    }
    if (factors.size() != 1 && factors.size() != milestones.size()) {
      add({"factors", "milestones"},
          "factors has " + base::counted(factors.size(), "entry", "entries") +
              " and milestones has " + std::to_string(milestones.size()),
          "give one factor for all milestones or one for each");
    }
    const auto list = milestones.get<std::vector<std::int64_t>>();
    if (std::adjacent_find(list.begin(), list.end(), std::greater_equal<>()) != list.end()) {
      add({"milestones"}, "milestones must increase", "");
    } else if (is_beyond_the_end(list.back())) {
      add({"milestones", "epochs"},
          "milestone " + std::to_string(list.back()) + " lies beyond " + all_epochs(),
          "epochs count from 0; take it out, or train longer");
    }
  }

  void check_schedule() {
    const bool is_one_cycle = text("schedule") == "one_cycle";
    if (!is_one_cycle) {
      expect_unwritten({"cycle_rise", "cycle_start_divisor", "cycle_final_divisor"},
                       "the schedule is " + in_quotes(text("schedule")) + ", not \"one_cycle\"");
    }
    const std::int64_t warmup = integer("warmup_epochs");
    if (is_one_cycle) {
      expect_unwritten({"warmup_epochs"}, "schedule \"one_cycle\" begins with a rise of its own");
    } else if (warmup > 0 && is_beyond_the_end(warmup - 1)) {
      add({"warmup_epochs", "epochs"},
          "warmup_epochs = " + std::to_string(warmup) + " is longer than " + all_epochs(),
          "the learning rate would never be reached");
    }
  }

  void check_averaging() {
    const std::string& averaging = text("averaging");
    if (averaging == "none") {
      expect_unwritten({"averaging_start"}, "averaging is \"none\"");
    } else if (is_beyond_the_end(integer("averaging_start"))) {
      add({"averaging_start", "averaging", "epochs"},
          "averaging_start = " + std::to_string(integer("averaging_start")) + " lies beyond " +
              all_epochs(),
          "epochs count from 0; begin earlier, or train longer");
    }
    if (averaging != "ema") {
      expect_unwritten({"averaging_decay"},
                       "averaging is " + in_quotes(averaging) + ", not \"ema\"");
    }
  }

  void check_validation() {
    const std::int64_t patience = integer("patience");
    if (integer("validation") == 0) {
      if (text("keep") == "best") {
        add({"keep"},
            "keep \"best\" needs \"validation\"",
            "the best network is the one with the highest accuracy on the samples held out");
      }
      if (patience > 0) {
        add({"patience"},
            "\"patience\" needs \"validation\"",
            "training stops when the accuracy on the samples held out no longer improves");
      }
    } else if (patience > 0 && is_beyond_the_end(patience)) {
      add({"patience", "epochs"},
          "patience = " + std::to_string(patience) + " never ends a training of " + all_epochs(),
          "it must be smaller than \"epochs\"");
    }
  }
};

}  // namespace

std::vector<OptionConflict> training_conflicts(const nlohmann::json& values,
                                               const IsWritten& is_written) {
  return TrainingRules(values, is_written).check();
}

}  // namespace unmask::manifest
