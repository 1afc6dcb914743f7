#include "report/report_data.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/base64.hpp"
#include "report/pictures.hpp"
#include "report/report_sources.hpp"
#include "results/figure.hpp"
#include "store/queries.hpp"
#include "store/result_folders.hpp"
#include "text/globs.hpp"
#include "unmask/errors.hpp"

namespace unmask::report {
namespace {

using nlohmann::json;

json number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

json value_of(const table::Value& value) {
  return std::visit(
      [](const auto& v) -> json {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::monostate>) return nullptr;
        if constexpr (std::is_same_v<T, double>) return number(v);
        if constexpr (!std::is_same_v<T, std::monostate> && !std::is_same_v<T, double>) return v;
      },
      value);
}

// Whether a row is among those asked for: of an axis that the table has no column for it says nothing.
class RowFilter {
 public:
  RowFilter(const results::Selection& selection, const std::vector<std::string>& columns) {
    for (const results::Conditions& conditions : selection.filters) {
      auto& kept = alternatives_.emplace_back();
      for (const words::Condition& condition : conditions) {
        const auto at = std::find(columns.begin(), columns.end(), condition.axis);
        if (at == columns.end()) continue;
        kept.emplace_back(static_cast<std::size_t>(at - columns.begin()), condition.pattern);
      }
    }
  }

  bool keeps(const std::vector<table::Value>& row) const {
    return alternatives_.empty() ||
           std::any_of(alternatives_.begin(), alternatives_.end(), [&](const auto& conditions) {
             return std::all_of(conditions.begin(), conditions.end(), [&](const auto& condition) {
               return words::glob_matches(condition.second, results::text_of(row[condition.first]));
             });
           });
  }

