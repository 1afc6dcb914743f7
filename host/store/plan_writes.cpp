// Writing plans to the store: cells, the plugins that they use, their names, and what a run is to do
// with them. Most runs plan what is stored already, so what is known is looked up once a cell and nothing
// else.

#include <variant>

#include "store/plugin_register.hpp"
#include "store/sql_values.hpp"
#include "store/store_impl.hpp"
#include "unmask/sha256.hpp"
#include "wire/labels.hpp"
#include "wire/spec.hpp"

namespace unmask::store {
namespace {

using nlohmann::json;

// What an attack's parameter of that name says, until its result says in which norm it works. All
// members of an ensemble work in one norm; some may have no parameter for it.
std::optional<std::string> expected_norm(const wire::Spec& spec) {
  std::optional<std::string> norm;
  wire::for_each_part(spec, [&](const std::string&, const std::string& kind, const json& part) {
    if (kind != "attack" || norm || !part.contains("params")) return;
    norm = member_text(part.at("params"), "norm");
  });
  return norm;
}

// Registers cells of a plan.
class CellRegister {
 public:
  CellRegister(Database& database, std::int64_t run, const catalog::Catalog& catalog)
      : plugins_(database, run, catalog),
        insert_(database.prepare(
            "insert cell",
            "INSERT INTO cell(key, kind, checkpoint_cell_id, source_cell_id, spec_json, norm) "
            "VALUES (?, ?, ?, ?, ?, ?)")),
        find_(database.prepare("find cell", "SELECT id FROM cell WHERE key = ?")) {}

  std::int64_t add(const wire::Cell& cell) {
    if (const auto known = find(cell.key)) {
      see(cell);
      return *known;
    }
    const auto checkpoint = training(cell, wire::checkpoint_of(cell.spec));
    const auto source = training(cell, wire::source_of(cell.spec));
    insert_.bind(cell.key).bind(wire::to_string(cell.kind)).bind(checkpoint).bind(source);
    insert_.bind(cell.spec.dump()).bind(expected_norm(cell.spec)).run();
    const std::optional<std::int64_t> id = find(cell.key);
    UNMASK_CHECK(id.has_value(), "cell " + cell.key + " was not inserted");
    plugins_.add(*id, cell.spec);
    return *id;
  }

  /// The id of a registered cell.
  std::int64_t id_of(const wire::Cell& cell) {
    const auto known = find(cell.key);
    UNMASK_CHECK(known.has_value(), "cell " + cell.key + " of a stored plan is not registered");
    return *known;
  }

  /// A registered cell takes part in this run.
  void see(const wire::Cell& cell) { plugins_.see(cell.spec); }

 private:
  std::optional<std::int64_t> find(const std::string& key) {
    std::optional<std::int64_t> id;
    if (find_.bind(key).step()) id = find_.integer(0);
    find_.reset();
    return id;
  }

  // The train cell of this key, which a cell needs.
  std::optional<std::int64_t> training(const wire::Cell& cell,
                                       const std::optional<std::string>& key) {
    if (!key) return std::nullopt;
    find_.bind(*key);
    return only_integer(find_, "train cell " + *key + ", which cell " + cell.key + " needs,");
  }

