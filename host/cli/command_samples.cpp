// unmask samples: what an attack did to each sample, as a table and as a picture.

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <variant>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "store/queries.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? "''" : std::string(1, c);
  return out + "'";
}

// The stored attack cell whose key begins with these digits.
std::string find_cell(const store::Store& store, const std::string& digits) {
  const table::Table found =
      store::run_query(store,
                       "SELECT key FROM cell c JOIN attempt a ON a.cell_id = c.id "
                       "WHERE c.kind = 'attack' AND a.state = 'done' AND substr(key, 1, " +
                           std::to_string(digits.size()) + ") = " + quoted(digits) + " LIMIT 2");
  if (found.rows.empty()) {
    throw UsageError("no stored attack has a key that begins with \"" + digits +
                     "\" (unmask plan MANIFEST --list shows the keys)");
  }
  if (found.rows.size() > 1) {
    throw UsageError("the keys of several attacks begin with \"" + digits + "\"; give more digits");
  }
  return std::get<std::string>(found.rows.front().front());
}

const char* condition(const std::string& which) {
  if (which == "fooled") return " AND clean_prediction = label AND prediction <> label";
  if (which == "robust") return " AND clean_prediction = label AND prediction = label";
  if (which == "all") return "";
  throw UsageError("--which must be fooled, robust or all, not \"" + which + "\"");
}

table::Table samples_of(const store::Store& store,
                        const std::string& key,
                        const std::string& which,
                        int count) {
  return store::run_query(
      store,
      "SELECT sample, label, clean_prediction, prediction, distance, queries FROM sample_outcome "
      "WHERE cell_id = (SELECT id FROM cell WHERE key = " +
          quoted(key) + ")" + condition(which) + " ORDER BY sample LIMIT " + std::to_string(count));
}

fs::path images_of(const store::Store& store, const std::string& key, const fs::path& folder) {
  const table::Table found = store::run_query(
      store,
      "SELECT path FROM adversarials WHERE cell_id = (SELECT id FROM cell WHERE key = " +
          quoted(key) + ")");
  if (found.rows.empty()) {
    throw StoreError(
        "the images of this attack were not kept; add \"save\": \"adversarials\" to "
        "\"evaluate\" and run again");
  }
  const fs::path file = folder / std::get<std::string>(found.rows.front().front());
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
      "which", po::value<std::string>()->default_value("all"), "fooled, robust or all")(
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
  const table::Table table =
      samples_of(store, key, line.get<std::string>("which"), line.get<int>("count"));
  if (const auto png = line.find<std::string>("png")) {
    if (table.rows.empty()) throw UsageError("there is no such sample to draw");
    nlohmann::json samples = nlohmann::json::array();
    for (const auto& row : table.rows) samples.push_back(std::get<std::int64_t>(row[0]));
    const fs::path folder = fs::absolute(line.database()).parent_path() / "adversarials";
    const HostContext host(line.plugin_dirs());
    host.ask_engine("draw",
                    {{"file", images_of(store, key, folder).string()},
                     {"samples", samples},
                     {"columns", line.get<int>("columns")},
                     {"output", fs::absolute(*png).string()}},
                    600);
  }
  table::print(std::cout, table, format);
  return 0;
}

}  // namespace unmask::cli
