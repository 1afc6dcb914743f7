#include "plan/planner.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "catalog/host_options.hpp"
#include "unmask/errors.hpp"
#include "unmask/version.hpp"
#include "wire/key.hpp"
#include "wire/spec.hpp"

namespace unmask::plan {
namespace {

using manifest::Definition;
using nlohmann::json;
using wire::SharedMember;
using Members = wire::Spec::Members;

// Turns definitions into members of specifications. Rows share their definitions, so what is made of
// one is made once and shared by all cells that name it.
class SpecMaker {
 public:
  SpecMaker(const catalog::Catalog& catalog, const std::map<std::string, wire::DatasetFacts>& facts)
      : catalog_(catalog), facts_(facts) {}

  // What a definition contributes to a key: plugin, fingerprint of its sources, parameters without
  // paths and with the content of files in place of their names. An ensemble: that of each member,
  // and their names, since what is recorded about them is called after them.
  json spec(const char* kind, const Definition& definition) {
    if (!definition.members.empty()) {
      std::vector<wire::NamedPart> members;
      for (const Definition& member : definition.members) {
        members.push_back({member.name, spec(kind, member)});
      }
      return wire::ensemble_part(std::move(members));
    }
    const catalog::PluginRecord& plugin = record(kind, definition);
    json params = definition.params;
    for (const ParamSpec& param : local_params(plugin)) {
      const auto found = params.find(param.name);
      if (found == params.end()) continue;
      if (param.type == ParamType::kFile) {
        *found = file_identity(found->get<std::string>());
      } else {
        params.erase(found);
      }
    }
    json part = wire::plugin_part(definition.plugin, plugin.fingerprint, std::move(params));
    // Absent where a probe names none, so that such cells keep their keys.
    for (const Definition& solver : definition.gradients) {
      wire::add_named_gradient(part, {solver.name, spec("solver", solver)});
    }
    return part;
  }

  // In what follows a definition is one of the study: it stays where it is.

  const SharedMember& member(const char* kind, const Definition& definition) {
    SharedMember& known = members_[{&definition, kind}];
    if (!known) known = wire::share(kind, spec(kind, definition));
    return known;
  }

  const wire::DatasetFacts& facts(const Definition& dataset) {
    const wire::DatasetFacts*& known = facts_of_[&dataset];
    if (known == nullptr) known = &facts_.at(dataset_id(dataset));
    return *known;
  }

  const SharedMember& evaluation_data(const Definition& definition) {
    SharedMember& known = evaluation_data_[&definition];
    if (!known) known = wire::share("dataset", data(definition));
    return known;
  }

  const SharedMember& training_data(const Definition& definition) {
    SharedMember& known = training_data_[&definition];
    if (known) return known;
    json part = data(definition);
    // How much of the test split is evaluated does not change a training.
    part["params"].erase("test_limit");
    return known = wire::share("dataset", std::move(part));
  }

  const SharedMember& gradient(const std::optional<manifest::GradientChoice>& gradient) {
    std::vector<const Definition*> solvers;
    if (gradient) {
      for (const auto& solver : gradient->solvers) solvers.push_back(&*solver);
    }
    SharedMember& known = gradients_[solvers];
    if (known) return known;
    std::vector<json> parts;
    for (const Definition* solver : solvers) parts.push_back(spec("solver", *solver));
    return known = wire::share("gradient", wire::gradient_part(std::move(parts)));
  }

  const SharedMember& source(const wire::Cell& training, const Definition& solver) {
    SharedMember& known = sources_[{training.key, &solver}];
    if (known) return known;
    return known = wire::share("source",
                               {{"checkpoint", training.key},
                                {"model", training.spec.at("model")},
                                {"solver", spec("solver", solver)}});
  }

  const SharedMember& checkpoint(const wire::Cell& training) {
    SharedMember& known = checkpoints_[training.key];
    if (!known) known = wire::share("checkpoint", training.key);
    return known;
  }

  const SharedMember& seed(std::int64_t value) {
    SharedMember& known = seeds_[value];
    if (!known) known = wire::share("seed", value);
    return known;
  }

