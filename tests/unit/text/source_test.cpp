// Positions: every value and key knows its bytes, and bytes become lines and columns.

#include "text/source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/diagnostics.hpp"

namespace unmask::words::source_test {
namespace {

std::string slice(const Source& source, Range range) {
  return source.text().substr(range.begin, range.end - range.begin);
}

// The text of the value, or the key, at a pointer.
std::string value_at(Source& source, const std::string& pointer) {
  std::vector<Diagnostic> errors;
  EXPECT_TRUE(source.parse(errors).has_value()) << to_text(errors);
  const auto entry = source.find(pointer);
  return entry ? slice(source, source.value_range(*entry)) : "nothing";
}

std::string key_at(Source& source, const std::string& pointer) {
  std::vector<Diagnostic> errors;
  EXPECT_TRUE(source.parse(errors).has_value()) << to_text(errors);
  const auto entry = source.find(pointer);
  return entry ? slice(source, source.key_range(*entry)) : "nothing";
}

Diagnostic only_error(const std::string& text) {
  Source source("f", text);
  std::vector<Diagnostic> errors;
  EXPECT_FALSE(source.parse(errors).has_value());
  EXPECT_EQ(errors.size(), 1U);
  return errors.empty() ? Diagnostic{} : errors[0];
}

TEST(Source, ValueRangesCoverExactlyTheToken) {
  Source source("f", R"({ "a": [1, -2.5e3 , true,null], "b": { "c" : "x" } })");

  EXPECT_EQ(value_at(source, "/a/0"), "1");
  EXPECT_EQ(value_at(source, "/a/1"), "-2.5e3");
  EXPECT_EQ(value_at(source, "/a/2"), "true");
  EXPECT_EQ(value_at(source, "/a/3"), "null");
  EXPECT_EQ(value_at(source, "/a"), "[1, -2.5e3 , true,null]");
  EXPECT_EQ(value_at(source, "/b"), R"({ "c" : "x" })");
  EXPECT_EQ(value_at(source, "/b/c"), R"("x")");
}

TEST(Source, KeyRangesIncludeTheQuotes) {
  Source source("f", R"({ "a": 1, "b" : { "c\"d": 2 } })");

  EXPECT_EQ(key_at(source, "/b"), R"("b")");
  EXPECT_EQ(key_at(source, "/b/c\"d"), R"("c\"d")");
}

TEST(Source, NumberAtTheVeryEndIsWhole) {
  Source source("f", "12");

  EXPECT_EQ(value_at(source, ""), "12");
}

TEST(Source, CommentsBetweenAllTokensAreSkipped) {
  Source source("f", "/*1*/{/*,*/\"a\"//:\n:/*\"*/[/*]*/1/**/,//2,\n2]}//");

  EXPECT_EQ(value_at(source, "/a/0"), "1");
  EXPECT_EQ(value_at(source, "/a/1"), "2");
}

TEST(Source, CommentSignsInsideStringsAreText) {
  Source source("f", R"({ "a": "/* no */ // no", "b": 1 })");

  EXPECT_EQ(value_at(source, "/a"), R"("/* no */ // no")");
  EXPECT_EQ(value_at(source, "/b"), "1");
}

TEST(Source, EscapesDoNotShiftPositions) {
  Source source("f", R"({ "\u00e9\n": "\ud83d\ude42\\", "b": 1 })");

  EXPECT_EQ(value_at(source, "/\xC3\xA9\n"), R"("\ud83d\ude42\\")");
  EXPECT_EQ(value_at(source, "/b"), "1");
}

TEST(Source, ColumnsCountCodePoints) {
  Source source("f", "{ \"\xC3\xA9\": \"\xF0\x9F\x99\x82\", \"b\": 1 }");
  std::vector<Diagnostic> errors;
  ASSERT_TRUE(source.parse(errors).has_value());

  // { "é": "🙂", "b": 1 }: the key "b" begins at the 13th character, in byte 16
  const Position at = source.position(source.key_range(*source.find("/b")).begin);
  EXPECT_EQ(at.line, 1U);
  EXPECT_EQ(at.column, 13U);
}

TEST(Source, CrlfIsOneLineEnd) {
  Source source("f", "{\r\n\"a\":\r\n 1 }");
  std::vector<Diagnostic> errors;
  ASSERT_TRUE(source.parse(errors).has_value());

  const Position at = source.position(source.value_range(*source.find("/a")).begin);
  EXPECT_EQ(at.line, 3U);
  EXPECT_EQ(at.column, 2U);
  EXPECT_EQ(source.line(2), "\"a\":");
}

TEST(Source, ByteOrderMarkIsNoColumn) {
  Source source("f", "\xEF\xBB\xBF{ \"a\": 1 }");
  std::vector<Diagnostic> errors;
  ASSERT_TRUE(source.parse(errors).has_value());

  EXPECT_EQ(source.position(source.key_range(*source.find("/a")).begin).column, 3U);
  EXPECT_EQ(source.line(1), "{ \"a\": 1 }");
}

TEST(Source, PointersEscapeTildeAndSlash) {
  Source source("f", R"({ "a/b~c": [0, { "d": 1 }] })");

  EXPECT_EQ(value_at(source, "/a~1b~0c/1/d"), "1");
}

TEST(Source, ObjectsKeepTheirOrder) {
  Source source("f", R"({ "z": 1, "a": 2, "m": 3 })");
  std::vector<Diagnostic> errors;
  const auto root = source.parse(errors);

  ASSERT_EQ(root->members.size(), 3U);
  EXPECT_EQ(root->members[0].key, "z");
  EXPECT_EQ(root->members[2].key, "m");
}

TEST(Source, DuplicateKeyIsReportedAndTheFirstOneKept) {
  Source source("f", R"({ "a": 1, "a": { "b": 2 }, "c": 3 })");
  std::vector<Diagnostic> errors;
  const auto root = source.parse(errors);

  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, code::kDuplicateKey);
  ASSERT_EQ(root->members.size(), 2U);
  EXPECT_EQ(root->find("a")->integer, 1);
}

TEST(Source, KeysThatDifferInEscapesOnlyAreDuplicates) {
  Source source("f", R"({ "a": 1, "\u0061": 2 })");
  std::vector<Diagnostic> errors;
  source.parse(errors);

  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(slice(source, *errors[0].range), R"("\u0061")");
}

TEST(Source, DepthIsLimited) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  Source deepest("f", nested(kDeepestNesting));
  std::vector<Diagnostic> errors;

  EXPECT_TRUE(deepest.parse(errors).has_value());
  EXPECT_EQ(only_error(nested(kDeepestNesting + 1)).code, code::kLimit);
  EXPECT_EQ(only_error(std::string(1'000'000, '[')).code, code::kLimit);
}

