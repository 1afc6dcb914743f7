// Networks from elsewhere, as a user brings them: weights of the reference implementation through
// `unmask import`, and networks that Python traced.

#include <cmath>
#include <cstring>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"

namespace unmask::test::bring_your_own_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// --- safetensors without LibTorch
// -----------------------------------------------------------------

struct RawTensor {
  std::string dtype;
  json shape;
  std::string bytes;

  template <class T>
  std::vector<T> values() const {
    std::vector<T> result(bytes.size() / sizeof(T));
    std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }
};

struct RawFile {
  std::map<std::string, RawTensor> tensors;
  json metadata;
};

RawFile read_raw(const fs::path& path) {
  const std::string bytes = base::read_file(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const json header = json::parse(bytes.substr(8, length));
  RawFile file;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      file.metadata = entry;
      continue;
    }
    const auto begin = entry.at("data_offsets").at(0).get<std::size_t>();
    const auto end = entry.at("data_offsets").at(1).get<std::size_t>();
    file.tensors[name] = {entry.at("dtype").get<std::string>(),
                          entry.at("shape"),
                          bytes.substr(8 + length + begin, end - begin)};
  }
  return file;
}

std::string raw_bytes(const std::map<std::string, RawTensor>& tensors) {
  json header = json::object();
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + text + data;
}

// --- the reference's SONet
// ------------------------------------------------------------------------

const fs::path kGolden = fs::path(UNMASK_TEST_DATA) / "golden/models/sonet4.safetensors";
const char* const kGoldenNames = R"({"state/*": "*", "*": null})";

std::vector<std::string> import_sonet4(const Sandbox& box) {
  return {"import",
          kGolden.string(),
          "--names",
          box.write("names.json", kGoldenNames).string(),
          "--model",
          "sonet",
          "--params",
          "channels=4",
          "blocks=[1,1,1,1]",
          "strides=[1,2,2,2]",
          "--input-shape",
          "3,32,32",
          "--classes",
          "10",
          "--output",
          box.path("imported").string(),
          "--name",
          "reference"};
}

// The definitions that `unmask import` printed.
json snippet(const Outcome& outcome) {
  return json::parse("{" + outcome.out + "}", nullptr, true, /*ignore_comments=*/true);
}

// Logits [N][K] that the probe `logits` stored, by solver.
std::map<std::string, std::vector<double>> stored_logits(const Sandbox& box) {
  const store::Store store = store::Store::open_reader(box.database());
  const table::Table table =
      store::run_query(store,
                       "SELECT c.solver, s.value FROM sample_metric s JOIN cells c ON c.cell_id = "
                       "s.cell_id WHERE s.name LIKE 'logit~_%' ESCAPE '~' "
                       "ORDER BY c.solver, s.sample, CAST(substr(s.name, 7) AS INTEGER)");
  std::map<std::string, std::vector<double>> result;
  for (const auto& row : table.rows) {
    result[std::get<std::string>(row[0])].push_back(std::get<double>(row[1]));
  }
  return result;
}

double relative_distance(const std::vector<double>& ours, const std::vector<double>& reference) {
  EXPECT_EQ(ours.size(), reference.size());
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < std::min(ours.size(), reference.size()); ++i) {
    difference += (ours[i] - reference[i]) * (ours[i] - reference[i]);
    norm += reference[i] * reference[i];
  }
  return std::sqrt(difference / norm);
}

