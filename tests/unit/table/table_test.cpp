#include "table/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "table/elide.hpp"
#include "table/latex.hpp"
#include "unmask/errors.hpp"

namespace unmask::table::table_test {
namespace {

Table sample() {
  return {{"name", "n", "share"},
          {{std::string("pgd"), std::int64_t{100}, 1.0 / 3},
           {std::string("none, \"clean\""), std::int64_t{7}, std::monostate{}}}};
}

TEST(Table, TextAlignsNumbersRightAndLeavesNullEmpty) {
  EXPECT_EQ(to_text(sample(), Format::kTable),
            "name             n     share\n"
            "-------------  ---  --------\n"
            "pgd            100  0.333333\n"
            "none, \"clean\"    7\n");
}

TEST(Table, CsvQuotesWhatNeedsItAndKeepsAllDigits) {
  EXPECT_EQ(to_text(sample(), Format::kCsv),
            "name,n,share\n"
            "pgd,100,0.3333333333333333\n"
            "\"none, \"\"clean\"\"\",7,\n");
}

TEST(Table, CsvTellsAnEmptyTextFromNull) {
  const Table table{{"a", "b"}, {{std::string(), std::monostate{}}}};

  EXPECT_EQ(to_text(table, Format::kCsv), "a,b\n\"\",\n");
}

TEST(Table, JsonReadsBackToTheSameValues) {
  const auto json = nlohmann::json::parse(to_text(sample(), Format::kJson));

  EXPECT_EQ(json, nlohmann::json::parse(R"([{"name": "pgd", "n": 100, "share": 0.3333333333333333},
                                      {"name": "none, \"clean\"", "n": 7, "share": null}])"));
}

TEST(Table, JsonOfNoRowsIsAnEmptyArray) {
  EXPECT_EQ(to_text({{"a"}, {}}, Format::kJson), "[]\n");
}

TEST(Table, JsonGivesEqualColumnsDistinctNames) {
  const Table table{{"a", "a"}, {{std::int64_t{1}, std::int64_t{2}}}};

  EXPECT_EQ(to_text(table, Format::kJson), "[\n  {\"a\": 1, \"a_2\": 2}\n]\n");
}

TEST(Table, JsonStaysJsonWithInfinityAndBytesThatAreNotUtf8) {
  const Table table{{"a", "b"}, {{HUGE_VAL, std::string("\xff")}}};

  EXPECT_TRUE(nlohmann::json::accept(to_text(table, Format::kJson)));
}

TEST(Table, MarkdownMarksTheAlignmentAndEscapesPipes) {
  const Table table{{"name", "n"}, {{std::string("a|b"), std::int64_t{100}}}};

  EXPECT_EQ(to_text(table, Format::kMarkdown),
            "| name |   n |\n"
            "| ---- | --: |\n"
            "| a\\|b | 100 |\n");
}

TEST(Table, LatexIsATabularWithTheRulesOfBooktabs) {
  const Table table{{"a_b", "n"}, {{std::string("50 % & $x^2$"), std::int64_t{7}}}};

  EXPECT_EQ(to_text(table, Format::kLatex),
            "% \\usepackage[T1]{fontenc} \\usepackage{booktabs}\n"
            "\\begin{tabular}{lr}\n\\toprule\n"
            "a\\_b & n \\\\\n\\midrule\n"
            "50 \\% \\& \\$x\\textasciicircum{}2\\$ & 7 \\\\\n\\bottomrule\n\\end{tabular}\n");
}

TEST(Table, LatexProtectsWhatCommandsOrTheStartOfARowWouldRead) {
  EXPECT_EQ(latex_text("[1] * --db {x} \\input"),
            "{[}1{]} {*} -{}-{}db \\{x\\} \\textbackslash{}input");
  EXPECT_EQ(latex_text("a\nb\tc"), "a b c");
  EXPECT_EQ(latex_text("~^_#\"'`<>|"),
            "\\textasciitilde{}\\textasciicircum{}\\_\\#\\textquotedbl{}\\textquotesingle{}"
            "\\textasciigrave{}\\textless{}\\textgreater{}\\textbar{}");
}

TEST(Table, LatexKeepsLatinLettersAndNamesWhatItCannotPrint) {
  EXPECT_EQ(latex_text("\u00fc \u03b5 \u2264 \u4e2d"),
            "\u00fc $\\varepsilon$ $\\leq$ {[}U+4E2D{]}");
  EXPECT_EQ(latex_text("\xff\x1b"), "{[}byte FF{]}{[}U+001B{]}");
}

TEST(Table, LatexPutsAnIntervalBehindItsValue) {
  const Table table{{"share", "lower", "upper"}, {{0.28, 0.2014, 0.3749}, {-0.5, -1.0, 0.0}}};

  const std::string text = to_text(table, Format::kLatex);

  EXPECT_NE(text.find("share \\\\\n\\midrule\n0.280 {[}0.201, 0.375{]} \\\\\n"
                      "$-0.500$ {[}$-1.000$, 0.000{]} \\\\\n"),
            std::string::npos)
      << text;
}

TEST(Table, LatexWritesNumbersAsPapersDo) {
  const Table table{{"x"},
                    {{5e-5}, {1e-7}, {-2.5}, {HUGE_VAL}, {std::nan("")}, {std::monostate{}}}};

  EXPECT_NE(to_text(table, Format::kLatex)
                .find("$5 \\cdot 10^{-5}$ \\\\\n$10^{-7}$ \\\\\n$-2.5$ \\\\\n$\\infty$ \\\\\nnan "
                      "\\\\\n \\\\\n"),
            std::string::npos)
      << to_text(table, Format::kLatex);
}

// Of two rows with the same attack the larger is bold; NaN, a row alone and equal rows are not.
TEST(Table, LatexSetsTheBestOfEachGroupInBold) {
  const Table table{{"attack", "x"},
                    {{std::string("a"), 0.5},
                     {std::string("a"), 0.25},
                     {std::string("a"), std::nan("")},
                     {std::string("b"), 0.75},
                     {std::string("c"), 0.125},
                     {std::string("c"), 0.125}}};

  const std::string larger = to_text(table, Format::kLatex, {{{"x", true}}, {"attack"}, {}});
  const std::string smaller = to_text(table, Format::kLatex, {{{"x", false}}, {"attack"}, {}});

  EXPECT_NE(larger.find("a & \\textbf{0.5} \\\\\na & 0.25 \\\\\na & nan \\\\\nb & 0.75 \\\\\n"
                        "c & 0.125 \\\\\nc & 0.125 \\\\\n"),
            std::string::npos)
      << larger;
  EXPECT_NE(smaller.find("a & 0.5 \\\\\na & \\textbf{0.25} \\\\\n"), std::string::npos) << smaller;
}

TEST(Table, JsonLinesAreOneObjectEach) {
  const Table table{{"a", "b"}, {{std::int64_t{1}, std::monostate{}}, {0.5, std::string("x\ny")}}};

  EXPECT_EQ(to_text(table, Format::kJsonLines),
            "{\"a\": 1, \"b\": null}\n{\"a\": 0.5, \"b\": \"x\\ny\"}\n");
}

TEST(Table, TextKeepsControlCharactersFromTheTerminal) {
  const Table table{{"log"}, {{std::string("red \x1b[31m\ttab")}}};

  EXPECT_EQ(to_text(table, Format::kTable),
            "log\n"
            "-----------------\n"
            "red \\x1b[31m\\ttab\n");
}

TEST(Table, TextOfSeveralLinesStaysInItsColumn) {
  const Table table{
      {"n", "message", "k"},
      {{std::int64_t{7}, std::string("they differ:\n  one\n  two\n"), std::string("a")},
       {std::int64_t{8}, std::string("no"), std::string("b\nc")}}};

  EXPECT_EQ(to_text(table, Format::kTable),
            "n  message       k\n"
            "-  ------------  -\n"
            "7  they differ:  a\n"
            "     one\n"
            "     two\n"
            "8  no            b\n"
            "                 c\n");
}

TEST(Table, RowOfAnotherLengthIsABug) {
  EXPECT_THROW(to_text({{"a"}, {{}}}, Format::kTable), InternalError);
}

TEST(DisplayWidth, CountsColumnsAndNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("\xce\xb5"), 1U);          // epsilon
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);         // e with a combining accent
  EXPECT_EQ(display_width("\xe7\xb7\x9a"), 2U);      // a Chinese character
  EXPECT_EQ(display_width("\xf0\x9f\x98\x80"), 2U);  // an emoji
  EXPECT_EQ(display_width("\xff\xce"), 2U);          // not UTF-8
}

