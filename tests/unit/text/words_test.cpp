#include <gtest/gtest.h>

#include "text/globs.hpp"
#include "text/names.hpp"
#include "text/numbers.hpp"

namespace unmask::words::words_test {
namespace {

TEST(Glob, StarStandsForAnyRunOfCharacters) {
  EXPECT_TRUE(glob_matches("ode*", "ode"));
  EXPECT_TRUE(glob_matches("*/rk4/*", "ode/digits/std/rk4/0"));
  EXPECT_TRUE(glob_matches("a*b*c", "aXbYbZc"));
  EXPECT_FALSE(glob_matches("ode*", "a-ode"));
  EXPECT_FALSE(glob_matches("a*b", "abc"));
}

TEST(Glob, WithoutStarIsEquality) {
  EXPECT_TRUE(glob_matches("rk4", "rk4"));
  EXPECT_FALSE(glob_matches("rk4", "rk45"));
}

TEST(Glob, ManyStarsStayFast) {
  // A recursive matcher would need more steps than there are atoms in the universe.
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "a*";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(2000, 'a')));
}

TEST(Ratio, IsReadAsItsQuotient) {
  EXPECT_EQ(parse_ratio("8/255"), 8.0 / 255.0);
  EXPECT_EQ(parse_ratio(" 0.5 / 2 "), 0.25);
  EXPECT_EQ(parse_ratio("-1/4"), -0.25);
}

TEST(Ratio, RefusesEverythingElse) {
  for (const char* text : {"",
                           "8",
                           "8/",
                           "/255",
                           "8/0",
                           "8/2/5",
                           "inf/1",
                           "nan/1",
                           "8/x",
                           "1e400/1",
                           "1e300/1e-300",
                           "0x8/255"}) {
    EXPECT_FALSE(parse_ratio(text).has_value()) << text;
  }
}

TEST(Name, AllowsLettersDigitsAndFourSigns) {
  EXPECT_TRUE(is_valid_name("dopri5-tight_v1.2+x"));
  EXPECT_TRUE(is_valid_name(std::string(64, 'a')));
}

TEST(Name, RefusesWhatPatternsAndTokensNeed) {
  for (const std::string name : {"", "a*", "a/b", "!a", "@train", "-a", ".a", "a b", "\xC3\xA9"}) {
    EXPECT_FALSE(is_valid_name(name)) << name;
  }
  EXPECT_FALSE(is_valid_name(std::string(65, 'a')));
}

}  // namespace
}  // namespace unmask::words::words_test