  const SharedMember& epsilon(double value) {
    SharedMember& known = radii_[value];
    if (!known) known = wire::share("epsilon", value);
    return known;
  }

  // Where the files and folders of a definition are, under the name of its part of the
  // specification.
  void add_locals(const std::string& part,
                  const char* kind,
                  const Definition& definition,
                  json& locals) {
    const auto [known, is_new] = has_locals_.try_emplace(&definition, false);
    if (is_new) {
      json own = json::object();
      collect_locals(part, kind, definition, own);
      known->second = !own.empty();
    }
    if (known->second) collect_locals(part, kind, definition, locals);
  }

 private:
  json data(const Definition& definition) {
    json part = spec("dataset", definition);
    part["content"] = facts(definition).content_hash;
    return part;
  }

  void collect_locals(const std::string& part,
                      const char* kind,
                      const Definition& definition,
                      json& locals) {
    for (std::size_t i = 0; i < definition.members.size(); ++i) {
      collect_locals(part + "." + std::to_string(i), kind, definition.members[i], locals);
    }
    if (!definition.members.empty()) return;
    for (const Definition& solver : definition.gradients) {
      collect_locals("gradients." + solver.name, "solver", solver, locals);
    }
    json paths = json::object();
    for (const ParamSpec& param : local_params(record(kind, definition))) {
      const auto found = definition.params.find(param.name);
      if (found != definition.params.end()) paths[param.name] = *found;
    }
    if (!paths.empty()) locals[part] = std::move(paths);
  }

  const catalog::PluginRecord& record(const std::string& kind, const Definition& definition) const {
    const catalog::PluginRecord* plugin = catalog_.find(kind, definition.plugin);
    UNMASK_CHECK(plugin != nullptr, kind + " " + definition.plugin + " is not in the catalog");
    return *plugin;
  }

  // The parameters that name something on this machine, the host's own options among them.
  const std::vector<ParamSpec>& local_params(const catalog::PluginRecord& plugin) {
    const auto [found, is_new] = local_params_.try_emplace(&plugin);
    if (is_new) {
      for (ParamSpec& param : catalog::full_table(plugin)) {
        if (param.type == ParamType::kPath || param.type == ParamType::kFile) {
          found->second.push_back(std::move(param));
        }
      }
    }
    return found->second;
  }

  // Every file is read once, however many cells name it.
  const std::string& file_identity(const std::string& file) {
    const auto [found, is_new] = file_identities_.try_emplace(file);
    if (is_new) found->second = wire::identity_of_file(file);
    return found->second;
  }

  const catalog::Catalog& catalog_;
  const std::map<std::string, wire::DatasetFacts>& facts_;
  std::map<const catalog::PluginRecord*, std::vector<ParamSpec>> local_params_;
  std::map<std::string, std::string> file_identities_;
  std::map<const Definition*, const wire::DatasetFacts*> facts_of_;
  std::map<const Definition*, bool> has_locals_;
  std::map<std::pair<const Definition*, std::string_view>, SharedMember> members_;  // by kind
  std::map<const Definition*, SharedMember> evaluation_data_, training_data_;
  std::map<std::vector<const Definition*>, SharedMember> gradients_;
  std::map<std::pair<std::string, const Definition*>, SharedMember> sources_;
  std::unordered_map<std::string, SharedMember> checkpoints_;
  std::unordered_map<std::int64_t, SharedMember> seeds_;
  std::unordered_map<double, SharedMember> radii_;
};

// The members that all cells of a kind have in common.
class Frames {
 public:
  explicit Frames(const manifest::Study& study) : study_(study) {}

  const Members& of(wire::CellKind kind) {
    Members& known = frames_[kind];
    if (!known.empty()) return known;
    known = {wire::share("kind", to_string(kind)),
             wire::share("semantics", wire::kSemantics),
             wire::share("sdk_epoch", kSdkEpoch),
             wire::share("dtype", study_.dtype)};
    // A sum that several threads share is rounded in another order. Absent for one thread, the
    // default, so that such cells keep their keys.
    const int threads = study_.run.threads.value_or(1);
    if (threads > 1) known.push_back(wire::share("threads", threads));
    if (kind == wire::CellKind::kTrain) return known;
    known.push_back(wire::share("samples", study_.eval_samples));
    known.push_back(wire::share("batch_size", study_.eval_batch_size));
    return known;
  }

