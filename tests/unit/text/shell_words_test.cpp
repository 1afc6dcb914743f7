#include "text/shell_words.hpp"

#include <string>

#include <gtest/gtest.h>

#include "base/child.hpp"

namespace unmask::words::shell_words_test {
namespace {

TEST(ShellWord, LeavesAHarmlessWordAlone) {
  EXPECT_EQ(shell_word("results/unmask.sqlite"), "results/unmask.sqlite");
}

TEST(ShellWord, QuotesWhatAShellWouldTouch) {
  EXPECT_EQ(shell_word("a b"), "'a b'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("pgd*"), "'pgd*'");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("~x"), "'~x'");
}

TEST(ShellWord, WritesBytesThatAreNoTextAsNumbers) {
  EXPECT_EQ(shell_word("caf\xe9"), "$'caf\\351'");
  EXPECT_EQ(shell_word("a\n1"), "$'a\\0121'");
}

TEST(ShellCommand, ComesBackFromAShellAsItWas) {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string command = shell_command({"printf", "%s", all});

  EXPECT_EQ(base::run_child({"bash", "-c", command}, 10).out, all);
}

TEST(ShellCommand, ComesBackFromAPlainShellWhenItIsText) {
  const std::string text = "h\xc3\xa9lo 'w' \"d\" $(x) `y` \\ # % ;&|<>*?[]{}!~";
  const std::string command = shell_command({"printf", "%s", text});

  EXPECT_EQ(base::run_child({"sh", "-c", command}, 10).out, text);
}

}  // namespace
}  // namespace unmask::words::shell_words_test
