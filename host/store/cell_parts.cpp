// Parts of cells that have not come to their end.

#include "store/cell_parts.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "store/result_values.hpp"
#include "store/sql_values.hpp"
#include "store/stamps.hpp"
#include "store/store_impl.hpp"

namespace unmask::store {
namespace {

using nlohmann::json;

// The weights that the networks of cell ?1 have now.
constexpr const char* kWeights =
    "(SELECT sha256 FROM checkpoint WHERE cell_id = (SELECT checkpoint_cell_id FROM cell WHERE id "
    "= ?1)), (SELECT sha256 FROM checkpoint WHERE cell_id = (SELECT source_cell_id FROM cell WHERE "
    "id = ?1))";

// Parts that run ?1 cannot go on with: their cell is done or they are all of it, its network has other weights or none, or
// their numbers were rounded elsewhere in another way.
constexpr const char* kUselessParts =
    "SELECT p.rowid FROM cell_part p JOIN cell c ON c.id = p.cell_id "
    "JOIN run made ON made.id = p.run_id JOIN environment there ON there.id = made.environment_id "
    "JOIN run now ON now.id = ?1 JOIN environment here ON here.id = now.environment_id "
    "WHERE EXISTS (SELECT 1 FROM attempt a WHERE a.cell_id = p.cell_id AND a.state = 'done') "
    "OR (SELECT sum(q.samples) FROM cell_part q WHERE q.cell_id = p.cell_id) >= p.total "
    "OR p.checkpoint_sha256 IS NOT "
    "(SELECT sha256 FROM checkpoint WHERE cell_id = c.checkpoint_cell_id) "
    "OR p.source_sha256 IS NOT (SELECT sha256 FROM checkpoint WHERE cell_id = c.source_cell_id) "
    "OR (c.checkpoint_cell_id IS NOT NULL AND p.checkpoint_sha256 IS NULL) "
    "OR there.libtorch IS NOT here.libtorch OR there.blas IS NOT here.blas "
    "OR there.gpu IS NOT here.gpu OR json_extract(there.json, '$.kernels') IS NOT "
    "json_extract(here.json, '$.kernels')";

}  // namespace

void remove_parts(Database& database, std::int64_t cell) {
  database.prepare("remove parts", "DELETE FROM cell_part WHERE cell_id = ?").bind(cell).run();
}

void Store::record_part(std::int64_t run, const std::string& key, const wire::CellPart& part) {
  if (std::isnan(part.found.wall_s)) throw RefusedResult("the time it took is not a number (NaN)");
  const std::string content = json(part).dump(-1, ' ', false, json::error_handler_t::replace);
  impl_->write([&](Database& database) {
    Statement insert = database.prepare(
        "insert part",
        std::string("INSERT INTO cell_part(cell_id, first, samples, total, unit, run_id, device, "
                    "wall_s, stored_at, content, checkpoint_sha256, source_sha256) "
                    "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, " UNMASK_NOW ", ?9, ") +
            kWeights);
    insert.bind(impl_->cell_id(key)).bind(part.span.first).bind(part.span.count);
    insert.bind(part.total).bind(part.unit).bind(run).bind(part.found.device);
    insert.bind(part.found.wall_s).bind(content);
    insert_checked(insert, [&] { return "the part at sample " + std::to_string(part.span.first); });
  });
}

std::map<std::string, wire::StoredParts> Store::usable_parts(std::int64_t run) {
  if (impl_->database.integer("look for parts", "SELECT EXISTS (SELECT 1 FROM cell_part)") == 0) {
    return {};
  }
  impl_->write([&](Database& database) {
    database
        .prepare("remove useless parts",
                 std::string("DELETE FROM cell_part WHERE rowid IN (") + kUselessParts + ")")
        .bind(run)
        .run();
  });
  Statement rows = impl_->database.prepare(
      "read spans of parts",
      "SELECT c.key, p.total, p.unit, p.first, p.samples, p.wall_s FROM cell_part p "
      "JOIN cell c ON c.id = p.cell_id JOIN run_cell r ON r.cell_id = c.id AND r.run_id = ? "
      "ORDER BY c.id, p.first");
  rows.bind(run);
  std::map<std::string, wire::StoredParts> found;
  while (rows.step()) {
    wire::StoredParts& parts = found[rows.text(0)];
    parts.total = rows.integer(1);
    parts.unit = rows.integer(2);
    parts.spans.push_back({rows.integer(3), rows.integer(4)});
    parts.seconds += rows.real(5);
  }
  return found;
}

std::vector<wire::CellPart> Store::parts(const std::string& key) const {
  Statement rows = impl_->database.prepare("read parts",
                                           "SELECT p.content FROM cell_part p JOIN cell c ON c.id "
                                           "= p.cell_id WHERE c.key = ? ORDER BY p.first");
  rows.bind(key);
  std::vector<wire::CellPart> parts;
  while (rows.step()) {
    try {
      parts.push_back(json::parse(rows.text(0)).get<wire::CellPart>());
    } catch (const json::exception& error) {
      throw StoreError(file().string() + " holds a part of cell " + key +
                       " that cannot be read: " + error.what());
    }
  }
  return parts;
}

}  // namespace unmask::store