TEST(ParseFormat, KnowsEveryName) {
  EXPECT_EQ(parse_format("table"), Format::kTable);
  EXPECT_EQ(parse_format("text"), Format::kTable);
  EXPECT_EQ(parse_format("csv"), Format::kCsv);
  EXPECT_EQ(parse_format("json"), Format::kJson);
  EXPECT_EQ(parse_format("markdown"), Format::kMarkdown);
  EXPECT_EQ(parse_format("latex"), Format::kLatex);
}

TEST(ParseFormat, UnknownNameListsTheKnownOnes) {
  try {
    parse_format("xml");
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "format \"xml\" is unknown; choose one of table, csv, json, markdown, latex");
  }
}

TEST(CommonColumns, LeaveATableWhenAllRowsAgree) {
  Table table{
      {"study", "solver", "n", "gradient", "share"},
      {{std::string("first"), std::string("rk4"), std::int64_t{9}, std::monostate{}, 0.5},
       {std::string("first"), std::string("bosh3"), std::int64_t{9}, std::monostate{}, 0.5}}};

  const std::string common = take_common_columns(
      table, std::array<std::string_view, 4>{"study", "solver", "n", "gradient"});

  EXPECT_EQ(common, "study = first, n = 9");  // "gradient" has no value to mention
  EXPECT_EQ(to_text(table, Format::kCsv), "solver,share\nrk4,0.5\nbosh3,0.5\n");
}

