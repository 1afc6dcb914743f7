// How long files and functions are, and that test files can be compiled together. Reads the sources,
// which clang-format has laid out: a body ends at the first brace that stands as far in as its head.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/house/sources.hpp"

namespace unmask::house::size_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kMostLinesOfAFile = 500;
constexpr std::size_t kMostLinesOfAFunction = 60;

using Lines = std::vector<std::string>;

Lines lines_of(const fs::path& file) {
  Lines lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::size_t indentation(const std::string& line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

bool is_comment(const std::string& line) {
  return line.compare(indentation(line), 2, "//") == 0;
}

// Whether a line ends what stands before a function.
bool is_end(const std::string& line) {
  return indentation(line) == line.size() || is_comment(line) || line.front() == '#' ||
         line.back() == ';' || line.back() == '}' || line.back() == '{' || line.back() == ':';
}

// The head that a line with an opening brace ends; the line itself where it opens no function.
std::size_t head_of(const Lines& lines, std::size_t opening) {
  std::size_t first = opening;
  while (first > 0 && !is_end(lines[first - 1])) --first;
  return first;
}

bool opens_a_function(const Lines& lines, std::size_t first, std::size_t opening) {
  static const std::regex kOther(
      R"(\s*(namespace|struct|class|enum|union|extern|if|for|while|switch|do|else|try|catch)\b.*)");
  if (lines[opening].empty() || lines[opening].back() != '{') return false;
  if (std::regex_match(lines[first], kOther)) return false;
  for (std::size_t i = first; i <= opening; ++i) {
    if (lines[i].find('(') != std::string::npos) return true;
  }
  return false;
}

struct LongFunction {
  std::string head;
  std::string place;  // "pgd.cpp:12"
  bool says_why = false;
};

// A comment before the function or among its first lines that says "long" is taken for the reason.
bool says_why(const Lines& lines, std::size_t first, std::size_t opening) {
  const auto speaks = [&](std::size_t i) {
    return is_comment(lines[i]) && (lines[i].find("long") != std::string::npos ||
                                    lines[i].find("Long") != std::string::npos);
  };
  for (std::size_t i = first; i > 0 && is_comment(lines[i - 1]); --i) {
    if (speaks(i - 1)) return true;
  }
  for (std::size_t i = opening + 1; i < lines.size() && is_comment(lines[i]); ++i) {
    if (speaks(i)) return true;
  }
  return false;
}

std::vector<LongFunction> long_functions(const Lines& lines, const std::string& file) {
  std::vector<LongFunction> found;
  for (std::size_t opening = 0; opening < lines.size(); ++opening) {
    const std::size_t first = head_of(lines, opening);
    if (!opens_a_function(lines, first, opening)) continue;
    const std::string end = std::string(indentation(lines[first]), ' ') + "}";
    std::size_t last = opening + 1;
    while (last < lines.size() && lines[last].compare(0, end.size(), end) != 0) ++last;
    if (last - first + 1 > kMostLinesOfAFunction) {
      found.push_back(
          {lines[first], file + ":" + std::to_string(first + 1), says_why(lines, first, opening)});
    }
    opening = last;  // lambdas are part of the function around them
  }
  return found;
}

std::vector<std::string> unexplained(const Lines& lines, const std::string& file) {
  std::vector<std::string> result;
  for (const LongFunction& one : long_functions(lines, file)) {
    if (!one.says_why) result.push_back(one.place + ": " + one.head);
  }
  return result;
}

// A function of so many lines, braces included.
Lines function_of(std::size_t count) {
  Lines lines(count, "  act();");
  lines.front() = "int act_often(int times) {";
  lines.back() = "}";
  return lines;
}

TEST(Sizes, FilesAreRead) {
  const fs::path root = UNMASK_SOURCE_DIR;
  std::vector<std::string> found;
  for (const char* folder : {"host", "plugins"}) {
    const auto files = sources_below(root / folder);
    EXPECT_FALSE(files.empty()) << folder;
    for (const fs::path& file : files) {
      const std::size_t count = lines_of(file).size();
      if (count <= kMostLinesOfAFile) continue;
      found.push_back(file.lexically_relative(root).string() + ": " + std::to_string(count));
    }
  }

  EXPECT_THAT(found, IsEmpty()) << "files of more than 500 lines; split them along their seams";
}

TEST(Sizes, LongFunctionsSayWhy) {
  const fs::path root = UNMASK_SOURCE_DIR;
  std::vector<std::string> found;
  for (const char* folder : {"host", "plugins"}) {
    for (const fs::path& file : sources_below(root / folder)) {
      const auto more = unexplained(lines_of(file), file.lexically_relative(root).string());
      found.insert(found.end(), more.begin(), more.end());
    }
  }

  EXPECT_THAT(found, IsEmpty())
      << "functions of more than 60 lines; split them, or begin a comment with \"Long: \"";
}

TEST(Sizes, OneLineMoreIsFound) {
  EXPECT_THAT(unexplained(function_of(60), "a.cpp"), IsEmpty());
  EXPECT_THAT(unexplained(function_of(61), "a.cpp"),
              ElementsAre("a.cpp:1: int act_often(int times) {"));
}

TEST(Sizes, AReasonIsAccepted) {
  Lines lines = function_of(61);
  lines.insert(lines.begin(), "// Long: one call for every act.");

  EXPECT_THAT(unexplained(lines, "a.cpp"), IsEmpty());
}

TEST(Sizes, AConstructorIsMeasuredFromItsName) {
  Lines lines = function_of(59);
  lines.erase(lines.begin());
  lines.insert(lines.begin(), {"class Actor {", "  Actor(int times)", "      : times_(times) {"});
  lines.back() = "  }";
  lines.push_back("};");

  EXPECT_THAT(unexplained(lines, "a.cpp"), IsEmpty());
  lines.insert(lines.begin() + 3, "    act();");
  EXPECT_THAT(unexplained(lines, "a.cpp"), ElementsAre("a.cpp:2:   Actor(int times)"));
}

// Test executables are compiled a few files at a time as one.
TEST(TestFiles, StandInANamespaceOfTheirOwn) {
  const fs::path root = fs::path(UNMASK_SOURCE_DIR) / "tests";
  std::vector<std::string> found;
  for (const fs::path& file : sources_below(root)) {
    const std::string stem = file.stem().string();
    if (!stem.ends_with("_test")) continue;
    const std::string end = "::" + stem + " {";
    const Lines lines = lines_of(file);
    if (std::none_of(lines.begin(), lines.end(), [&](const std::string& line) {
          return line.rfind("namespace unmask::", 0) == 0 && line.ends_with(end);
        })) {
      found.push_back(file.lexically_relative(root).string());
    }
  }

  EXPECT_THAT(found, IsEmpty()) << "begin these with `namespace unmask::<room>::<file's name> {`";
}

}  // namespace
}  // namespace unmask::house::size_test
