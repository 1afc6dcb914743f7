#pragma once
// What the report of a database shows, as one JSON object: answers of named queries, word for word,
// and the data of the figures that `unmask figure` draws.

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "results/selection.hpp"
#include "store/store.hpp"

namespace unmask::report {

/// Axes that a report may be about: those that tell networks apart.
const std::vector<std::string>& filter_axes();

struct ReportOptions {
  results::Selection selection;           ///< conditions on filter_axes(); none: everything
  std::vector<std::string> command = {};  ///< that makes this report, for its reader
};

/// Rows that a table of single samples holds at most; how many more there are is said.
inline constexpr std::size_t kMostSampleRows = 500;

/// Samples with pictures, in all, and the room for these: bytes of base64. Without a limit a page of
/// many networks would not stay below 2 MB.
inline constexpr std::size_t kMostPictures = 48;
inline constexpr std::size_t kMostPictureBytes = 700'000;

/// Gather everything. Members:
///   tool, command, studies [{name, description, text, file, ...}]
///   tables  {name of a query: {about, columns, rows, left_out}}
///   pictures [{clean, adversarial, difference: PNG in base64, width, height}, or {lacks: why}], for
///           each row of the table pictured-samples
///   figures {name of a figure: {title, shape, ..., panels}, or {lacks: why there is none}}
/// Numbers are as the queries give them; NaN and infinities are strings.
/// @throws StoreError, UsageError when nothing in the database matches
nlohmann::json report_data(const store::Store& store, const ReportOptions& options);

/// The same with tables by columns, as the page holds them: instead of "rows" the number of rows "n"
/// and "data", a list of values for each column, or {words, places} for one of texts, where a place is
/// null or the index of the row's word. A third of the size, since labels recur.
nlohmann::json compact(const nlohmann::json& data);

}  // namespace unmask::report
