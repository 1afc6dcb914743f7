// docs/database.md against the schema: every name is described, every example runs and answers what
// tests/data/store/document_answers.txt says. Examples of SQL on other pages, likewise.

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/queries.hpp"
#include "store/verification.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::document_test {
namespace {

const std::string& document() {
  static const std::string kText =
      base::read_file(std::string(UNMASK_SOURCE_DIR) + "/docs/database.md");
  return kText;
}

// The text of the section "### `name`", up to the next heading.
std::string section(const std::string& name) {
  const std::string heading = "\n### `" + name + "`";
  const std::size_t begin = document().find(heading);
  if (begin == std::string::npos) return "";
  const std::size_t end = document().find("\n##", begin + heading.size());
  return document().substr(begin, end - begin);
}

std::vector<std::string> examples(const std::string& text = document()) {
  std::vector<std::string> result;
  std::istringstream lines(text);
  std::string line;
  bool is_inside = false;
  while (std::getline(lines, line)) {
    if (line == "```sql") {
      is_inside = true;
      result.emplace_back();
    } else if (line == "```") {
      is_inside = false;
    } else if (is_inside) {
      result.back() += line + "\n";
    }
  }
  return result;
}

class DocumentTest : public ::testing::Test {
 protected:
  DocumentTest() {
    // An earlier run that planned something else, for the views that look at both.
    const testing::SmallStudy small;
    const auto run = store_.begin_run(testing::make_study(), testing::make_info());
    store_.register_cells(run, testing::make_catalog(), std::vector{small.train0});
    store_.end_run(run, 0);
    testing::run_small_study(store_, small);
    Comparison comparison;
    comparison.count = 1;
    comparison.differences = {{"sample_outcome", "", 2, "prediction", "3", "2"}};
    store_.record_verification({small.pgd.key, "cpu", comparison, std::nullopt},
                               testing::make_info().environment);
  }

  std::vector<std::string> names(const std::string& sql) const {
    std::vector<std::string> result;
    for (const auto& row : run_query(store_, sql).rows)
      result.push_back(std::get<std::string>(row[0]));
    return result;
  }
  std::vector<std::string> objects() const {
    return names(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE "
        "'sqlite%' ORDER BY name");
  }

