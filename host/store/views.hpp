#pragma once
// Everything in a database file that is no data: views, thresholds of warnings, named queries. They
// belong to the tool, not to the schema's version: a writer makes them again when the file holds
// those of another unmask, and a reader, who may not write, puts its own in front of them.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace unmask::store {

class Database;

struct View {
  std::string_view name;
  std::string_view sql;  ///< the SELECT behind it
};

/// In an order in which each uses only those before it.
std::span<const View> views();

/// A number above which a value is worth a warning, see the query `warnings`.
struct Threshold {
  std::string_view name;  ///< of a metric, or "fooled_first_by"
  double value;
  bool is_of_network;  ///< about the network, not about the attack that noticed it
  std::string_view meaning;
};

std::span<const Threshold> thresholds();

/// SHA-256 of all of it: what a file holds is current when its `meta` names the same.
std::string definitions_sha256();

/// Whether the file holds the definitions of this program.
bool has_current_definitions(Database& database);

/// Take the tool's views out of the file. Views that somebody else put there stay.
void drop_views(Database& database);

/// Bring the file's definitions up to date, in one transaction; nothing is written when they are.
void refresh_definitions(Database& database);

/// Put the definitions of this program in front of those of the file, for this connection alone:
/// temporary views and tables, which need no right to write.
/// @param run      the run that the study is seen at instead of its latest one
/// @param earlier  the run that the query `changes` compares with instead of the one before
void shadow_definitions(Database& database,
                        std::optional<std::int64_t> run = {},
                        std::optional<std::int64_t> earlier = {});

/// Likewise, with the answers of the costly views in temporary tables: for many questions in a row. What
/// is written meanwhile they do not see.
void remember_answers(Database& database);

}  // namespace unmask::store