TEST(CommonColumns, StayWhereThereIsOnlyOneRow) {
  Table table{{"study", "share"}, {{std::string("first"), 0.5}}};

  EXPECT_EQ(take_common_columns(table, std::array<std::string_view, 1>{"study"}), "");
  EXPECT_EQ(table.columns.size(), 2U);
}

// Two networks, three rows. "plain", "solver", "n" and the gaps take 18 columns, the attack the rest.
Table networks(std::size_t width) {
  const std::string attack(width - 18, 'a');
  return {{"model", "solver", "attack", "n"},
          {{std::string("ode"), std::string("rk4"), attack, std::int64_t{9}},
           {std::string("ode"), std::string("rk4"), std::string("pgd"), std::int64_t{9}},
           {std::string("plain"), std::string("rk4"), attack, std::int64_t{9}}}};
}

constexpr std::array<std::string_view, 2> kNetwork = {"model", "solver"};

std::string fitting(const Table& table, std::size_t width) {
  std::ostringstream out;
  print_fitting(out, table, kNetwork, width);
  return out.str();
}

std::size_t widest_line(const std::string& text) {
  std::istringstream in(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(in, line);) widest = std::max(widest, display_width(line));
  return widest;
}

TEST(Fitting, LeavesATableThatFits) {
  const Table table = networks(40);
  ASSERT_EQ(widest_line(to_text(table, Format::kTable)), 40U);

  EXPECT_EQ(fitting(table, 40), to_text(table, Format::kTable));
}

