#include "cli/spec_difference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask::cli::spec_difference_test {
namespace {

using nlohmann::json;
using ::testing::IsEmpty;

json attack() {
  return {{"kind", "attack"},
          {"seed", 0},
          {"checkpoint", std::string(64, 'a')},
          {"gradient", nullptr},
          {"dataset", {{"plugin", "strokes"}, {"content", std::string(64, 'c')}}},
          {"attack",
           {{"plugin", "pgd"},
            {"fingerprint", std::string(64, '1')},
            {"params", {{"steps", 10}, {"norm", "linf"}}}}}};
}

std::string text_of(const json& before, const json& after) {
  return to_text(differences(before, after));
}

TEST(SpecDifference, OfEqualSpecificationsIsNone) {
  EXPECT_THAT(differences(attack(), attack()), IsEmpty());
  EXPECT_EQ(distance(differences(attack(), attack())), 0u);
}

TEST(SpecDifference, NamesParametersWithBothValues) {
  json other = attack();
  other["attack"]["params"]["steps"] = 20;
  other["seed"] = 1;
  EXPECT_EQ(text_of(attack(), other), "attack.steps: 10 -> 20, seed: 0 -> 1");
}

TEST(SpecDifference, NamesParametersThatComeAndGo) {
  json other = attack();
  other["attack"]["params"].erase("norm");
  other["attack"]["params"]["restarts"] = 2;
  EXPECT_EQ(text_of(attack(), other), "attack.norm: linf -> (none), attack.restarts: (none) -> 2");
}

TEST(SpecDifference, NamesSourcesOfAPluginAndData) {
  json other = attack();
  other["attack"]["fingerprint"] = std::string(64, '2');
  other["dataset"]["content"] = std::string(64, 'd');
  EXPECT_EQ(text_of(attack(), other),
            "sources of attack pgd: 111111111111 -> 222222222222, content of the data: "
            "cccccccccccc -> dddddddddddd");
}

TEST(SpecDifference, OfAnotherPluginIsThePluginAlone) {
  json other = attack();
  other["attack"] = {
      {"plugin", "spsa"}, {"fingerprint", std::string(64, '3')}, {"params", {{"samples", 8}}}};
  EXPECT_EQ(text_of(attack(), other), "attack (plugin): pgd -> spsa");
  json other_parameters = attack();
  other_parameters["attack"]["params"] = {{"steps", 1}, {"norm", "l2"}, {"restarts", 2}};
  EXPECT_GT(distance(differences(attack(), other)),
            distance(differences(attack(), other_parameters)));
}

TEST(SpecDifference, LooksIntoEnsembles) {
  json before = attack(), after = attack();
  before["attack"] = {{"members", {attack()["attack"], attack()["attack"]}}, {"names", {"a", "b"}}};
  after["attack"] = before["attack"];
  after["attack"]["members"][1]["params"]["steps"] = 7;
  EXPECT_EQ(text_of(before, after), "attack.members.1.steps: 10 -> 7");
}

}  // namespace
}  // namespace unmask::cli::spec_difference_test