  PluginRegister plugins_;
  Statement insert_;
  Statement find_;
};

// Names of cells under which a plan is known again.
std::string identity_of(std::span<const wire::Cell> cells) {
  Sha256 hash;
  std::string line;
  const auto add = [&](const wire::Cell& cell, const wire::CellLabels& labels) {
    line = "[\"" + cell.key + "\",";
    wire::append_json(labels, line);
    line += "]\n";
    hash.update(line);
  };
  for (const wire::Cell& cell : cells) {
    add(cell, cell.labels);
    for (const wire::CellLabels& alias : cell.aliases) add(cell, alias);
  }
  return hash.hex();
}

void insert_names(Database& database,
                  std::int64_t plan,
                  std::span<const wire::Cell> cells,
                  const std::vector<std::int64_t>& ids) {
  std::string columns;
  std::string places;
  for (const wire::LabelAxis& axis : wire::kLabelAxes) {
    columns += std::string(", ") + axis.column;
    places += ", ?";
  }
  Statement insert = database.prepare("insert plan_cell",
                                      "INSERT INTO plan_cell(plan_id, place, cell_id, is_alias" +
                                          columns + ") VALUES (?, ?, ?, ?" + places + ")");
  std::int64_t place = 0;
  const auto add = [&](std::int64_t cell, bool is_alias, const wire::CellLabels& l) {
    insert.bind(plan).bind(++place).bind(cell).bind(is_alias);
    for (const wire::LabelAxis& axis : wire::kLabelAxes) {
      std::visit([&](const auto member) { insert.bind(l.*member); }, axis.member);
    }
    insert.run();
  };
  for (std::size_t i = 0; i < cells.size(); ++i) {
    add(ids[i], false, cells[i].labels);
    for (const wire::CellLabels& alias : cells[i].aliases) add(ids[i], true, alias);
  }
}

std::int64_t manifest_of(Database& database, std::int64_t run) {
  Statement find =
      database.prepare("find manifest of run", "SELECT manifest_id FROM run WHERE id = ?");
  find.bind(run);
  return only_integer(find, "run " + std::to_string(run));
}

// A plan that an earlier run of the manifest has stored: then all its cells are registered.
std::optional<std::int64_t> stored_plan(Database& database,
                                        std::int64_t manifest,
                                        const std::string& identity) {
  Statement find =
      database.prepare("find plan", "SELECT id FROM plan WHERE manifest_id = ? AND sha256 = ?");
  if (!find.bind(manifest).bind(identity).step()) return std::nullopt;
  return find.integer(0);
}

std::int64_t insert_plan(Database& database,
                         std::int64_t manifest,
                         const std::string& identity,
                         std::span<const wire::Cell> cells,
                         CellRegister& cell_register) {
  std::vector<std::int64_t> ids;
  ids.reserve(cells.size());
  for (const wire::Cell& cell : cells) ids.push_back(cell_register.add(cell));
  Statement insert = database.prepare(
      "insert plan", "INSERT INTO plan(manifest_id, sha256) VALUES (?, ?) RETURNING id");
  insert.bind(manifest).bind(identity);
  const std::int64_t plan = only_integer(insert, "plan");
  insert_names(database, plan, cells, ids);
  return plan;
}

// What a run finds: 'hit' or 'planned' for a cell ?2, or for all cells of the plan ?2.
std::string how_of(const char* cell, const char* from) {
  return std::string("INSERT INTO run_cell(run_id, cell_id, how) SELECT ?1, ") + cell +
         ", CASE WHEN EXISTS (SELECT 1 FROM attempt WHERE cell_id = " + cell +
         " AND state = 'done') THEN 'hit' ELSE 'planned' END " + from +
         " ON CONFLICT (run_id, cell_id) DO NOTHING";
}

void take_up_plan(Database& database, std::int64_t run, std::int64_t plan) {
  database
      .prepare("insert run_cell of a plan",
               how_of("p.cell_id",
                      "FROM plan_cell p WHERE p.plan_id = ?2 AND NOT p.is_alias ORDER BY "
                      "p.cell_id"))
      .bind(run)
      .bind(plan)
      .run();
}

void take_up(Database& database,
             std::int64_t run,
             std::span<const wire::Cell> chosen,
             CellRegister& cell_register) {
  Statement how = database.prepare("insert run_cell", how_of("?2", "WHERE true"));
  for (const wire::Cell& cell : chosen) how.bind(run).bind(cell_register.id_of(cell)).run();
}

}  // namespace

void Store::register_plan(std::int64_t run,
                          const catalog::Catalog& catalog,
                          std::span<const wire::Cell> cells,
                          std::span<const wire::Cell> chosen) {
  const std::string identity = identity_of(cells);
  impl_->write([&](Database& database) {
    CellRegister cell_register(database, run, catalog);
    const std::int64_t manifest = manifest_of(database, run);
    std::optional<std::int64_t> plan = stored_plan(database, manifest, identity);
    if (plan) {
      for (const wire::Cell& cell : cells) cell_register.see(cell);
    } else {
      plan = insert_plan(database, manifest, identity, cells, cell_register);
    }
    database.prepare("set plan of run", "UPDATE run SET plan_id = ? WHERE id = ?")
        .bind(*plan)
        .bind(run)
        .run();
    if (chosen.size() == cells.size()) {
      take_up_plan(database, run, *plan);
    } else {
      take_up(database, run, chosen, cell_register);
    }
  });
}

void Store::register_cells(std::int64_t run,
                           const catalog::Catalog& catalog,
                           std::span<const wire::Cell> cells) {
  register_plan(run, catalog, cells, cells);
}

}  // namespace unmask::store
