#include "engine/executor.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <span>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "engine/adversarials.hpp"
#include "engine/attack_evaluation.hpp"
#include "engine/checkpoint.hpp"
#include "engine/construct.hpp"
#include "engine/device_memory.hpp"
#include "engine/in_name_of.hpp"
#include "engine/model_state.hpp"
#include "engine/outputs.hpp"
#include "engine/pace.hpp"
#include "engine/plugin_results.hpp"
#include "engine/probe_evaluation.hpp"
#include "engine/remembered_dataset.hpp"
#include "engine/stop_notice.hpp"
#include "engine/weights.hpp"
#include "unmask/errors.hpp"
#include "unmask/random.hpp"
#include "unmask/sha256.hpp"
#include "wire/cell.hpp"
#include "wire/key.hpp"
#include "wire/spec.hpp"

namespace unmask::engine {
namespace {

using nlohmann::json;

at::ScalarType dtype_of(const json& spec) {
  return spec.at("dtype").get_ref<const std::string&>() == "float64" ? at::kDouble : at::kFloat;
}

// Keys are for identity, seeds are for pairing: cells that are compared draw equal numbers, so that
// they differ only where what is compared makes them differ. Hence the seed comes from the data, the
// network and the number that the manifest gives as seed, and not from solver, epsilon or the
// method's parameters. Every purpose derives its own from it.
std::uint64_t seed_of(const json& spec) {
  const json paired = {{"data", spec.at("dataset").at("content")},
                       {"model", spec.at("model")},
                       {"seed", spec.at("seed")}};
  return std::stoull(sha256_hex(paired.dump()).substr(0, 16), nullptr, 16);
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;  // Linux counts in KiB
}

json part_of(const json& spec, const json& locals, const std::string& part) {
  return wire::with_locals(spec.at(part), locals, part);
}

// "model mlp, objective madry, dataset strokes": who may have changed the process besides those
// that are watched at every call.
std::string plugins_of(const json& spec) {
  std::string text;
  for (const char* part : {"model", "objective", "dataset", "solver"}) {
    const auto definition = spec.find(part);
    if (definition == spec.end() || !definition->contains("plugin")) continue;
    text += (text.empty() ? "" : ", ") + std::string(part) + " " +
            definition->at("plugin").get<std::string>();
  }
  return "one of " + text;
}

// A device changes the process itself when it is used first.
std::unique_ptr<ProcessState> process_state_on(const std::string& device) {
  if (device != "cpu") at::zeros({1}, at::TensorOptions().device(device));
  return std::make_unique<ProcessState>();
}

// A data set with what is remembered of it.
std::unique_ptr<Dataset> open_dataset(loader::Registry& registry,
                                      const std::string& plugin,
                                      const json& params) {
  const std::filesystem::path folder = base::cache_folder();
  return remembered(registry.create_dataset(plugin, params),
                    registry.record("dataset", plugin),
                    params,
                    {base::Cache(folder), folder.empty() ? folder : folder / "images"});
}

// For cells of a data set whose plugin took down the process that asked it for the plan, so that
// nobody knows what it holds. Asked the same again it does the same, in a worker whose end is
// recorded; without its content no result has an identity under which it could be stored.
[[noreturn]] void fail_like_when_asked(loader::Registry& registry,
                                       const std::string& plugin,
                                       const json& params) {
  const wire::DatasetFacts facts = dataset_facts(registry, plugin, params);
  if (!facts.problem.empty()) throw DataError(facts.problem);
  throw PluginError("the plugin " + plugin +
                    " took down the process that asked what its data set holds when the run was "
                    "planned, and answers now; it must give the same answer each time");
}

}  // namespace

struct Executor::DataCache {
  std::string id;
  std::unique_ptr<Dataset> dataset;
  DatasetInfo info;
  DataOptions options;
  std::optional<LoadedSplit> train;
  std::optional<LoadedSplit> test;

  const LoadedSplit& split(Split which) {
    std::optional<LoadedSplit>& slot = which == Split::kTrain ? train : test;
    if (!slot) slot = load_split(*dataset, which, options);
    return *slot;
  }

  ModelContext context() const {
    return {info.channels, info.height, info.width, info.num_classes};
  }

