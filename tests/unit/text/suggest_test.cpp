#include "text/suggest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask::words::suggest_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(EditDistance, CountsEveryKindOfEditOnce) {
  EXPECT_EQ(edit_distance("rk4", "rk45"), 1U);       // insertion
  EXPECT_EQ(edit_distance("rk45", "rk4"), 1U);       // deletion
  EXPECT_EQ(edit_distance("dopri5", "dopri6"), 1U);  // substitution
  EXPECT_EQ(edit_distance("pgd", "pdg"), 1U);        // swap of neighbours
}

TEST(EditDistance, OfEqualWordsIsZero) {
  EXPECT_EQ(edit_distance("euler", "euler"), 0U);
}

TEST(EditDistance, ToNothingIsTheLength) {
  EXPECT_EQ(edit_distance("", "euler"), 5U);
}

TEST(Nearest, PrefersTheSmallestDistance) {
  EXPECT_THAT(nearest("sqare", {"square", "scare", "spare"}),
              ElementsAre("square", "scare", "spare"));
  EXPECT_THAT(nearest("dopri6", {"dopri5", "dopri5-tight"}), ElementsAre("dopri5"));
}

TEST(Nearest, StopsAtAThirdOfTheLength) {
  // six letters: two edits are near, three are not
  EXPECT_THAT(nearest("soldes", {"solver"}), ElementsAre("solver"));
  EXPECT_THAT(nearest("abcver", {"solver"}), IsEmpty());
}

TEST(Nearest, AllowsOneEditInAShortWord) {
  EXPECT_THAT(nearest("od", {"ode"}), ElementsAre("ode"));
}

TEST(Nearest, OneLetterIsNoMisspellingOfAnother) {
  EXPECT_THAT(nearest("a", {"b"}), IsEmpty());
}

TEST(Nearest, IgnoresCaseAndUnderscores) {
  EXPECT_THAT(nearest("SO_NET", {"so-net", "other"}), ElementsAre("so-net"));
}

TEST(HelpForUnknown, ListsTheLegalWordsSorted) {
  EXPECT_EQ(help_for_unknown("dopri6", {"rk4", "dopri5"}, "defined"),
            "did you mean \"dopri5\"?   (defined: dopri5, rk4)");
  EXPECT_EQ(help_for_unknown("zzz", {"rk4", "dopri5"}, "defined"), "defined: dopri5, rk4");
  EXPECT_EQ(help_for_unknown("zzz", {}, "defined"), "");
}

TEST(Listing, CutsLongLists) {
  EXPECT_EQ(listing({"c", "a", "b", "d"}, 2), "a, b, ... and 2 more");
}

}  // namespace
}  // namespace unmask::words::suggest_test
