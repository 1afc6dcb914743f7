// unmask verdict: is the gradient masked?

#include <iostream>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "store/store.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"
#include "verdict/judge.hpp"
#include "verdict/report.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

void print(const std::vector<verdict::Verdict>& verdicts, table::Format format, bool wants_rules) {
  if (format == table::Format::kJson) {
    std::cout << verdict::json_of(verdicts).dump(
                     2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else if (format != table::Format::kTable) {
    table::print(
        std::cout, wants_rules ? verdict::rules_of(verdicts) : verdict::table_of(verdicts), format);
  } else {
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      std::cout << (i == 0 ? "" : "\n") << verdict::text_of(verdicts[i]);
    }
  }
}

}  // namespace

int command_verdict(const Arguments& arguments) {
  CommandLine line(
      "verdict [FILTER] [options]",
      "Says of each network, solver and threat whether its gradients are masked, suspect, not "
      "detected to\nbe so, or whether evidence is missing: why, which rules fired, which were "
      "quiet, which had nothing\nto look at, and which lines of a manifest would change that. "
      "Judges what is stored now and writes\nnothing; docs/verdicts.md describes the rules.\n\n"
      "FILTER is e.g. model=so_*,epsilon=8/255, of study, dataset, model, objective, "
      "train_solver,\n"
      "train_seed, solver, norm and epsilon; several filters add up.");
  line.positional("filter", "which verdicts", true);
  line.options().add_options()(
      "format",
      po::value<std::string>()->default_value("table"),
      "table (text for people), csv, json (everything), markdown or latex")(
      "rules", "csv, markdown and latex: a row for each rule, not for each verdict")(
      "run",
      po::value<std::int64_t>(),
      "judge a study as this run planned it (unmask query runs); default: the latest run");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  const table::Format format = table::parse_format(line.get<std::string>("format"));
  const verdict::Filter filter(
      line.find<std::vector<std::string>>("filter").value_or(std::vector<std::string>{}));
  store::Store store = store::Store::open_reader(line.database());
  if (line.has("run")) store.look_from_run(line.find<std::int64_t>("run"), std::nullopt);
  const std::vector<verdict::Verdict> verdicts = verdict::judge(store, filter);
  if (verdicts.empty()) {
    std::cerr << "no attack with a radius has a result"
              << (line.has("filter") ? " and matches the filter" : "") << ": nothing to judge\n";
  }
  print(verdicts, format, line.has("rules"));
  return 0;
}

}  // namespace unmask::cli