  // A few images to look at what a network answers. The key of a training does not say how much of
  // the test split is used, so of that one, where there is nothing to train on, only the first.
  Tensor first_images(at::ScalarType dtype) {
    constexpr std::int64_t kEnough = 100;
    const bool has_training = info.train_count > 0;
    const LoadedSplit& samples = split(has_training ? Split::kTrain : Split::kTest);
    std::vector<std::int64_t> first(
        static_cast<std::size_t>(std::min(has_training ? kEnough : 1, samples.size())));
    std::iota(first.begin(), first.end(), 0);
    return gather_images(samples, first, dtype);
  }
};

struct Executor::NetworkCache {
  std::string checkpoint_sha256;
  std::string id;  // of the model definition and dtype
  std::unique_ptr<Model> model;
  std::unique_ptr<NetworkState> state;
};

Executor::Executor(loader::Registry& registry,
                   std::string device,
                   std::filesystem::path checkpoints)
    : registry_(registry),
      device_(std::move(device)),
      checkpoints_(std::move(checkpoints)),
      process_(process_state_on(device_)),
      network_(std::make_unique<NetworkCache>()),
      source_network_(std::make_unique<NetworkCache>()) {}

Executor::~Executor() = default;

Executor::DataCache& Executor::data_for(const json& spec, const json& locals) {
  const json& definition = spec.at("dataset");
  const std::string id =
      wire::bytes_of(definition) + wire::bytes_of(locals.value("dataset", json::object()));
  if (data_ && data_->id == id) return *data_;
  data_.reset();  // free the old one before loading the new one
  auto cache = std::make_unique<DataCache>();
  cache->id = id;
  const auto plugin = definition.at("plugin").get<std::string>();
  const json params = part_of(spec, locals, "dataset").at("params");
  const auto& planned = definition.at("content").get_ref<const std::string&>();
  if (planned.empty()) fail_like_when_asked(registry_, plugin, params);
  cache->dataset = open_dataset(registry_, plugin, params);
  if (cache->dataset->content_hash() != planned) {
    throw DataError("the data set \"" + plugin +
                    "\" has changed since the run was planned; run again");
  }
  cache->options = DataOptions::from(host_params(registry_.record("dataset", plugin), params));
  cache->info = describe(*cache->dataset, cache->options);
  data_ = std::move(cache);
  return *data_;
}

// @param definition  of the model, with its paths
void Executor::load_network(NetworkCache& cache,
                            const json& definition,
                            const json& spec,
                            const DataCache& data,
                            const wire::CheckpointFile& checkpoint) {
  const std::string id = wire::bytes_of(definition) + wire::bytes_of(spec.at("dtype"));
  if (cache.model && cache.checkpoint_sha256 == checkpoint.sha256 && cache.id == id) {
    cache.state->begin_cell();
    return;
  }
  cache = {};  // free the old one before loading the new one
  auto model = registry_.create_model(
      definition.at("plugin").get<std::string>(), definition.at("params"), data.context());
  model->to(device_, dtype_of(spec));
  const auto load = [this, checkpoint, &network = *model] {
    const TensorFile file = load_checkpoint(checkpoints_, checkpoint);
    load_model_state(network, file.tensors, (checkpoints_ / checkpoint.path).string());
  };
  load();
  model->set_training(false);
  set_trainable(*model, false);
  auto state = std::make_unique<NetworkState>(*model, load);
  cache = {checkpoint.sha256, id, std::move(model), std::move(state)};
}

std::vector<SolverSetup> Executor::gradients_for(const json& spec, const json& locals) {
  std::vector<SolverSetup> result;
  for (const json& solver : wire::solvers_of(part_of(spec, locals, "gradient"))) {
    result.push_back(make_solver(registry_, solver));
  }
  return result;
}

std::vector<NamedSolver> Executor::named_gradients_for(const json& definition, const json& locals) {
  std::vector<NamedSolver> result;
  for (const wire::NamedPart& named : wire::named_gradients_of(definition)) {
    result.push_back(
        {named.name,
         make_solver(registry_, wire::with_locals(named.part, locals, "gradients." + named.name))});
  }
  return result;
}

void Executor::execute_train(const std::string& key,
                             const json& spec,
                             const json& locals,
                             DataCache& data,
                             wire::CellResult& result,
                             const ProgressCallback& progress) {
  const std::uint64_t seed = seed_of(spec);
  const json definition = part_of(spec, locals, "model");
  const std::uint64_t init_seed = derive_seed(seed, "init");
  torch::manual_seed(init_seed);
  auto model = registry_.create_model(
      definition.at("plugin").get<std::string>(), definition.at("params"), data.context());
  model->to(device_, dtype_of(spec));

  const json objective_definition = part_of(spec, locals, "objective");
  const auto objective_id = objective_definition.at("plugin").get<std::string>();
  const auto objective =
      registry_.create_objective(objective_id, objective_definition.at("params"));
  const Params host =
      host_params(registry_.record("objective", objective_id), objective_definition.at("params"));
  const TrainingOptions options = TrainingOptions::from(host);
  if (options.epochs > 0 && model->parameters().empty()) {
    throw ParamError("the model \"" + definition.at("plugin").get<std::string>() +
                     "\" has no weights to train; use it with \"epochs\": 0");
  }
  if (host.has("weights")) load_weights(*model, weights_of(host));
  const SolverSetup solver = make_solver(registry_, part_of(spec, locals, "solver"));
  const StopNotice notice;
  SnapshotPlace place = snapshot_place(checkpoints_, key);
  place.is_stopping = StopNotice::is_raised;
  const TrainingInput input{*model,
                            *objective,
                            solver,
                            data.split(Split::kTrain),
                            data.info.num_classes,
                            device_,
                            dtype_of(spec),
                            derive_seed(seed, "train"),
                            place};
  bool is_stopped = false;
  in_name_of("model " + definition.at("plugin").get<std::string>() + ", objective " + objective_id,
             [&] {
               try {
                 train(input, options, result, progress);
               } catch (const TrainingStopped&) {
                 is_stopped = true;
               }
             });
  if (is_stopped) StopNotice::obey();
  result.seeds["init"] = std::to_string(init_seed);
  result.seeds["train"] = std::to_string(input.seed);
  // Before it is asked again: a network may write into itself.
  const std::vector<NamedTensor> state = model_state(*model);
  describe_outputs(
      *model, solver, data.first_images(dtype_of(spec)).to(device_), data.info.num_classes, result);
  result.checkpoint = save_checkpoint(checkpoints_, state, {{"train_key", key}});
  // The snapshot stays until the host has recorded the result.
}

// Long: what an evaluation is handed refers to objects that live here, until it has ended.
Executor::Executed Executor::execute_evaluation(const std::string& key,
                                                const json& spec,
                                                const json& locals,
                                                DataCache& data,
                                                const CellFiles& files,
                                                const wire::PartOrder& order,
                                                const ProgressCallback& progress) {
  load_network(*network_, part_of(spec, locals, "model"), spec, data, *files.checkpoint);
  LoadedSplit samples = data.split(Split::kTest);
  if (const auto limit = spec.at("samples").get<std::int64_t>(); limit > 0) {
    const std::int64_t count = std::min(limit, samples.size());
    samples = {samples.images.narrow(0, 0, count), samples.labels.narrow(0, 0, count)};
  }
  if (samples.size() == 0) throw DataError("the test split is empty");

  const SolverSetup solver = make_solver(registry_, part_of(spec, locals, "solver"));
  const std::vector<SolverSetup> gradients = gradients_for(spec, locals);
  std::optional<SolverSetup> source_solver;
  std::optional<AttackSource> source;
  if (const auto from = spec.find("source"); from != spec.end()) {
    source_solver =
        make_solver(registry_, wire::with_locals(from->at("solver"), locals, "source.solver"));
    const json definition = wire::with_locals(from->at("model"), locals, "source.model");
    // The same weights under another solver are the network itself.
    if (files.source) load_network(*source_network_, definition, spec, data, *files.source);
    const NetworkCache& seen = files.source ? *source_network_ : *network_;
    source.emplace(
        *seen.model, *source_solver, definition.at("plugin").get<std::string>(), seen.state.get());
  }

  const auto kind = spec.at("kind").get<std::string>();
  const json definition = part_of(spec, locals, kind);
  const std::int64_t canonical = spec.at("batch_size").get<std::int64_t>();
  const std::int64_t wanted = wanted_batch(registry_, kind, definition);
  const bool is_clean = definition.contains("plugin") && definition.at("plugin") == "none";
  const EvaluationInput input{
      .model = *network_->model,
      .solver = solver,
      .gradients = gradients,
      .data = samples,
      .num_classes = data.info.num_classes,
      .batch_size = canonical,
      .method_batch = wanted == 0 ? canonical : wanted,
      .epsilon = spec.at("epsilon").get<double>(),
      .device = device_,
      .dtype = dtype_of(spec),
      .seed = seed_of(spec),
      .graphs = graphs_,
      .source = source,
      .has_checks = !is_clean,
      .named_gradients = named_gradients_for(definition, locals),
      .network = spec.at("model").at("plugin").get<std::string>(),
      .state = network_->state.get(),
  };
  const Pace pace(order, indivisible_because(registry_, kind, definition, files));
  wire::CellPart part;
  Tensor adversarial;
  if (kind == "attack") {
    const auto attack = make_attack(registry_, definition, process_.get());
    AttackEvaluation evaluation(input, *attack, order.first);
    if (files.keeps_adversarials) evaluation.keep_judged();
    part = pace.run(evaluation, progress);
    if (files.keeps_adversarials) adversarial = evaluation.judged();
  } else {
    const auto id = definition.at("plugin").get<std::string>();
    CheckedProbe probe(id, registry_.create_probe(id, definition.at("params")), process_.get());
    ProbeEvaluation evaluation(input, probe, order.first);
    part = pace.run(evaluation, progress);
  }
  part.found.seeds[kind] = std::to_string(derive_seed(input.seed, kind));
  if (!part.is_whole()) return part;
  wire::CellResult result = wire::put_together(std::span(&part, 1));
  if (files.keeps_adversarials) {
    result.adversarials = save_adversarials(
        checkpoints_.parent_path() / "adversarials", key, samples, adversarial, result.outcomes);
  }
  return result;
}

wire::CellResult Executor::execute(const std::string& key,
                                   const json& spec,
                                   const json& locals,
                                   const CellFiles& files,
                                   const ProgressCallback& progress) {
  return std::get<wire::CellResult>(execute(key, spec, locals, files, wire::PartOrder{}, progress));
}

Executor::Executed Executor::execute(const std::string& key,
                                     const json& spec,
                                     const json& locals,
                                     const CellFiles& files,
                                     const wire::PartOrder& order,
                                     const ProgressCallback& progress) {
  try {
    Executed executed = execute_kind(key, spec, locals, files, order, progress);
    process_->restore(plugins_of(spec));
    return executed;
  } catch (...) {
    process_->restore(plugins_of(spec));
    throw;
  }
}

Executor::Executed Executor::execute_kind(const std::string& key,
                                          const json& spec,
                                          const json& locals,
                                          const CellFiles& files,
                                          const wire::PartOrder& order,
                                          const ProgressCallback& progress) {
  UNMASK_CHECK(wire::key_of(spec) == key, "a specification does not have the key it came with");
  const auto start = std::chrono::steady_clock::now();
  const DevicePeak peak(device_);
  Executed executed;
  DataCache& data = data_for(spec, locals);
  if (spec.at("kind") == "train") {
    execute_train(key, spec, locals, data, std::get<wire::CellResult>(executed), progress);
  } else {
    UNMASK_CHECK(files.checkpoint.has_value(), "an evaluation cell came without its checkpoint");
    executed = execute_evaluation(key, spec, locals, data, files, order, progress);
  }
  if (device_ != "cpu") torch::cuda::synchronize(torch::Device(device_).index());
  wire::CellPart* const part = std::get_if<wire::CellPart>(&executed);
  wire::CellResult& result = part != nullptr ? part->found : std::get<wire::CellResult>(executed);
  result.device = device_;
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.peak_bytes = peak_resident_bytes();
  result.device_peak_bytes = peak.bytes();
  return executed;
}

wire::DatasetFacts dataset_facts(loader::Registry& registry,
                                 const std::string& plugin,
                                 const json& params) {
  wire::DatasetFacts facts;
  try {
    const auto dataset = open_dataset(registry, plugin, params);
    const auto options = DataOptions::from(host_params(registry.record("dataset", plugin), params));
    facts.test_count = sample_count(*dataset, Split::kTest, options);
    facts.content_hash = dataset->content_hash();
    facts.remarks = remarks_about_labels(*dataset);
  } catch (const std::exception& error) {
    facts.problem = error.what();
  }
  return facts;
}

}  // namespace unmask::engine