// Runs the imported network under every solver of the reference file, and gives the distances of
// its logits from the float64 reference, by variant.
std::map<std::string, double> golden_distances(const Sandbox& box, const std::string& dtype) {
  const Outcome import = box.unmask(import_sonet4(box));
  EXPECT_EQ(import.code, 0) << import.err;
  const RawFile golden = read_raw(kGolden);
  box.write(
      "images.safetensors",
      raw_bytes({{"images", golden.tensors.at("input")}, {"labels", golden.tensors.at("labels")}}));
  json manifest = {
      {"version", 1},
      {"dtype", dtype},
      {"define", snippet(import)},
      {"train",
       {{"add",
         {{{"dataset", "images"},
           {"model", "reference"},
           {"objective", "reference"},
           {"solver", "any"}}}}}},
      {"evaluate",
       {{"matrix", {{"checkpoint", {"*"}}, {"solver", {"*", "!any"}}, {"probes", {"logits"}}}}}}};
  json& define = manifest["define"];
  define["dataset"] = {
      {"images",
       {{"plugin", "tensors"}, {"params", {{"file", "images.safetensors"}, {"num_classes", 10}}}}}};
  define["probe"] = {{"logits", {{"plugin", "logits"}}}};
  define["solver"]["any"] = {{"plugin", "euler"}};
  std::map<std::string, std::string> variants;  // name of the solver in the manifest -> variant
  const json facts = json::parse(golden.metadata.at("variants").get<std::string>());
  for (const auto& [variant, fact] : facts.items()) {
    const std::string name = std::regex_replace(variant, std::regex("@"), "_");
    variants[name] = variant;
    define["solver"][name] = {{"plugin", fact.at("solver")},
                              {"params", {{"rtol", fact.at("rtol")}, {"atol", fact.at("atol")}}}};
  }

  const Outcome run = box.run(box.write("study.json", manifest.dump()));

  EXPECT_EQ(run.code, 0) << run.err;
  std::map<std::string, double> distances;
  for (const auto& [name, logits] : stored_logits(box)) {
    const std::string& variant = variants.at(name);
    distances[variant] =
        relative_distance(logits, golden.tensors.at(variant + "/f64/logits").values<double>());
  }
  EXPECT_EQ(distances.size(), variants.size());
  return distances;
}

TEST(Import, AReferenceCheckpointGivesTheReferenceLogitsInFloat64) {
  const Sandbox box;

  // tests/data/golden/models/README.md: 1e-8.
  for (const auto& [variant, distance] : golden_distances(box, "float64")) {
    EXPECT_LE(distance, 1e-8) << variant;
  }
}

TEST(Import, AReferenceCheckpointGivesTheReferenceLogitsInFloat32) {
  const Sandbox box;
  const json facts = json::parse(read_raw(kGolden).metadata.at("variants").get<std::string>());

  // tests/data/golden/models/README.md: 10 noise + 1e-5.
  for (const auto& [variant, distance] : golden_distances(box, "float32")) {
    EXPECT_LE(distance, 10 * facts.at(variant).at("noise").at("logits").get<double>() + 1e-5)
        << variant;
  }
}

TEST(Import, WritesTheTensorsUnchangedUnderTheModelsNames) {
  const Sandbox box;

  ASSERT_EQ(box.unmask(import_sonet4(box)).code, 0);

  const RawFile golden = read_raw(kGolden);
  const RawFile written = read_raw(box.path("imported/reference.safetensors"));
  ASSERT_FALSE(written.tensors.empty());
  for (const auto& [name, tensor] : written.tensors) {
    EXPECT_EQ(tensor.bytes, golden.tensors.at("state/" + name).bytes) << name;
  }
}

TEST(Import, AgainLeavesTheFileAlone) {
  const Sandbox box;
  ASSERT_EQ(box.unmask(import_sonet4(box)).code, 0);
  const auto before = fs::last_write_time(box.path("imported/reference.safetensors"));

  EXPECT_EQ(box.unmask(import_sonet4(box)).code, 0);
  EXPECT_EQ(fs::last_write_time(box.path("imported/reference.safetensors")), before);
}

TEST(Import, DoesNotReplaceOtherWeights) {
  const Sandbox box;
  fs::create_directory(box.path("imported"));
  box.write("imported/reference.safetensors", "something else");

  const Outcome outcome = box.unmask(import_sonet4(box));

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("--name"));
}

TEST(Import, ListsEverythingThatDoesNotFitAndWritesNothing) {
  const Sandbox box;
  std::vector<std::string> arguments = import_sonet4(box);
  std::replace(arguments.begin(),
               arguments.end(),
               std::string("blocks=[1,1,1,1]"),
               std::string("blocks=[1,1,1,2]"));
  std::replace(arguments.begin(), arguments.end(), std::string("10"), std::string("7"));

  const Outcome outcome = box.unmask(arguments);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(
      outcome.err,
      AllOf(HasSubstr("missing: layer4.1.odefunc.kernel"), HasSubstr("shape: linear.odefunc")));
  EXPECT_FALSE(fs::exists(box.path("imported")));
}

