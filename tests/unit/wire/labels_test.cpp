#include "wire/labels.hpp"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask::wire::labels_test {
namespace {

using ::testing::UnorderedElementsAre;

Cell attack_cell() {
  Cell cell;
  cell.kind = CellKind::kAttack;
  cell.key = "abc";
  CellLabels& l = cell.labels;
  l.dataset = "strokes";
  l.model = "sonet";
  l.objective = "ce";
  l.train_solver = "rk4";
  l.train_seed = 7;
  l.solver = "dopri5";
  l.method = "pgd";
  l.epsilon = 8.0 / 255;
  l.epsilon_text = "8/255";
  l.seed = 3;
  return cell;
}

TEST(Labels, SurviveTheirWayThroughJson) {
  const CellLabels sent = attack_cell().labels;

  const auto got = nlohmann::json::parse(nlohmann::json(sent).dump()).get<CellLabels>();

  EXPECT_EQ(nlohmann::json(got), nlohmann::json(sent));
  EXPECT_EQ(got.epsilon, 8.0 / 255);
  EXPECT_EQ(got.train_seed, 7);
}

// Databases know plans again by it.
TEST(Labels, HaveTheTextOfTheirJsonForm) {
  CellLabels odd = attack_cell().labels;
  odd.model = "a \"quoted\" \\ name\n";
  odd.source = "na\xc3\xafve";
  odd.method = "not UTF-8: \xff\x80";
  odd.epsilon = std::nullopt;
  odd.train_seed = -12;
  for (const CellLabels& labels : {attack_cell().labels, CellLabels{}, odd}) {
    std::string text = "before";

    append_json(labels, text);

    EXPECT_EQ(text,
              "before" + nlohmann::json(labels).dump(
                             -1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
}

TEST(Labels, WithoutAnEpsilonStayWithout) {
  const auto got = nlohmann::json(CellLabels{}).get<CellLabels>();

  EXPECT_FALSE(got.epsilon.has_value());
}

TEST(Labels, AreAllInTheTable) {
  // sizeof grows with a new member of CellLabels: give it a row of kLabelAxes, then correct this.
  constexpr std::size_t kTexts = 9;
  struct Mirror {
    std::string texts[kTexts];
    std::int64_t seeds[2];
    std::optional<double> epsilon;
  };
  EXPECT_EQ(sizeof(CellLabels), sizeof(Mirror));
  EXPECT_EQ(kLabelAxes.size(), kTexts + 3);

  std::set<std::string> columns;
  for (const LabelAxis& axis : kLabelAxes) columns.insert(axis.column);
  EXPECT_EQ(columns.size(), kLabelAxes.size());
}

TEST(Labels, AnswerFilters) {
  Cell cell = attack_cell();

  EXPECT_EQ(filter_value(cell, "kind"), "attack");
  EXPECT_EQ(filter_value(cell, "key"), "abc");
  EXPECT_EQ(filter_value(cell, "train_seed"), "7");
  EXPECT_EQ(filter_value(cell, "attack"), "pgd");
  EXPECT_EQ(filter_value(cell, "probe"), std::nullopt);
  EXPECT_EQ(filter_value(cell, "epsilon"), "8/255");
  EXPECT_EQ(filter_value(cell, "gradient"), "@eval");
  EXPECT_EQ(filter_value(cell, "source"), "@self");
  cell.kind = CellKind::kProbe;
  EXPECT_EQ(filter_value(cell, "probe"), "pgd");
  cell.kind = CellKind::kTrain;
  EXPECT_EQ(filter_value(cell, "solver"), std::nullopt);
  EXPECT_EQ(filter_value(cell, "model"), "sonet");
}

TEST(Labels, NameEveryAxisOfAFilterOnce) {
  EXPECT_THAT(filter_axes(),
              UnorderedElementsAre("kind",
                                   "key",
                                   "dataset",
                                   "model",
                                   "objective",
                                   "train_solver",
                                   "train_seed",
                                   "solver",
                                   "gradient",
                                   "source",
                                   "attack",
                                   "probe",
                                   "epsilon",
                                   "seed"));
}

}  // namespace
}  // namespace unmask::wire::labels_test