 private:
  std::vector<std::vector<std::pair<std::size_t, std::string>>> alternatives_;
};

// Columns of many labels that recur: the different ones, and for each row which it is.
json words_of(const json& rows, std::size_t column) {
  json words = json::array();
  json places = json::array();
  std::map<std::string, std::size_t> known;
  for (const json& row : rows) {
    if (!row[column].is_string()) {
      places.push_back(nullptr);
      continue;
    }
    const auto [at, is_new] = known.emplace(row[column].get<std::string>(), words.size());
    if (is_new) words.push_back(at->first);
    places.push_back(at->second);
  }
  return {{"words", std::move(words)}, {"places", std::move(places)}};
}

json column_of(const json& rows, std::size_t column) {
  bool is_text = !rows.empty();
  json values = json::array();
  for (const json& row : rows) {
    is_text = is_text && (row[column].is_string() || row[column].is_null());
    values.push_back(row[column]);
  }
  return is_text ? words_of(rows, column) : values;
}

// What RowFilter keeps, as SQL: of a table of samples there may be millions of rows.
std::string condition_of(const results::Selection& selection,
                         const std::vector<std::string>& columns) {
  std::string text;
  for (const results::Conditions& conditions : selection.filters) {
    std::string all = "1";
    for (const words::Condition& condition : conditions) {
      if (std::find(columns.begin(), columns.end(), condition.axis) == columns.end()) continue;
      std::string pattern;
      for (const char c : condition.pattern) {
        pattern += c == '[' ? "[[]" : c == '\'' ? "''" : std::string(1, c);
      }
      all += " AND CAST(\"" + condition.axis + "\" AS TEXT) GLOB '" + pattern + "'";
    }
    text += (text.empty() ? "(" : " OR (") + all + ")";
  }
  return text.empty() ? "1" : text;
}

// The first rows of a named query, and how many more there are.
void read_first(const store::Store& store,
                const Source& source,
                const ReportOptions& options,
                const store::RowReader& reader,
                std::size_t& left_out) {
  const std::string sql(question_of(source).sql);
  const std::string wanted = " FROM (" + sql + ") WHERE " +
                             condition_of(options.selection, store::query_columns(store, sql));
  std::size_t shown = 0;
  store::read_rows(store,
                   "SELECT *" + wanted + " LIMIT " + std::to_string(source.most_rows),
                   {reader.columns, [&](const std::vector<table::Value>& row) {
                      ++shown;
                      reader.row(row);
                    }});
  const table::Table count = store::run_query(store, "SELECT count(*)" + wanted);
  left_out = static_cast<std::size_t>(std::get<std::int64_t>(count.rows.at(0).at(0))) - shown;
}

json table_of(const store::Store& store, const Source& source, const ReportOptions& options) {
  json rows = json::array();
  std::vector<std::string> columns;
  std::optional<RowFilter> filter;
  std::size_t left_out = 0;
  const store::RowReader reader{[&](const std::vector<std::string>& names) {
                                  columns = names;
                                  filter.emplace(options.selection, names);
                                },
                                [&](const std::vector<table::Value>& row) {
                                  if (!filter->keeps(row)) return;
                                  if (source.most_rows > 0 && rows.size() == source.most_rows) {
                                    ++left_out;
                                    return;
                                  }
                                  json values = json::array();
                                  for (const table::Value& value : row)
                                    values.push_back(value_of(value));
                                  rows.push_back(std::move(values));
                                }};
  const Question question = question_of(source);
  if (question.is_named && source.most_rows > 0) {
    read_first(store, source, options, reader, left_out);
  } else {
    store::read_rows(store, question.sql, reader);
  }
  return {{"about", question.about},
          {"is_query", question.is_named},
          {"columns", columns},
          {"rows", std::move(rows)},
          {"left_out", left_out}};
}

// One object for each row of the table: its three pictures, or why there is none.
json pictures_of(const store::Store& store, const json& table) {
  const std::filesystem::path folder = store::ResultFolders::of(store.file()).adversarials;
  const auto& columns = table["columns"];
  const auto at = [&](const json& row, std::string_view column) -> const json& {
    const auto found = std::find(columns.begin(), columns.end(), column);
    return row[static_cast<std::size_t>(found - columns.begin())];
  };
  std::map<std::string, std::optional<KeptImages>> files;
  json pictures = json::array();
  std::size_t bytes = 0;
  for (const json& row : table["rows"]) {
    if (bytes > kMostPictureBytes) {
      pictures.push_back({{"lacks", "the page has no room for it"}});
      continue;
    }
    try {
      // A name from a file that others may have written: nothing outside the folder is opened.
      const std::filesystem::path name = at(row, "file").get<std::string>();
      if (name.empty() || name != name.filename()) throw DataError("no file is named so");
      const auto [file, is_new] = files.try_emplace(name.string());
      if (is_new) file->second.emplace(folder / name);
      if (!file->second) throw DataError("the file cannot be read");
      const Shots shots = file->second->shots(at(row, "sample").get<std::int64_t>());
      json picture = {{"width", shots.width}, {"height", shots.height}};
      for (const auto& [what, png] : {std::pair{"clean", &shots.clean},
                                      std::pair{"adversarial", &shots.adversarial},
                                      std::pair{"difference", &shots.difference}}) {
        picture[what] = base::base64(*png);
        bytes += picture[what].get_ref<const std::string&>().size();
      }
      pictures.push_back(std::move(picture));
    } catch (const DataError&) {
      pictures.push_back({{"lacks", "its file is gone, or is no file of kept images"}});
    }
  }
  return pictures;
}

const char* name_of(results::Shape shape) {
  switch (shape) {
    case results::Shape::kBars: return "bars";
    case results::Shape::kCurves: return "curves";
    case results::Shape::kDots: return "dots";
    case results::Shape::kLadder: return "ladder";
    case results::Shape::kTiles: return "tiles";
    case results::Shape::kSurface: return "surface";
  }
  throw InternalError("a shape of no name");
}

json curve_of(const results::Curve& curve) {
  json points = json::array();
  for (const results::Point& p : curve.points) {
    json point = {number(p.x), number(p.y)};
    if (p.lower && p.upper) {
      point.push_back(number(*p.lower));
      point.push_back(number(*p.upper));
    }
    points.push_back(std::move(point));
  }
  return {{"title", curve.title}, {"points", std::move(points)}};
}

json panel_of(const results::Panel& panel) {
  json curves = json::array();
  for (const results::Curve& curve : panel.curves) curves.push_back(curve_of(curve));
  json tiles = json::array();
  for (const results::Tile& tile : panel.tiles) {
    tiles.push_back({tile.row, tile.column, number(tile.value)});
  }
  return {{"title", panel.title},
          {"x_label", panel.x_label},
          {"y_label", panel.y_label},
          {"curves", std::move(curves)},
          {"categories", panel.categories},
          {"rows", panel.rows},
          {"tiles", std::move(tiles)},
          {"size", panel.size},
          {"is_log_x", panel.is_log_x}};
}

json figure_of(const store::Store& store,
               const results::FigureKind& kind,
               const ReportOptions& options) {
  results::Figure figure;
  try {
    figure = results::make_figure(kind, store, options.selection, results::Excess::kLeaveOut);
  } catch (const UsageError& error) {
    return {{"shows", kind.shows}, {"lacks", error.what()}};
  }
  json panels = json::array();
  for (const results::Panel& panel : figure.panels) panels.push_back(panel_of(panel));
  return {{"shows", kind.shows},
          {"title", figure.title},
          {"shape", name_of(figure.shape)},
          {"x_label", figure.x_label},
          {"y_label", figure.y_label},
          {"value_label", figure.value_label},
          {"is_share", figure.is_share},
          {"excess", figure.excess},
          {"panels", std::move(panels)}};
}

}  // namespace

json compact(const json& data) {
  json result = data;
  for (auto& [name, table] : result["tables"].items()) {
    const json rows = std::move(table["rows"]);
    table.erase("rows");
    table["n"] = rows.size();
    table["data"] = json::array();
    for (std::size_t c = 0; c < table["columns"].size(); ++c) {
      table["data"].push_back(column_of(rows, c));
    }
  }
  return result;
}

const std::vector<std::string>& filter_axes() {
  static const std::vector<std::string> kAxes = {
      "study", "dataset", "model", "objective", "train_solver", "train_seed", "solver"};
  return kAxes;
}

json report_data(const store::Store& store, const ReportOptions& options) {
  json tables = json::object();
  for (const Source& source : sources()) {
    tables[std::string(source.name)] = table_of(store, source, options);
  }
  if (tables["status"]["rows"].empty()) {
    throw UsageError(options.selection.filters.empty()
                         ? "the database holds no study; \"unmask run MANIFEST\" makes one"
                         : "nothing in the database matches the filter; \"unmask status\" and "
                           "\"unmask query cells\" list what is there");
  }
  json figures = json::object();
  for (const results::FigureKind& kind : results::figure_kinds()) {
    figures[std::string(kind.name)] = figure_of(store, kind, options);
  }
  json pictures = pictures_of(store, tables["pictured-samples"]);
  return {{"tool", UNMASK_VERSION},
          {"command", options.command},
          {"pictures", std::move(pictures)},
          {"tables", std::move(tables)},
          {"figures", std::move(figures)}};
}

}  // namespace unmask::report