TEST(Fitting, MakesHeadingsOfAsFewColumnsAsWillDo) {
  const std::string text = fitting(networks(40), 39);

  EXPECT_LE(widest_line(text), 39U);
  EXPECT_EQ(text,
            "solver  attack                  n\n"
            "------  ----------------------  -\n"
            "model = ode\n"
            "rk4     aaaaaaaaaaaaaaaaaaaaaa  9\n"
            "rk4     pgd                     9\n"
            "\n"
            "model = plain\n"
            "rk4     aaaaaaaaaaaaaaaaaaaaaa  9\n");
  EXPECT_EQ(fitting(networks(40), 25),
            "attack                  n\n"
            "----------------------  -\n"
            "model = ode, solver = rk4\n"
            "aaaaaaaaaaaaaaaaaaaaaa  9\n"
            "pgd                     9\n"
            "\n"
            "model = plain, solver =\n"
            "  rk4\n"
            "aaaaaaaaaaaaaaaaaaaaaa  9\n");
}

TEST(Fitting, MakesNoHeadingTwice) {
  Table table = networks(40);
  std::swap(table.rows[1], table.rows[2]);

  EXPECT_EQ(fitting(table, 30), to_text(table, Format::kTable));
}

TEST(Wrapped, BreaksAtBlanks) {
  EXPECT_EQ(wrapped("one two three", 13), "one two three");
  EXPECT_EQ(wrapped("one two three", 12), "one two\n  three");
  EXPECT_EQ(wrapped("one two three", 3), "one\n  two\n  three");
  EXPECT_EQ(wrapped("  names  one, two, three", 17, 9),
            "  names  one,\n         two,\n         three");
  EXPECT_EQ(wrapped("", 3), "");
}

TEST(Elided, CutsLinesAndMarksThem) {
  EXPECT_EQ(elided("abcdef", 6), "abcdef");
  EXPECT_EQ(elided("abcdef", 5), "abcd~");
  EXPECT_EQ(elided("abcdef\nxy\nuvwxyz", 4), "abc~\nxy\nuvw~");
  EXPECT_EQ(elided("", 3), "");
}

// A wide character takes two columns; half of one cannot be shown.
TEST(Elided, CountsColumnsAndNotBytes) {
  EXPECT_EQ(elided("\u00e4\u00f6\u00fc", 3), "\u00e4\u00f6\u00fc");
  EXPECT_EQ(elided("\u00e4\u00f6\u00fc\u00df", 3), "\u00e4\u00f6~");
  EXPECT_EQ(elided("\u4e2d\u6587\u5b57", 4), "\u4e2d~");
}

TEST(Elided, FitsATableIntoATerminal) {
  const Table table{{"name", "message", "value"},
                    {{std::string("a short one"), std::string(200, 'm'), 0.123456},
                     {std::string(40, 'n'), std::string("m"), std::int64_t{123456789012}}}};

  const Table narrow = elided(table, 60);

  EXPECT_LE(widest_line(to_text(narrow, Format::kTable)), 60U);
  EXPECT_EQ(std::get<std::int64_t>(narrow.rows[1][2]), 123456789012);
  EXPECT_EQ(std::get<std::string>(narrow.rows[0][0]), "a short one");
  EXPECT_EQ(std::get<std::string>(narrow.rows[0][1]).back(), '~');
}

TEST(Elided, LeavesATableThatFitsAsItIs) {
  const Table table = networks(20);

  EXPECT_EQ(to_text(elided(table, 200), Format::kTable), to_text(table, Format::kTable));
}

// Nothing can be told apart in less; then the terminal breaks lines.
TEST(Elided, KeepsEightColumnsOfEachText) {
  const Table table{{"a", "b"}, {{std::string(30, 'a'), std::string(30, 'b')}}};

  EXPECT_EQ(widest_line(to_text(elided(table, 5), Format::kTable)), 18U);
}

TEST(Fitting, CutsWhatHeadingsDoNotMendWhereItMay) {
  std::ostringstream kept, cut;
  print_fitting(kept, networks(40), kNetwork, 15);
  print_elided(cut, networks(40), kNetwork, 15);

  EXPECT_GT(widest_line(kept.str()), 22U);
  EXPECT_THAT(cut.str(), ::testing::HasSubstr("aaaaaaaaaaa~  9\n"));
}

}  // namespace
}  // namespace unmask::table::table_test
