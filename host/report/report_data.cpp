#include "report/report_data.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "results/figure.hpp"
#include "store/queries.hpp"
#include "text/globs.hpp"
#include "unmask/errors.hpp"

namespace unmask::report {
namespace {

using nlohmann::json;

// What a table is made of: a named query, or SQL of the report itself where no query has its name.
struct Source {
  std::string_view name;
  std::string_view sql = {};    // empty: that of the named query
  std::string_view about = {};  // likewise
  std::size_t most_rows = 0;    // 0: all
};

// The last run of each study, with what it was asked and where it ran.
constexpr std::string_view kLatestRuns =
    "SELECT m.name AS study, m.description, m.text AS manifest, m.sha256 AS manifest_sha256, "
    "r.started_at, r.ended_at, r.state, r.exit_code, r.argv, r.tool, r.git_commit, r.git_dirty, "
    "e.os, e.cpu, e.gpu, e.libtorch, e.blas, e.compiler, "
    "json_extract(e.json, '$.kernels') AS kernels "
    "FROM run r JOIN manifest m ON m.id = r.manifest_id "
    "JOIN environment e ON e.id = r.environment_id WHERE r.id IN (SELECT max(q.id) FROM run q "
    "JOIN manifest n ON n.id = q.manifest_id GROUP BY n.name) ORDER BY m.name";

// Means over the samples and restarts that an attack recorded (parameter `trace`).
constexpr std::string_view kTraces =
    "SELECT c.study, c.dataset, c.model, c.objective, c.train_solver, c.train_seed, c.solver, "
    "c.gradient, c.source, c.method AS attack, c.epsilon_text, c.seed, s.step, "
    "avg(s.value) AS margin, count(*) AS n FROM cells c JOIN series s ON s.cell_id = c.cell_id "
    "WHERE s.name GLOB 'trace_margin.*' AND s.value IS NOT NULL AND NOT c.is_alias "
    "GROUP BY c.place, c.study, s.cell_id, s.step ORDER BY c.study, c.place, s.step";

constexpr std::array kSources = {
    Source{"status"},
    Source{"verdicts"},
    Source{"verdict-rules"},
    Source{"robustness"},
    Source{"worst-case"},
    Source{"accuracy"},
    Source{"gradient-matrix"},
    Source{"elasticity"},
    Source{"sweep"},
    Source{"seeds"},
    Source{"effort"},
    Source{"solves"},
    Source{"warnings"},
    Source{"failures"},
    Source{"remarks"},
    Source{"worst-case-samples", {}, {}, kMostSampleRows},
    Source{"plugins"},
    Source{"traces", kTraces, "mean margin of the samples that attacks traced, step by step"},
    Source{"latest-runs", kLatestRuns, "the last run of each study, its manifest and machine"},
};

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

json table_of(const store::Store& store, const Source& source, const ReportOptions& options) {
  const store::NamedQuery* named = store::find_query(source.name);
  UNMASK_CHECK(named != nullptr || !source.sql.empty(),
               "there is no query " + std::string(source.name));
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
  store::read_rows(store, source.sql.empty() ? named->sql : source.sql, reader);
  return {{"about", source.about.empty() ? named->description : source.about},
          {"is_query", named != nullptr && source.sql.empty()},
          {"columns", columns},
          {"rows", std::move(rows)},
          {"left_out", left_out}};
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
    figure = results::make_figure(kind, store, options.selection);
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
  for (const Source& source : kSources) {
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
  return {{"tool", UNMASK_VERSION},
          {"command", options.command},
          {"tables", std::move(tables)},
          {"figures", std::move(figures)}};
}

}  // namespace unmask::report
