#include "fingerprint/fingerprint.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "fingerprint/tokens.hpp"

namespace unmask::fingerprint::fingerprint_test {
namespace {

namespace fs = std::filesystem;

std::string tokens(std::string_view text) {
  return read_tokens(text).tokens;
}

TEST(Tokens, CommentsWhiteSpaceAndFormattingDoNotCount) {
  EXPECT_EQ(tokens("int  f(int a){return a+1;} // adds one\n"),
            tokens("/* adds one */ int f( int a )\n{\n  return a + 1;\n}\n"));
}

TEST(Tokens, ContinuedLinesAreOneLine) {
  EXPECT_EQ(tokens("#define A 1 + \\\n  2\nint b;"), tokens("#define A 1 + 2\nint b;"));
}

TEST(Tokens, CommentOverAContinuedLineHidesTheNextOne) {
  EXPECT_EQ(tokens("int a; // and \\\n int b;\nint c;"), tokens("int a;\nint c;"));
}

TEST(Tokens, CommentInsideOfAStringCounts) {
  EXPECT_NE(tokens("auto a = \"x // y\";"), tokens("auto a = \"x // z\";"));
}

TEST(Tokens, SpaceInsideOfAStringCounts) {
  EXPECT_NE(tokens("auto a = \"x y\";"), tokens("auto a = \"x  y\";"));
}

TEST(Tokens, EscapedQuoteDoesNotEndAString) {
  EXPECT_NE(tokens(R"(f("a\"  b");)"), tokens(R"(f("a\" b");)"));
}

TEST(Tokens, RawStringIsTakenAsItIs) {
  EXPECT_NE(tokens("auto a = R\"x(1 /* */ )\" 2)x\";"), tokens("auto a = R\"x(1 )\" 2)x\";"));
  EXPECT_EQ(tokens("auto a = R\"x(1)x\"; // c"), tokens("auto a = R\"x(1)x\";"));
}

TEST(Tokens, NumbersWithSeparatorsAndExponentsAreOneToken) {
  EXPECT_EQ(tokens("1'000"), "1'000\n");
  EXPECT_EQ(tokens("1e-5+2"), "1e-5\n+\n2\n");
}

TEST(Tokens, NeighboursThatReadDifferentlyDiffer) {
  EXPECT_NE(tokens("a + ++b"), tokens("a ++ + b"));
  EXPECT_NE(tokens("a - -b"), tokens("a--b"));
  EXPECT_NE(tokens("intx;"), tokens("int x;"));
}

TEST(Tokens, EndOfADirectiveCounts) {
  EXPECT_NE(tokens("#define A\nint b;"), tokens("#define A int b;"));
}

TEST(Tokens, EveryPrefixOfAFileCanBeRead) {
  const std::string text =
      "#include \"a.hpp\"\nconst char* a = u8R\"(x)\"; int b = '\\''; /* c */ // d\\\n e\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_NO_THROW(tokens(std::string_view(text).substr(0, size))) << size;
  }
}

TEST(Tokens, QuotedIncludesAreFound) {
  const SourceText source = read_tokens(
      "#include \"a.hpp\"\n#  include \"b/c.hpp\" // why\n#include <vector>\n// #include "
      "\"d.hpp\"\nf(\"e.hpp\");");

  EXPECT_EQ(source.quoted_includes, (std::vector<std::string>{"a.hpp", "b/c.hpp"}));
}

class FingerprintTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              ("fingerprint_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) {
    fs::path file = folder_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return file;
  }

  fs::path folder_;
};

TEST_F(FingerprintTest, EditOfAnIncludedHeaderChangesIt) {
  const fs::path source =
      write("plugin/a.cpp", "#include \"a.hpp\"\n#include \"unmask/kit/b.hpp\"\n");
  write("plugin/a.hpp", "int a = 1;");
  write("kit/unmask/kit/b.hpp", "#include \"unmask/kit/c.hpp\"\n");
  write("kit/unmask/kit/c.hpp", "int c = 1;");
  const auto now = [&] { return fingerprint_of({source}, {folder_ / "kit"}); };
  const Fingerprint before = now();
  EXPECT_EQ(before.files.size(), 4U);

  write("kit/unmask/kit/c.hpp", "int c = 1;  // no change\n");
  EXPECT_EQ(now().sha256, before.sha256);
  write("kit/unmask/kit/c.hpp", "int c = 2;");
  const Fingerprint after_kit = now();
  EXPECT_NE(after_kit.sha256, before.sha256);
  write("plugin/a.hpp", "int a = 2;");
  EXPECT_NE(now().sha256, after_kit.sha256);
}

TEST_F(FingerprintTest, HeadersOfTheSdkDoNotCount) {
  const fs::path source = write("plugin/a.cpp", "#include \"unmask/attack.hpp\"\n");
  write("include/unmask/attack.hpp", "int a = 1;");

  const Fingerprint result = fingerprint_of({source}, {folder_ / "include"});

  EXPECT_EQ(result.files, std::vector<fs::path>{source});
}

TEST_F(FingerprintTest, HeadersThatIncludeEachOtherEnd) {
  const fs::path source = write("a.hpp", "#include \"b.hpp\"\n");
  write("b.hpp", "#include \"a.hpp\"\n");

  EXPECT_EQ(fingerprint_of({source}, {}).files.size(), 2U);
}

TEST_F(FingerprintTest, SourceThatIsMissingIsNamed) {
  try {
    fingerprint_of({folder_ / "none.cpp"}, {});
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("none.cpp"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace unmask::fingerprint::fingerprint_test