TEST(Import, WithoutATableShowsTheOneThatWouldHelp) {
  const Sandbox box;
  std::vector<std::string> arguments = import_sonet4(box);
  arguments.erase(arguments.begin() + 2, arguments.begin() + 4);

  const Outcome outcome = box.unmask(arguments);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr(R"({"state/*": "*"})"));
}

TEST(Import, ChecksParametersByTheRulesOfManifests) {
  const Sandbox box;
  std::vector<std::string> arguments = import_sonet4(box);
  std::replace(
      arguments.begin(), arguments.end(), std::string("channels=4"), std::string("chanels=4"));

  const Outcome outcome = box.unmask(arguments);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(
      outcome.err,
      AllOf(HasSubstr("--params:2:2: error[M016]"), HasSubstr("did you mean \"channels\"?")));
}

TEST(Import, SaysWhatIsWrongWithTheCommandLine) {
  const Sandbox box;
  const std::vector<std::string> good = import_sonet4(box);
  const auto with = [&](const std::string& old, const std::string& other) {
    std::vector<std::string> arguments = good;
    std::replace(arguments.begin(), arguments.end(), old, other);
    return box.unmask(arguments);
  };

  EXPECT_EQ(with("3,32,32", "3,32").code, 2);
  EXPECT_EQ(with("10", "none").code, 2);
  EXPECT_EQ(with("reference", "a/b").code, 2);
  EXPECT_EQ(with("channels=4", "channels").code, 2);
  EXPECT_EQ(with("sonet", "sonett").code, 4);
  EXPECT_THAT(with("sonet", "sonett").err, HasSubstr("did you mean \"sonet\"?"));
  EXPECT_EQ(with(kGolden.string(), "/no/such/file").code, 3);
  EXPECT_EQ(box.unmask({"import", "--help"}).code, 0);
}

// --- files in manifests
// ---------------------------------------------------------------------------

std::string with_weights(const std::string& weights) {
  return R"({ "version": 1, "define": {
    "dataset":   { "strokes": { "plugin": "strokes", "params": { "train_count": 20, "test_count": 20 } } },
    "model":     { "linear": { "plugin": "linear" } },
    "objective": { "imported": { "plugin": "cross_entropy",
                                 "params": { "epochs": 0, "weights": ")" +
         weights + R"(" } } },
    "solver":    { "none": { "plugin": "euler" } } },
  "train": { "add": [ { "dataset": "strokes", "model": "linear", "objective": "imported", "solver": "none" } ] } })";
}

// A linear classifier of strokes.
std::string linear_weights(float value) {
  std::vector<float> weight(4000, value);
  const std::vector<float> bias(10, value);
  const auto bytes = [](const std::vector<float>& values) {
    std::string result(values.size() * sizeof(float), '\0');
    std::memcpy(result.data(), values.data(), result.size());
    return result;
  };
  return raw_bytes({{"linear.weight", {"F32", {10, 400}, bytes(weight)}},
                    {"linear.bias", {"F32", {10}, bytes(bias)}}});
}

std::string key_of_training(const Sandbox& box, const fs::path& manifest) {
  const Outcome outcome =
      box.unmask({"plan", manifest.string(), "--db", box.database().string(), "--format", "json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return json::parse(outcome.out).at("cells").at(0).at("key").get<std::string>();
}

TEST(Files, AMissingOneIsReportedWithItsPlaceInTheManifest) {
  const Sandbox box;
  const std::string manifest = box.write("study.json", with_weights("none.safetensors")).string();

  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"check", manifest},
        std::vector<std::string>{"run", manifest, "--db", box.database().string()}}) {
    const Outcome outcome = box.unmask(command);

    EXPECT_EQ(outcome.code, 3);
    EXPECT_THAT(
        outcome.err,
        AllOf(HasSubstr("study.json:5:70: error[M001]"), HasSubstr("there is no such file")));
  }
}

TEST(Files, OfAnotherFormatAreRefusedBeforeAnythingRuns) {
  const Sandbox box;
  box.write("net.safetensors", "no tensors");

  const Outcome outcome =
      box.unmask({"check", box.write("study.json", with_weights("net.safetensors")).string()});

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(
      outcome.err,
      AllOf(HasSubstr("objective \"imported\""), HasSubstr("not a usable safetensors file")));
}

TEST(Files, KeysFollowTheContentAndNotTheName) {
  const Sandbox box;
  box.write("a.safetensors", linear_weights(1));
  box.write("b.safetensors", linear_weights(1));
  box.write("c.safetensors", linear_weights(2));
  const auto key = [&](const std::string& name) {
    return key_of_training(box, box.write(name + ".json", with_weights(name + ".safetensors")));
  };

  EXPECT_EQ(key("a"), key("b"));
  EXPECT_NE(key("a"), key("c"));
}

TEST(Files, WeightsThatDoNotFitFailTheTrainingWithTheWholeList) {
  const Sandbox box;
  box.write("net.safetensors", raw_bytes({{"linear.weight", {"F32", {1}, "1234"}}}));

  const Outcome outcome = box.run(box.write("study.json", with_weights("net.safetensors")));

  EXPECT_EQ(outcome.code, 1);
  const std::string failure = box.ask("SELECT message FROM failures");
  EXPECT_THAT(failure, AllOf(HasSubstr("shape: linear.weight"), HasSubstr("missing: linear.bias")));
}

// --- Python
// ---------------------------------------------------------------------------------------

const char* const kPython = "/usr/bin/python3";

bool has_torch() {
  static const bool kFound =
      base::run_child({kPython, "-c", "import torch"}, 100).status.is_success();
  return kFound;
}

#define SKIP_WITHOUT_TORCH()                                                            \
  if (!has_torch()) {                                                                   \
    GTEST_SKIP() << kPython << " has no module torch (Debian's package python3-torch)"; \
  }                                                                                     \
  static_assert(true)

// Runs a program in the folder of the sandbox.
void run_python(const Sandbox& box, const std::string& program) {
  const fs::path script = box.write(
      "program.py", "import os\nos.chdir(" + json(box.path("").string()).dump() + ")\n" + program);
  const base::ChildOutput child = base::run_child({kPython, script.string()}, 100);
  ASSERT_TRUE(child.status.is_success()) << child.err;
}

std::string replaced(std::string text, const std::string& word, const std::string& by) {
  for (std::size_t at = text.find(word); at != std::string::npos;
       at = text.find(word, at + by.size())) {
    text.replace(at, word.size(), by);
  }
  return text;
}

// A program that writes net.pt: 20 x 20 images through a small convolutional network, then through
// `last`, a function of its logits z. Batch normalisation has running statistics, two layers share
// their weights, a buffer holds integers. It also writes images.safetensors, 40 images with labels
// that the network gets right, and logits.json, what eager Python makes of them in both precisions.
std::string network(const std::string& last = "z",
                    const std::string& save = "torch.jit.trace(net, images[:2])",
                    const std::string& classes = "10") {
  const std::string program = R"(
import copy, json, struct, torch
torch.manual_seed(1)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 4, 3, 2)
        self.bn = torch.nn.BatchNorm2d(4)
        self.linear = torch.nn.Linear(324, CLASSES)
        self.same = torch.nn.Linear(324, CLASSES)
        self.same.weight = self.linear.weight
        self.register_buffer("order", torch.arange(324))
    def logits(self, x):
        y = self.bn(self.conv(x)).relu().flatten(1).index_select(1, self.order)
        return 5 * (self.linear(y) + self.same(y))
    def forward(self, x):
        z = self.logits(x)
        return LAST
net = Net()
images = torch.rand(40, 1, 20, 20)
net(images)
net.eval()
torch.jit.save(SAVE, "net.pt")
with torch.no_grad():
    logits = {"float32": net.logits(images), "float64": copy.deepcopy(net).double().logits(images.double())}
json.dump({k: v.double().flatten().tolist() for k, v in logits.items()}, open("logits.json", "w"))
blobs = [images.numpy().tobytes(), logits["float32"].argmax(1).clamp(max=9).numpy().tobytes()]
ends = [len(blobs[0]), len(blobs[0]) + len(blobs[1])]
head = json.dumps({"images": {"dtype": "F32", "shape": [40, 1, 20, 20], "data_offsets": [0, ends[0]]},
                   "labels": {"dtype": "I64", "shape": [40], "data_offsets": ends}}).encode()
open("images.safetensors", "wb").write(struct.pack("<Q", len(head)) + head + blobs[0] + blobs[1])
)";
  return replaced(replaced(replaced(program, "LAST", last), "SAVE", save), "CLASSES", classes);
}

// A manifest that attacks net.pt.
json study(const json& params = json::object(), const std::string& dtype = "float32") {
  json manifest = json::parse(R"({ "version": 1, "define": {
    "dataset":   { "images": { "plugin": "tensors",
                               "params": { "file": "images.safetensors", "num_classes": 10 } } },
    "model":     { "brought": { "plugin": "torchscript", "params": { "file": "net.pt" } } },
    "objective": { "as_it_is": { "plugin": "cross_entropy",
                                 "params": { "epochs": 0, "batch_size": 20 } } },
    "solver":    { "none": { "plugin": "euler" } },
    "attack":    { "pgd": { "plugin": "pgd", "params": { "steps": 5, "step_size": "${epsilon}/4" } } },
    "probe":     { "logits": { "plugin": "logits" } } },
  "train": { "add": [ { "dataset": "images", "model": "brought", "objective": "as_it_is",
                        "solver": "none" } ] },
  "evaluate": { "batch_size": 20, "matrix": { "attack": ["pgd"], "epsilon": ["16/255"],
                                              "clean": true, "probes": ["logits"] } } })");
  manifest["dtype"] = dtype;
  manifest["define"]["model"]["brought"]["params"].update(params);
  return manifest;
}

Outcome run_study(const Sandbox& box, const json& manifest) {
  return box.run(box.write("study.json", manifest.dump()));
}

// The messages of the cells that failed.
std::string failures(const Sandbox& box) {
  return box.ask("SELECT message FROM failures");
}

std::vector<double> logits_of_python(const Sandbox& box, const std::string& dtype) {
  return json::parse(base::read_file(box.path("logits.json"))).at(dtype).get<std::vector<double>>();
}

TEST(TorchScript, ATracedNetworkIsAttackedThroughAManifest) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  run_python(box, network());

  const Outcome outcome = run_study(box, study());

  ASSERT_EQ(outcome.code, 0) << outcome.err << failures(box);
  EXPECT_EQ(box.ask("SELECT attack, clean_accuracy FROM accuracy ORDER BY attack"),
            "clean,1\npgd,1\n");
  // Labels are the network's own answers on noise: there is nothing robust about them.
  EXPECT_EQ(box.ask("SELECT robust_accuracy < 0.5 FROM accuracy WHERE attack = 'pgd'"), "1\n");
  EXPECT_THAT(outcome.err, Not(HasSubstr("warning")));
}

TEST(TorchScript, ComputesWhatPythonComputes) {
  SKIP_WITHOUT_TORCH();
  // The same operations of the same library in batches of another size: a few roundings apart, in
  // sums of 324 terms; 324 * 2^-24 = 2e-5 and 324 * 2^-53 = 4e-14.
  for (const auto& [dtype, allowed] :
       std::map<std::string, double>{{"float32", 2e-5}, {"float64", 4e-14}}) {
    const Sandbox box;
    run_python(box, network());

    ASSERT_EQ(run_study(box, study(json::object(), dtype)).code, 0) << failures(box);

    EXPECT_LE(relative_distance(stored_logits(box).at("none"), logits_of_python(box, dtype)),
              allowed)
        << dtype;
  }
}

TEST(TorchScript, AScriptedNetworkIsTrainedFurther) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  run_python(box, network("z", "torch.jit.script(net)"));
  json manifest = study();
  manifest["define"]["objective"]["as_it_is"]["params"]["epochs"] = 2;

  const Outcome outcome = run_study(box, manifest);

  ASSERT_EQ(outcome.code, 0) << outcome.err << failures(box);
  EXPECT_GT(relative_distance(stored_logits(box).at("none"), logits_of_python(box, "float32")),
            1e-3);
}

TEST(TorchScript, ProbabilitiesTakenForLogitsAreReported) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  run_python(box, network("z.softmax(1)"));

  const Outcome first = run_study(box, study());
  const Outcome again = run_study(box, study());

  EXPECT_EQ(first.code, 0) << first.err << failures(box);
  EXPECT_THAT(first.err, HasSubstr("warning: the model \"brought\" answers with probabilities"));
  EXPECT_THAT(again.err, HasSubstr("warning: the model \"brought\" answers with probabilities"))
      << "also when the training was stored before";
  EXPECT_EQ(box.ask("SELECT value FROM metric WHERE name = 'output_is_probability'"), "1\n");
}

TEST(TorchScript, DeclaredProbabilitiesBecomeLogits) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  run_python(box, network("z.softmax(1)"));

  const Outcome outcome = run_study(box, study({{"output", "softmax"}}, "float64"));

  ASSERT_EQ(outcome.code, 0) << outcome.err << failures(box);
  EXPECT_THAT(outcome.err, Not(HasSubstr("warning")));
  // log softmax(z) = z - log sum exp z: rows differ from z by one number each.
  std::vector<double> ours = stored_logits(box).at("none");
  std::vector<double> python = logits_of_python(box, "float64");
  for (std::vector<double>* values : {&ours, &python}) {
    ASSERT_EQ(values->size(), 400u);
    for (std::size_t row = 0; row < 40; ++row) {
      const double first = (*values)[10 * row];
      for (std::size_t k = 0; k < 10; ++k) (*values)[10 * row + k] -= first;
    }
  }
  // A probability p has a relative error of some 2^-52 after rounding, whatever its size.
  EXPECT_LE(relative_distance(ours, python), 1e-12);
}

TEST(TorchScript, NormalisesPixels) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  run_python(box, network("z + 0 * x.sum()", "torch.jit.trace(net, images[:2])") + R"(
class Wants255(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net
    def forward(self, x):
        return self.net((x + 127.5) / 255)
torch.jit.save(torch.jit.trace(Wants255(), images[:2]), "net.pt")
)");

  // x -> (x - 0.5) * 255, which the wrapper undoes.
  ASSERT_EQ(run_study(box, study({{"mean", {0.5}}, {"std", {"1/255"}}}, "float64")).code, 0)
      << failures(box);

  // A few roundings of 2^-53 on the way there and back, as far as the network amplifies them.
  EXPECT_LE(relative_distance(stored_logits(box).at("none"), logits_of_python(box, "float64")),
            1e-11);
}

TEST(TorchScript, ANetworkOfBuffersAloneIsAttackedAndNotTrained) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  const std::string buffers = R"(
class Buffers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.randn(10, 400))
    def forward(self, x):
        return x.flatten(1) @ self.weight.t()
torch.jit.save(torch.jit.script(Buffers()), "net.pt")
)";
  run_python(box, network() + buffers);
  json training = study();
  training["define"]["objective"]["as_it_is"]["params"]["epochs"] = 1;

  EXPECT_EQ(run_study(box, study()).code, 0) << failures(box);
  EXPECT_EQ(run_study(box, training).code, 1);
  EXPECT_THAT(failures(box), HasSubstr("has no weights to train"));
}

TEST(TorchScript, WhatIsNoClassifierEndsItsTrainingWithOneMessage) {
  SKIP_WITHOUT_TORCH();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {network("z", "torch.jit.trace(net, images[:2])", "12"), "tells 12 classes apart"},
      {network("(z, x)"), "gives a Tuple instead of one tensor"},
      {network("z.argmax(1, keepdim=True) + torch.zeros(10, dtype=torch.int64)"),
       "numbers of the type Long"},
      {network("z.unsqueeze(2)"), "gives [40, 10, 1]"},
      {network("z[:, :1]"), "gives one number for an image"},
      {network("z") + R"(
class Picky(torch.nn.Module):
    def forward(self, x):
        if x.size(0) != 1: raise Exception("one image at a time")
        return x.flatten(1)
torch.jit.save(torch.jit.script(Picky()), "net.pt")
)",
       "Exception: one image at a time"},
      {network("z") + "\ntorch.save(net.state_dict(), 'net.pt')\n", "it is what torch.save writes"},
      {network("z") + "\nopen('net.pt', 'w').write('text')\n", "it is no zip archive"},
      {network("z") + "\nb = bytearray(open('net.pt', 'rb').read())\n"
                      "b[len(b) // 2] ^= 1\nopen('net.pt', 'wb').write(b)\n",
       "is no usable TorchScript archive"},
      {network("z") +
           "\nflat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10))\n"
           "torch.jit.save(torch.jit.trace(flat, torch.rand(2, 3, 32, 32)), 'net.pt')\n",
       "fails on a batch [40, 1, 20, 20]"},
  };
  // One program and one study for all: loading LibTorch takes longer than what is tested.
  std::string programs;
  json manifest = study();
  json& models = manifest["define"]["model"];
  const json brought = models.at("brought"), training = manifest["train"]["add"].at(0);
  models.clear();
  manifest["train"]["add"].clear();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string name = "case" + std::to_string(i), file = name + "/net.pt";
    programs +=
        cases.at(i).first + "\nos.mkdir('" + name + "')\nos.rename('net.pt', '" + file + "')\n";
    models[name] = brought;
    models[name]["params"]["file"] = file;
    manifest["train"]["add"].push_back(training);
    manifest["train"]["add"].back()["model"] = name;
  }
  const Sandbox box;
  run_python(box, programs);

  EXPECT_EQ(run_study(box, manifest).code, 1);

  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string text =
        box.ask("SELECT message FROM failures WHERE model = 'case" + std::to_string(i) + "'");
    EXPECT_THAT(text, HasSubstr(cases.at(i).second));
    EXPECT_THAT(text, HasSubstr("net.pt"));
    EXPECT_THAT(text, Not(HasSubstr("Traceback"))) << "one clear message, no traceback";
  }
}

TEST(TorchScript, LogitsDeclaredAsProbabilitiesAreRefused) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  run_python(box, network());

  EXPECT_EQ(run_study(box, study({{"output", "softmax"}})).code, 1);
  EXPECT_THAT(failures(box), HasSubstr("which are no probabilities"));
}

// --- docs/bring-your-own.md
// -----------------------------------------------------------------------

// All blocks of one language of the page, in order.
std::vector<std::string> blocks(const std::string& language) {
  const std::string page =
      base::read_file(std::string(UNMASK_SOURCE_DIR) + "/docs/bring-your-own.md");
  const std::string fence = "```" + language + "\n";
  std::vector<std::string> result;
  for (std::size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at)) {
    at += fence.size();
    result.push_back(page.substr(at, page.find("```", at) - at));
  }
  return result;
}

std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

TEST(BringYourOwn, ThePageDoesWhatItSays) {
  SKIP_WITHOUT_TORCH();
  const Sandbox box;
  const std::vector<std::string> python = blocks("python");
  const std::vector<std::string> manifests = blocks("json");
  const std::vector<std::string> shell = blocks("sh");
  ASSERT_EQ(python.size(), 3u);
  ASSERT_EQ(manifests.size(), 2u);
  ASSERT_EQ(shell.size(), 3u);
  run_python(box,
             "import torch\ntorch.manual_seed(1)\nmodel = " + blocks("").front() + R"(
images = torch.rand(30, 3, 32, 32)
labels = model(images).argmax(1)
)" + python[0] + python[1] +
                 python[2]);
  const fs::path names = box.write("names.json", manifests[0]);
  const fs::path manifest = box.write("study.json", manifests[1]);

  std::vector<std::string> import = words(shell[0]);
  ASSERT_THAT(import, ::testing::Contains("net.safetensors"));
  import.erase(import.begin());  // unmask
  std::replace(import.begin(),
               import.end(),
               std::string("net.safetensors"),
               box.path("net.safetensors").string());
  std::replace(import.begin(), import.end(), std::string("names.json"), names.string());
  import.insert(import.end(), {"--output", box.path("imported").string()});
  const Outcome imported = box.unmask(import);
  const Outcome outcome = box.run(manifest);

  EXPECT_EQ(imported.code, 0) << imported.err;
  EXPECT_EQ(snippet(imported).at("model").at("net").at("plugin"), "mlp");
  ASSERT_EQ(outcome.code, 0) << outcome.err << failures(box);
  EXPECT_EQ(box.ask("SELECT DISTINCT clean_accuracy FROM accuracy"), "1\n");
  // "They are the same network here, so their numbers agree."
  const std::string accuracies =
      box.ask("SELECT DISTINCT robust_correct FROM accuracy WHERE attack = 'pgd'");
  EXPECT_EQ(std::count(accuracies.begin(), accuracies.end(), '\n'), 1) << accuracies;
  EXPECT_EQ(shell[2], "unmask run study.json\nunmask query accuracy\n");

  std::vector<std::string> judge = words(shell[1]);
  ASSERT_THAT(judge,
              ::testing::ElementsAre("unmask",
                                     "judge",
                                     "net.pt",
                                     "--data",
                                     "images.safetensors",
                                     "--classes",
                                     "10",
                                     "--epsilon",
                                     "8/255"));
  judge.erase(judge.begin());
  judge[1] = box.path("net.pt").string();
  judge[3] = box.path("images.safetensors").string();
  judge.insert(judge.end(), {"--db", box.database().string(), "--progress", "none"});
  const Outcome judged = box.unmask(judge);
  EXPECT_EQ(judged.code, 0) << judged.err;
  // An untrained network is honest.
  EXPECT_THAT(judged.out, ::testing::StartsWith("net: not detected\n"));
}

}  // namespace
}  // namespace unmask::test::bring_your_own_test
