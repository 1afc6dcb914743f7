// unmask compare: two sides of a question, sample by sample.

#include <algorithm>
#include <cmath>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "results/compare.hpp"
#include "table/table.hpp"
#include "text/conditions.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

// A side as typed, with a reader of its own: it may look at another run.
class OpenSide {
 public:
  OpenSide(const std::filesystem::path& database, const std::string& text)
      : store_(store::Store::open_reader(database)), text_(text) {
    std::vector<std::string> axes(results::kAxes.begin(), results::kAxes.end());
    axes.emplace_back("run");
    const std::string typed =
        text.find('=') == std::string::npos && !text.empty() ? "study=" + text : text;
    std::optional<std::int64_t> run;
    for (words::Condition& condition : words::parse_conditions(typed, axes, "side ")) {
      if (condition.axis == "run") {
        run = parse_run(condition.pattern);
      } else {
        conditions_.push_back(std::move(condition));
      }
    }
    if (run) store_.look_from_run(run, {});
  }

  results::Side side() const { return {&store_, conditions_, text_}; }

 private:
  std::int64_t parse_run(const std::string& number) const {
    const bool is_number = !number.empty() && number.size() < 16 &&
                           number.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) {
      throw UsageError("side \"" + text_ + "\": run=" + number +
                       " is no number of a run; \"unmask query runs\" lists them");
    }
    return std::stoll(number);
  }

  store::Store store_;
  results::Conditions conditions_;
  std::string text_;
};

void print_aside(const results::Comparison& comparison, std::ostream& out) {
  if (comparison.n_same_cell > 0) {
    out << comparison.n_same_cell << (comparison.n_same_cell == 1 ? " pair is" : " pairs are")
        << " one and the same result and left out\n";
  }
  if (comparison.aside.empty()) return;
  out << "not compared:\n";
  for (const results::SetAside& aside : comparison.aside) {
    out << table::wrapped("  " + aside.what + ": " + aside.reason, kAnswerWidth) << "\n";
  }
}

// The table for people: counts of the table of four, and what only a machine reads, are left out.
table::Table for_people(table::Table table) {
  drop_columns(table, {"both", "neither"});
  for (const char* name : {"undecided_a", "undecided_b", "note"}) drop_empty_column(table, name);
  round_reals(table, 4);
  return table;
}

void print_text(const results::Comparison& comparison,
                table::Table table,
                const std::string& a,
                const std::string& b) {
  std::cout << "A: " << a << "\nB: " << b << "\n";
  const std::string common = take_constant_labels(table, results::is_label_column);
  if (!common.empty()) std::cout << table::wrapped(common, kAnswerWidth) << "\n";
  std::cout << "\n";
  if (table.rows.empty()) {
    std::cout << "no difference in any sample\n";
  } else {
    table::print(std::cout, table, table::Format::kTable);
  }
  if (comparison.n_same_cell > 0 || !comparison.aside.empty()) std::cout << "\n";
  print_aside(comparison, std::cout);
}

}  // namespace

int command_compare(const Arguments& arguments) {
  CommandLine line(
      "compare A B [options]",
      "Compares two sides sample by sample: two networks, two attacks, two studies, two runs of a\n"
      "study. A and B are conditions (model=resnet,attack=pgd*) or the name of a study; run=3 "
      "looks\n"
      "at a study as run 3 planned it. Attacks of both sides are paired where they agree in all "
      "that\n"
      "the sides do not set apart, and always in norm and radius.\n\n"
      "Each row is a pair: on how many samples only A (only_a) or only B (only_b) is right under\n"
      "attack, the difference of accuracies A - B with its 95 % interval (Newcombe 1998, method "
      "10),\n"
      "and the exact two-sided McNemar test (p; p_adjusted for the number of rows, Holm).\n"
      "docs/results.md explains it.");
  line.positional("A", "one side");
  line.positional("B", "the other");
  line.options().add_options()("samples", "list the samples that flipped instead")(
      "format",
      po::value<std::string>()->default_value("text"),
      "text, csv, json, markdown or latex");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  const std::string a = line.required("A");
  const std::string b = line.required("B");
  const table::Format format = table::parse_format(line.get<std::string>("format"));
  const OpenSide side_a(line.database(), a);
  const OpenSide side_b(line.database(), b);
  const results::Comparison comparison = results::compare(side_a.side(), side_b.side());
  const bool of_samples = line.has("samples");
  table::Table table =
      of_samples ? results::flips_table(comparison) : results::comparison_table(comparison);
  if (format == table::Format::kTable) {
    print_text(comparison, for_people(std::move(table)), a, b);
  } else {
    table::print(std::cout, table, format);
    print_aside(comparison, std::cerr);
  }
  return 0;
}

}  // namespace unmask::cli
