// unmask figure: a figure of a study for a paper, and its data.

#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "results/figure.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

void print_figures() {
  table::Table table{{"name", "shows"}, {}};
  for (const results::FigureKind& kind : results::figure_kinds()) {
    table.rows.push_back({std::string(kind.name), std::string(kind.shows)});
  }
  table::print(std::cout, table, table::Format::kTable);
}

// nullopt: the data alone.
std::optional<results::FigureFormat> format_of(const std::filesystem::path& file) {
  const std::string extension = file.extension();
  if (extension == ".svg") return results::FigureFormat::kSvg;
  if (extension == ".pdf") return results::FigureFormat::kPdf;
  if (extension == ".png") return results::FigureFormat::kPng;
  if (extension == ".csv") return std::nullopt;
  throw UsageError("--out " + file.string() + ": the name must end in .svg, .pdf, .png or .csv");
}

}  // namespace

int command_figure(const Arguments& arguments) {
  CommandLine line(
      "figure NAME --out FILE [FILTER...] [options]",
      "Draws a figure (see --list) as FILE.svg, FILE.pdf or FILE.png and writes its data beside "
      "it, as\n"
      "FILE.csv. FILE.csv alone gives the data without drawing. Drawing needs gnuplot on PATH "
      "(Debian:\n"
      "gnuplot-nox); without it nothing is written. docs/results.md shows what each figure holds.");
  line.positional("arguments", "name and filters", true);
  line.options().add_options()("list", "list the figures")(
      "out", po::value<std::string>(), "where to: a name that ends in .svg, .pdf, .png or .csv");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  if (line.has("list")) {
    print_figures();
    return 0;
  }
  std::vector<std::string> words =
      line.find<std::vector<std::string>>("arguments").value_or(std::vector<std::string>());
  if (words.empty()) throw UsageError("which figure? \"unmask figure --list\" lists them");
  const results::FigureKind& kind = results::find_figure(words.front());
  words.erase(words.begin());
  if (!line.has("out"))
    throw UsageError("where to? give --out a name that ends in .svg, .pdf or .png");
  const std::filesystem::path file = line.get<std::string>("out");
  const auto format = format_of(file);
  const results::Selection selection = results::parse_selection(words);

  const store::Store store = store::Store::open_reader(line.database());
  const results::Figure figure = results::make_figure(kind, store, selection);
  // Drawn before anything is written: both files are there, or neither is.
  const std::string picture = format ? results::draw(figure, *format) : "";
  const std::filesystem::path data = std::filesystem::path(file).replace_extension(".csv");
  base::write_file_atomically(data,
                              table::to_text(results::figure_table(figure), table::Format::kCsv));
  if (format) {
    base::write_file_atomically(file, picture);
    std::cout << file.string() << "\n";
  }
  std::cout << data.string() << "\n";
  return 0;
}

}  // namespace unmask::cli
