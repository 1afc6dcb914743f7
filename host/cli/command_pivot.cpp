// unmask pivot: one number of all attacks as a table of two axes.

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "results/pivot.hpp"
#include "table/table.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t first = 0; first <= text.size() && !text.empty();) {
    const std::size_t last = std::min(text.find(',', first), text.size());
    parts.push_back(text.substr(first, last - first));
    first = last + 1;
  }
  return parts;
}

std::string help_text() {
  std::string text =
      "Shows one number of all attacks as a table: rows and columns are axes of the cells (study, "
      "dataset,\nmodel, objective, train_solver, train_seed, solver, gradient, source, attack, "
      "norm, "
      "epsilon, seed).\nA field of several cells is an error, unless --over names the axes over "
      "which "
      "they are put together;\nthen it says how many they are, and their range. \"-\" stands where "
      "nothing was asked for, \"missing\"\nwhere a cell has no result.\n\nvalues:\n";
  for (const results::PivotValue& value : results::pivot_values()) {
    std::string name(value.name);
    name.resize(23, ' ');
    text += "  " + name + std::string(value.meaning) + "\n";
  }
  return text +
         "  metric:NAME            a number of the query metrics, also of trainings and probes";
}

void print_pivot(const results::Pivot& pivot, table::Format format, bool intervals) {
  if (format == table::Format::kCsv || format == table::Format::kJson) {
    return table::print(std::cout, results::for_machines(pivot), format);
  }
  const table::Table table = results::readable(pivot, intervals);
  table::Style style;
  const auto best = results::best_fields(pivot);
  for (std::size_t r = 0; r < best.size(); ++r) {
    for (std::size_t c = 0; c < best[r].size(); ++c) {
      if (best[r][c]) style.bold.emplace_back(r, pivot.row_axes.size() + c);
    }
  }
  if (format == table::Format::kTable && !pivot.common.empty()) {
    std::cout << table::wrapped(pivot.common, kAnswerWidth) << "\n\n";
  }
  table::print(std::cout, table, format, style);
}

}  // namespace

int command_pivot(const Arguments& arguments) {
  CommandLine line("pivot --rows AXES --cols AXES --value VALUE [FILTER...] [options]",
                   help_text());
  line.positional(
      "filter", "conditions such as model=so_*,attack=pgd*; of several, one must match", true);
  line.options().add_options()("rows", po::value<std::string>(), "axes of rows: model,solver")(
      "cols", po::value<std::string>(), "axes of columns: attack,epsilon")(
      "value", po::value<std::string>()->default_value("accuracy"), "what stands in a field")(
      "over",
      po::value<std::string>()->default_value(""),
      "axes over which the cells of a field are put together: train_seed,seed")(
      "aggregate",
      po::value<std::string>()->default_value("mean"),
      "what of them stands there: mean, min or max")("intervals",
                                                     "with the 95 % interval of shares")(
      "format",
      po::value<std::string>()->default_value("text"),
      "text, csv, json, markdown or latex");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  const table::Format format = table::parse_format(line.get<std::string>("format"));
  results::PivotQuestion question;
  question.rows = parts_of(line.required("rows"));
  question.columns = parts_of(line.required("cols"));
  question.value = line.get<std::string>("value");
  question.over = parts_of(line.get<std::string>("over"));
  question.aggregate = results::parse_aggregate(line.get<std::string>("aggregate"));
  question.selection = results::parse_selection(
      line.find<std::vector<std::string>>("filter").value_or(std::vector<std::string>()));
  const store::Store store = store::Store::open_reader(line.database());
  print_pivot(results::make_pivot(store, question), format, line.has("intervals"));
  return 0;
}

}  // namespace unmask::cli