  base::TempFolder folder_;
  Store store_ = Store::open_writer(folder_.path() / "x.sqlite");
};

TEST_F(DocumentTest, EveryTableAndViewHasASectionWithAnExample) {
  for (const std::string& object : objects()) {
    EXPECT_NE(section(object).find("```sql"), std::string::npos) << object;
  }
}

TEST_F(DocumentTest, EveryColumnIsDescribedInTheSectionOfItsTable) {
  for (const std::string& object : objects()) {
    const std::string text = section(object);
    for (const std::string& column :
         names("SELECT name FROM pragma_table_xinfo('" + object + "')")) {
      EXPECT_NE(text.find("`" + column + "`"), std::string::npos) << object << "." << column;
    }
  }
}

TEST_F(DocumentTest, EverySectionIsATableOrViewOfTheSchema) {
  const std::vector<std::string> known = objects();
  std::istringstream lines(document());
  std::string line;
  while (std::getline(lines, line)) {
    if (line.rfind("### `", 0) != 0) continue;
    const std::string name = line.substr(5, line.find('`', 5) - 5);
    EXPECT_EQ(std::count(known.begin(), known.end(), name), 1) << name;
  }
}

TEST_F(DocumentTest, EveryExampleRunsAndYieldsRows) {
  ASSERT_GT(examples().size(), 30U);
  for (const std::string& sql : examples()) {
    EXPECT_FALSE(run_query(store_, sql).rows.empty()) << sql;
  }
}

// What is another every time is taken out; rows are sorted, since an example need not say an order.
std::string answer_of(const Store& store, const std::string& sql) {
  std::string text = table::to_text(run_query(store, sql), table::Format::kCsv);
  text = std::regex_replace(text, std::regex("[0-9-]{10}T[0-9:.]+Z"), "<time>");
  text =
      std::regex_replace(text, std::regex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>");
  text = std::regex_replace(text, std::regex("unmask [0-9.]+"), "unmask <version>");
  text = std::regex_replace(text, std::regex("definitions,[0-9a-f]{64}"), "definitions,<sha256>");
  const std::size_t first = text.find('\n') + 1;
  std::vector<std::string> rows;
  std::istringstream lines(text.substr(first));
  for (std::string line; std::getline(lines, line);) rows.push_back(line);
  std::sort(rows.begin(), rows.end());
  text.resize(first);
  for (const std::string& row : rows) text += row + "\n";
  return text;
}

TEST_F(DocumentTest, EveryExampleAnswersWhatItShould) {
  std::string answers;
  for (const std::string& sql : examples()) answers += sql + "\n" + answer_of(store_, sql) + "\n";

  EXPECT_EQ(
      answers,
      base::read_file(std::string(UNMASK_SOURCE_DIR) + "/tests/data/store/document_answers.txt"));
}

// Pages beside docs/database.md: what their examples say of networks that differ in one thing each,
// under two names.
class OtherPages : public ::testing::Test {
 protected:
  OtherPages() {
    wire::Cell first = testing::train_cell("so_resnet", 0);
    wire::Cell second = testing::train_cell("so_resnet", 1);
    first.aliases = {first.labels};
    first.aliases[0].model = "same";
    std::vector<wire::Cell> cells = {first, second};
    for (const wire::Cell& training : {first, second}) {
      cells.push_back(testing::probe_cell(training, "bosh3"));
      cells.push_back(testing::attack_cell(training, "bosh3", "", "pgd", 0.1, "0.1", 5));
    }
    for (const std::size_t of_the_first : {2U, 3U}) {
      cells[of_the_first].aliases = {cells[of_the_first].labels};
      cells[of_the_first].aliases[0].model = "same";
    }
    const auto run = store_.begin_run(testing::make_study(), testing::make_info());
    store_.register_cells(run, testing::make_catalog(), cells);
    testing::finish(store_, run, first, testing::train_result());
    testing::finish(store_, run, second, testing::train_result("b"));
    for (const std::size_t i : {2U, 4U}) {
      wire::CellResult probe;
      const double shift = static_cast<double>(i);
      for (const int k : {10, 2}) {
        probe.sample_metrics.push_back({0, "logit_" + std::to_string(k), shift + k});
      }
      probe.sample_metrics.push_back({0, "logit_margin", 7});  // of another probe
      testing::finish(store_, run, cells[i], probe);
      wire::CellResult attack = testing::attack_result("rrrf");
      attack.series = {{"trace_margin.3", {-shift, shift}}, {"trace_margin.30", {9}}};
      testing::finish(store_, run, cells[i + 1], attack);
    }
  }

  // The answer to the one example of a page.
  std::string answer(const std::string& page) const {
    const auto found = examples(base::read_file(std::string(UNMASK_SOURCE_DIR) + "/" + page));
    EXPECT_EQ(found.size(), 1U) << page;
    return table::to_text(run_query(store_, found.at(0)), table::Format::kCsv);
  }

  base::TempFolder folder_;
  Store store_ = Store::open_writer(folder_.path() / "x.sqlite");
};

TEST_F(OtherPages, LogitsAreTheProbesOfEachNetworkByClass) {
  const std::string expected =
      "model,train_seed,solver,sample,name,value\n"
      "so_resnet,0,bosh3,0,logit_2,4\nso_resnet,0,bosh3,0,logit_10,12\n"
      "so_resnet,1,bosh3,0,logit_2,6\nso_resnet,1,bosh3,0,logit_10,14\n";

  EXPECT_EQ(answer("docs/bring-your-own.md"), expected);
  EXPECT_EQ(answer("plugins/probes/logits/logits.md"), expected);
}

TEST_F(OtherPages, ATraceIsThatOfOneSampleForEachAttack) {
  EXPECT_EQ(answer("docs/attacks.md"),
            "model,train_seed,solver,method,epsilon_text,seed,step,value\n"
            "so_resnet,0,bosh3,pgd,0.1,5,1,-2\nso_resnet,0,bosh3,pgd,0.1,5,2,2\n"
            "so_resnet,1,bosh3,pgd,0.1,5,1,-4\nso_resnet,1,bosh3,pgd,0.1,5,2,4\n");
}

// Whoever adds an example to another page adds its value above.
TEST(Pages, WithExamplesOfSqlAreTheseAlone) {
  std::vector<std::string> found;
  const std::filesystem::path root(UNMASK_SOURCE_DIR);
  for (const char* folder : {"docs", "plugins", "experiments"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() != ".md") continue;
      if (!examples(base::read_file(entry.path())).empty()) {
        found.push_back(std::filesystem::relative(entry.path(), root).string());
      }
    }
  }
  std::sort(found.begin(), found.end());

  EXPECT_EQ(found,
            (std::vector<std::string>{"docs/attacks.md",
                                      "docs/bring-your-own.md",
                                      "docs/database.md",
                                      "plugins/probes/logits/logits.md"}));
}

TEST_F(DocumentTest, EveryNamedQueryIsListed) {
  for (const NamedQuery& query : named_queries()) {
    EXPECT_NE(document().find("| `" + std::string(query.name) + "` |"), std::string::npos)
        << query.name;
  }
}

}  // namespace
}  // namespace unmask::store::document_test
