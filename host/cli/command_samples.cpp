// unmask samples: what an attack did to each sample, as a table and as a picture.

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "store/result_folders.hpp"
#include "store/store.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

// The stored attack cell whose key begins with these digits.
std::string find_cell(const store::Store& store, const std::string& digits) {
  const std::vector<std::string> found = store.done_attacks(digits, 2);
  if (found.empty()) {
    throw UsageError("no stored attack has a key that begins with \"" + digits +
                     "\" (unmask plan MANIFEST --list shows the keys)");
  }
  if (found.size() > 1) {
    throw UsageError("the keys of several attacks begin with \"" + digits + "\"; give more digits");
  }
  return found.front();
}

store::OutcomeFilter outcome_filter(const std::string& which) {
  if (which == "all") return store::OutcomeFilter::kAll;
  if (which == "fooled") return store::OutcomeFilter::kFooled;
  if (which == "robust") return store::OutcomeFilter::kRobust;
  if (which == "undecided") return store::OutcomeFilter::kUndecided;
  throw UsageError("--which must be fooled, robust, undecided or all, not \"" + which + "\"");
}

table::Value known(std::int64_t value) {
  return value == -1 ? table::Value() : table::Value(value);
}

table::Table to_table(const std::vector<wire::SampleOutcome>& outcomes) {
  table::Table table{
      {"sample", "label", "clean_prediction", "prediction", "distance", "queries", "passes"}, {}};
  for (const wire::SampleOutcome& o : outcomes) {
    table.rows.push_back({o.sample,
                          o.label,
                          known(o.clean_prediction),
                          known(o.prediction),
                          o.is_decided ? table::Value(o.distance) : table::Value(),
                          o.queries,
                          known(o.passes)});
  }
  return table;
}

fs::path images_of(const store::Store& store, const std::string& key, const fs::path& folder) {
  const auto kept = store.adversarials_of(key);
  if (!kept) {
    throw StoreError(
        "the images of this attack were not kept; add \"save\": \"adversarials\" to "
        "\"evaluate\" and run again");
  }
  fs::path file = folder / kept->path;
  if (!fs::exists(file)) {
    throw StoreError("the file " + file.string() + " is missing; run the study again");
  }
  return file;
}

}  // namespace

int command_samples(const Arguments& arguments) {
  CommandLine line(
      "samples KEY [options]",
      "Lists what the attack of a cell did to each sample. With --png it draws them as well: the "
      "image, the\nadversarial image in a frame (red: it fools the network, green: it does not), "
      "and their difference,\namplified until it is black or white somewhere. That needs images "
      "that were kept: \"save\": \"adversarials\"\nin \"evaluate\" of the manifest. KEY may be "
      "shortened as long as it is unique.");
  line.positional("key", "key of an attack cell (unmask plan MANIFEST --list)");
  line.options().add_options()("png", po::value<std::string>(), "file to draw into")(
      "which", po::value<std::string>()->default_value("all"), "fooled, robust, undecided or all")(
      "count", po::value<int>()->default_value(16), "at most so many samples")(
      "columns", po::value<int>()->default_value(4), "samples side by side in the picture")(
      "format",
      po::value<std::string>()->default_value("table"),
      "table, csv, json, markdown or latex");
  line.add_database();
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  for (const char* option : {"count", "columns"}) {
    if (line.get<int>(option) < 1) {
      throw UsageError("--" + std::string(option) + " must be at least 1");
    }
  }
  const table::Format format = table::parse_format(line.get<std::string>("format"));
  const store::Store store = store::Store::open_reader(line.database());
  const std::string key = find_cell(store, line.required("key"));
  const std::vector<wire::SampleOutcome> outcomes =
      store.outcomes(key,
                     outcome_filter(line.get<std::string>("which")),
                     static_cast<std::size_t>(line.get<int>("count")));
  if (const auto png = line.find<std::string>("png")) {
    if (outcomes.empty()) throw UsageError("there is no such sample to draw");
    nlohmann::json samples = nlohmann::json::array();
    for (const wire::SampleOutcome& outcome : outcomes) samples.push_back(outcome.sample);
    const fs::path folder = store::ResultFolders::of(line.database()).adversarials;
    const HostContext host(line.plugin_dirs());
    host.ask_engine("draw",
                    {{"file", images_of(store, key, folder).string()},
                     {"samples", samples},
                     {"columns", line.get<int>("columns")},
                     {"output", fs::absolute(*png).string()}},
                    600);
  }
  table::print(std::cout, to_table(outcomes), format);
  return 0;
}

}  // namespace unmask::cli
