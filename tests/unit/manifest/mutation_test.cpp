// Break one token of a good manifest: some reported range must contain or touch it.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include <gtest/gtest.h>

#include "fake_catalog.hpp"
#include "manifest/reader.hpp"
#include "text/source.hpp"

namespace unmask::manifest::mutation_test {
namespace {

namespace fs = std::filesystem;

const fs::path kGood = fs::path(UNMASK_TEST_DATA) / "manifests" / "good";

struct Token {
  Range range;
  std::string pointer;
  bool is_key = false;
  bool is_string = false;
};

void collect(const Source& source, const Node& node, std::vector<Token>& out) {
  for (const Node& item : node.items) collect(source, item, out);
  for (const Member& member : node.members) {
    const std::uint32_t entry = member.value.place.entry;
    out.push_back({source.key_range(entry), source.pointer(entry), true, true});
    collect(source, member.value, out);
  }
  if (node.is(Node::Kind::kArray) || node.is(Node::Kind::kObject)) return;
  const std::uint32_t entry = node.place.entry;
  out.push_back(
      {source.value_range(entry), source.pointer(entry), false, node.is(Node::Kind::kString)});
}

class Mutation : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "unmask-mutation-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::copy(kGood / "parts", folder_ / "parts");
    std::ifstream in(kGood / "masking.json", std::ios::binary);
    text_ = {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    Source source("masking.json", text_);
    std::vector<Diagnostic> errors;
    const auto root = source.parse(errors);
    ASSERT_TRUE(root.has_value());
    collect(source, *root, tokens_);
    ASSERT_GT(tokens_.size(), 100U);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Put `replacement` in the place of `range` and look for a diagnostic there. Blanks between the
  // reported range and the broken place do not separate them.
  void expect_found(Range range, const std::string& replacement, const std::string& what) {
    std::string text = text_;
    text.replace(range.begin, range.end - range.begin, replacement);
    const fs::path file = folder_ / "mutant.json";
    std::ofstream(file, std::ios::binary) << text;

    const ReadResult result = read_study(file, testing::fake_catalog());

    const std::size_t begin = range.begin;
    const std::size_t end = range.begin + replacement.size();
    const auto blank = [&](std::size_t i) { return text[i] == ' ' || text[i] == '\n'; };
    bool found = false;
    for (const Diagnostic& d : result.errors) {
      if (!d.range || d.file != file.string()) continue;
      std::size_t from = d.range->begin;
      std::size_t to = d.range->end;
      while (from > 0 && blank(from - 1)) --from;
      while (to < text.size() && blank(to)) ++to;
      found = found || (from <= end && begin <= to);
    }
    EXPECT_TRUE(found) << what << " at byte " << begin << ": " << to_text(result.errors);
  }

  fs::path folder_;
  std::string text_;
  std::vector<Token> tokens_;
};

TEST_F(Mutation, GarbageInPlaceOfAToken) {
  for (const Token& token : tokens_) expect_found(token.range, "@", "garbage for " + token.pointer);
}

TEST_F(Mutation, GarbageBehindAToken) {
  for (const Token& token : tokens_) {
    expect_found({token.range.end, token.range.end}, "@", "garbage behind " + token.pointer);
  }
}

TEST_F(Mutation, TokenTakenAway) {
  for (const Token& token : tokens_) {
    // A list of no files to extend is no mistake.
    if (token.pointer != "/extends/0") expect_found(token.range, "", "without " + token.pointer);
  }
}

TEST_F(Mutation, CommaOrColonTakenAway) {
  for (const auto& token : tokens_) {
    const std::size_t at = text_.find_first_not_of(' ', token.range.end);
    if (text_[at] != ',' && text_[at] != ':') continue;
    expect_found({at, at + 1}, "", "no separator behind " + token.pointer);
  }
}

TEST_F(Mutation, UnknownKey) {
  for (const Token& token : tokens_) {
    if (!token.is_key) continue;
    // Names of definitions are free; where they are used is another place.
    const bool is_name = token.pointer.rfind("/define/", 0) == 0 &&
                         std::count(token.pointer.begin(), token.pointer.end(), '/') == 3;
    if (!is_name) expect_found(token.range, "\"qqq\"", "unknown key for " + token.pointer);
  }
}

TEST_F(Mutation, WrongType) {
  for (const Token& token : tokens_) {
    if (!token.is_key) expect_found(token.range, "{}", "an object for " + token.pointer);
  }
}

TEST_F(Mutation, UnknownWord) {
  const std::set<std::string> free_text = {
      "/$schema", "/name", "/description", "/evaluate/exclude/0/why", "/evaluate/exclude/1/why"};
  for (const Token& token : tokens_) {
    if (token.is_key || !token.is_string || free_text.contains(token.pointer)) continue;
    expect_found(token.range, "\"qqq\"", "unknown word for " + token.pointer);
  }
}

}  // namespace
}  // namespace unmask::manifest::mutation_test