TEST(Source, NumberOfValuesIsLimited) {
  std::string text = "[1";
  for (std::size_t i = 0; i < kMostValues; ++i) text += ",1";

  EXPECT_EQ(only_error(text + "]").code, code::kLimit);
}

TEST(Source, OverlongAndSurrogateEncodingsAreNotUtf8) {
  EXPECT_EQ(only_error("[\"\xC0\xAF\"]").code, code::kNotUtf8);
  EXPECT_EQ(only_error("[\"\xED\xA0\x80\"]").code, code::kNotUtf8);
  EXPECT_EQ(only_error("// \xFF\n[]").code, code::kNotUtf8);
  EXPECT_EQ(only_error("[\"\xE2\x82").code, code::kNotUtf8);
}

TEST(Source, HugeIntegersBecomeReals) {
  Source source("f", "[18446744073709551615, 99999999999999999999]");
  std::vector<Diagnostic> errors;
  const auto root = source.parse(errors);

  EXPECT_EQ(root->items[0].real, 18446744073709551615.0);
  EXPECT_EQ(root->items[1].real, 1e20);
}

TEST(Merge, ObjectsMergeAndListsReplace) {
  Source below("b", R"({ "a": { "x": 1, "y": 2 }, "l": [1, 2], "gone": 1 })");
  Source above("a", R"({ "a": { "y": 3 }, "l": [4], "gone": null, "new": null })");
  std::vector<Diagnostic> errors;

  const Node merged = merge(*below.parse(errors), *above.parse(errors));

  EXPECT_EQ(merged.find("a")->find("x")->integer, 1);
  EXPECT_EQ(merged.find("a")->find("y")->integer, 3);
  EXPECT_EQ(merged.find("l")->items.size(), 1U);
  EXPECT_EQ(merged.find("gone"), nullptr);
  EXPECT_TRUE(merged.find("new")->is(Node::Kind::kNull));
}

TEST(Merge, ValuesRememberTheirFile) {
  Source below("b", R"({ "x": 1, "y": 2 })");
  Source above("a", R"({ "y": 3 })");
  std::vector<Diagnostic> errors;

  const Node merged = merge(*below.parse(errors), *above.parse(errors));

  EXPECT_EQ(merged.find("x")->place.source, &below);
  EXPECT_EQ(merged.find("y")->place.source, &above);
}

TEST(DiagnosticText, LongLinesAreCutAroundTheRange) {
  const std::string text = "{ \"a\": \"" + std::string(500, 'x') + "\", \"bad\": 1, \"c\": \"" +
                           std::string(500, 'y') + "\" }";
  Source source("f", text);
  const std::size_t at = text.find("\"bad\"");

  const Diagnostic d = diagnose(source, {at, at + 5}, "M010", "message");

  EXPECT_LT(d.source_line.size(), 170U);
  EXPECT_EQ(d.source_line.substr(d.caret, 5), "\"bad\"");
  EXPECT_EQ(d.begin.column, at + 1);
}

TEST(DiagnosticText, TabsAreKeptUnderTabs) {
  Source source("f", "\t{ \"a\" }");

  EXPECT_EQ(to_text(diagnose(source, {3, 6}, "M010", "m")),
            "f:1:4: error[M010]: m\n    1 | \t{ \"a\" }\n      | \t  ^~~\n");
}

TEST(DiagnosticText, ControlCharactersDoNotReachTheTerminal) {
  Source source("f", "// \x1B[31m\n[1]");

  EXPECT_EQ(to_text(diagnose(source, {0, 2}, "M010", "m")).find('\x1B'), std::string::npos);
}

TEST(DiagnosticJson, HoldsPositionAndRange) {
  Source source("f", "{\n  \"a\": 1 }");

  const nlohmann::json json = diagnose(source, {4, 7}, "M010", "m", "h", "/a");

  EXPECT_EQ(json.at("line"), 2);
  EXPECT_EQ(json.at("column"), 3);
  EXPECT_EQ(json.at("end_column"), 6);
  EXPECT_EQ(json.at("range").at("begin"), 4);
  EXPECT_EQ(json.at("pointer"), "/a");
}

TEST(DiagnosticJson, IsWritableForTextThatIsNotUtf8) {
  const nlohmann::json json = only_error("[\"\xFF\"]");

  EXPECT_NO_THROW(static_cast<void>(json.dump()));
}

}  // namespace
}  // namespace unmask::words::source_test