 private:
  const manifest::Study& study_;
  std::map<wire::CellKind, Members> frames_;
};

wire::CellLabels train_labels(const manifest::TrainRow& row) {
  wire::CellLabels labels;
  labels.dataset = row.dataset->name;
  labels.model = row.model->name;
  labels.objective = row.objective->name;
  labels.train_solver = row.solver->name;
  labels.train_seed = row.seed;
  return labels;
}

wire::Cell train_cell(const manifest::TrainRow& row, Frames& frames, SpecMaker& make) {
  wire::Cell cell;
  cell.kind = wire::CellKind::kTrain;
  Members members = frames.of(cell.kind);
  members.push_back(make.training_data(*row.dataset));
  members.push_back(make.member("model", *row.model));
  members.push_back(make.member("objective", *row.objective));
  members.push_back(make.member("solver", *row.solver));
  members.push_back(make.seed(row.seed));
  cell.spec = wire::Spec(std::move(members));
  cell.key = wire::key_of(cell.spec);
  cell.locals = json::object();
  make.add_locals("dataset", "dataset", *row.dataset, cell.locals);
  make.add_locals("model", "model", *row.model, cell.locals);
  make.add_locals("objective", "objective", *row.objective, cell.locals);
  make.add_locals("solver", "solver", *row.solver, cell.locals);
  cell.labels = train_labels(row);
  cell.timeout_s = row.objective->timeout_s;
  return cell;
}

wire::Spec evaluate_spec(const manifest::EvaluateRow& row,
                         const manifest::TrainRow& trained,
                         const wire::Cell& training,
                         const wire::Cell* source,
                         Frames& frames,
                         SpecMaker& make) {
  Members members = frames.of(row.kind);
  members.push_back(make.checkpoint(training));
  members.push_back(make.evaluation_data(*trained.dataset));
  members.push_back(training.spec.member("model"));
  members.push_back(make.member("solver", *row.solver));
  members.push_back(make.gradient(row.gradient));
  members.push_back(make.member(wire::to_string(row.kind), *row.method));
  members.push_back(make.epsilon(row.epsilon));
  members.push_back(make.seed(row.seed));
  // Absent where images are made on the network itself, so that such cells keep their keys.
  if (source != nullptr) members.push_back(make.source(*source, *row.source->solver));
  return wire::Spec(std::move(members));
}

wire::Cell evaluate_cell(const manifest::Study& study,
                         const manifest::EvaluateRow& row,
                         const wire::Cell& training,
                         const wire::Cell* source,
                         Frames& frames,
                         SpecMaker& make) {
  const manifest::TrainRow& trained = study.train[row.checkpoint];
  wire::Cell cell;
  cell.kind = row.kind;
  const char* const kind = wire::to_string(row.kind);
  cell.spec = evaluate_spec(row, trained, training, source, frames, make);
  cell.key = wire::key_of(cell.spec);
  cell.locals = json::object();
  make.add_locals("dataset", "dataset", *trained.dataset, cell.locals);
  make.add_locals("model", "model", *trained.model, cell.locals);
  make.add_locals("solver", "solver", *row.solver, cell.locals);
  if (row.gradient) {
    const auto& solvers = row.gradient->solvers;
    for (std::size_t i = 0; i < solvers.size(); ++i) {
      make.add_locals(
          wire::part_name("gradient", i, solvers.size()), "solver", *solvers[i], cell.locals);
    }
  }
  if (source != nullptr) {
    const manifest::TrainRow& from = study.train[row.source->checkpoint];
    make.add_locals("source.model", "model", *from.model, cell.locals);
    make.add_locals("source.solver", "solver", *row.source->solver, cell.locals);
  }
  make.add_locals(kind, kind, *row.method, cell.locals);
  // Its own names, not those of a training that computes the same under another name.
  cell.labels = train_labels(trained);
  cell.labels.solver = row.solver->name;
  cell.labels.gradient = row.gradient ? row.gradient->name : "";
  cell.labels.source = row.source ? row.source->name : "";
  cell.labels.method = row.method->name;
  cell.labels.epsilon = row.epsilon;
  cell.labels.epsilon_text = row.epsilon_text;
  cell.labels.seed = row.seed;
  cell.timeout_s = row.method->timeout_s;
  return cell;
}

// Whether a plugin of a specification, or an ensemble as a whole, is this part.
bool has_part(const wire::Spec& spec, const std::string& kind, const json& part) {
  const json* whole = spec.find(kind);
  bool is_there = whole != nullptr && *whole == part;
  wire::for_each_part(spec, [&](const std::string&, const std::string& other, const json& one) {
    is_there = is_there || (other == kind && one == part);
  });
  return is_there;
}

}  // namespace

std::string dataset_id(const Definition& dataset) {
  return dataset.plugin + " " + wire::bytes_of(dataset.params);
}

std::map<std::string, Definition> used_datasets(const manifest::Study& study) {
  std::map<std::string, Definition> result;
  std::unordered_set<const Definition*> seen;
  for (const manifest::TrainRow& row : study.train) {
    if (seen.insert(&*row.dataset).second) result.emplace(dataset_id(*row.dataset), *row.dataset);
  }
  return result;
}

Plan make_plan(const manifest::Study& study,
               const catalog::Catalog& catalog,
               const std::map<std::string, wire::DatasetFacts>& facts,
               const std::vector<EndlessDefinition>& endless) {
  Plan plan;
  SpecMaker make(catalog, facts);
  Frames frames(study);
  for (const manifest::TrainRow& row : study.train) {
    const wire::DatasetFacts& known = make.facts(*row.dataset);
    if (!known.problem.empty()) plan.dataset_problems.emplace(row.dataset->name, known.problem);
  }

  // Definitions of different names may resolve to the same computation: such rows are one cell with
  // several names.
  std::unordered_map<std::string, std::size_t> index_of_key;
  index_of_key.reserve(study.train.size() + study.evaluate.size());
  const auto add = [&](wire::Cell cell) {
    const auto [found, is_new] = index_of_key.emplace(cell.key, plan.cells.size());
    if (is_new) {
      plan.cells.push_back(std::move(cell));
    } else {
      wire::Cell& first = plan.cells[found->second];
      // Of two definitions of one computation the more patient one decides.
      const bool both = first.timeout_s && cell.timeout_s;
      first.timeout_s =
          both ? std::optional(std::max(*first.timeout_s, *cell.timeout_s)) : std::nullopt;
      first.aliases.push_back(std::move(cell.labels));
    }
    return found->second;
  };
  plan.cells.reserve(study.train.size() + study.evaluate.size());
  std::vector<std::size_t> training_of_row;
  for (const manifest::TrainRow& row : study.train) {
    training_of_row.push_back(add(train_cell(row, frames, make)));
    const wire::DatasetFacts& known = make.facts(*row.dataset);
    if (known.is_endless) plan.hopeless[plan.cells[training_of_row.back()].key] = known.deed;
  }
  for (const manifest::EvaluateRow& row : study.evaluate) {
    const std::size_t training = training_of_row.at(row.checkpoint);
    std::optional<std::size_t> source;
    if (row.source) source = training_of_row.at(row.source->checkpoint);
    wire::Cell cell = evaluate_cell(
        study, row, plan.cells[training], source ? &plan.cells[*source] : nullptr, frames, make);
    cell.needs = plan.cells[training].key;
    if (source && source != training) cell.needs_source = plan.cells[*source].key;
    cell.keeps_adversarials = study.keeps_adversarials && cell.kind == wire::CellKind::kAttack;
    add(std::move(cell));
  }
  for (const EndlessDefinition& one : endless) {
    const json part = make.spec(one.kind.c_str(), one.definition);
    for (const wire::Cell& cell : plan.cells) {
      if (has_part(cell.spec, one.kind, part)) plan.hopeless[cell.key] = one.sentence;
    }
  }
  return plan;
}

}  // namespace unmask::plan
