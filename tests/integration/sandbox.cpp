#include "integration/sandbox.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "store/queries.hpp"
#include "store/store.hpp"
#include "table/table.hpp"

namespace unmask::test {
namespace {

namespace fs = std::filesystem;

const std::string kExecutable = std::string(UNMASK_BINARY_DIR) + "/bin/unmask";

}  // namespace

std::string small_manifest() {
  return R"({
  "version": 1, "name": "small",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 100, "test_count": 40 } } },
    "model": {
      "plain": { "plugin": "resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } },
      "ode":   { "plugin": "so_resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } }
    },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 2, "batch_size": 25, "learning_rate": 0.05 } } },
    "solver": {
      "rk4":   { "plugin": "rk4" },
      "bosh3": { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1, "step_gradient": "full" } }
    },
    "attack": {
      "pgd":   { "plugin": "pgd", "params": { "steps": 3, "step_size": "${epsilon}/2" } },
      "noise": { "plugin": "random_noise", "params": { "repeats": 3 } }
    },
    "probe": { "norms": { "plugin": "gradient_norm" } }
  },
  "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["bosh3"], "seed": [0] } },
  "evaluate": {
    "samples": 20, "batch_size": 10,
    "matrix": { "checkpoint": ["*"], "solver": ["@train", "rk4"], "attack": ["*"], "epsilon": ["8/255"],
                "seed": [0], "gradient": ["@eval", "rk4"], "clean": true, "probes": ["norms"] }
  }
}
)";
}

Sandbox::Sandbox()
    : folder_("unmask-integration-"),
      environment_({std::string("UNMASK_CACHE_DIR=") + UNMASK_BINARY_DIR + "/test-cache"}) {}

fs::path Sandbox::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name)) << text;
  return path(name);
}

Outcome Sandbox::unmask(const std::vector<std::string>& arguments) const {
  std::vector<std::string> argv = {kExecutable};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const base::ChildOutput child = base::run_child(argv, 250, std::size_t{16} << 20, environment_);
  return {child.status.exit_code.value_or(-1), child.out, child.err};
}

Outcome Sandbox::run(const fs::path& manifest, const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {
      "run", manifest.string(), "--db", database().string(), "--progress", "none"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return unmask(arguments);
}

std::string Sandbox::results() const {
  return results_of(database());
}

std::string Sandbox::results_of(const fs::path& database) {
  const store::Store store = store::Store::open_reader(database);
  std::string text;
  for (const char* sql : {
           "SELECT c.key, c.kind, c.spec_json FROM cell c ORDER BY c.key",
           "SELECT c.key, p.sha256, p.bytes FROM checkpoint p JOIN cell c ON c.id = p.cell_id "
           "ORDER BY c.key",
           "SELECT c.key, o.sample, o.label, o.clean_prediction, o.prediction, o.distance, "
           "o.queries "
           "FROM sample_outcome o JOIN cell c ON c.id = o.cell_id ORDER BY c.key, o.sample",
           "SELECT c.key, m.name, m.value, m.flag, m.n FROM metric m JOIN cell c ON c.id = "
           "m.cell_id "
           "ORDER BY c.key, m.name",
           "SELECT c.key, s.* FROM solve_stats s JOIN cell c ON c.id = s.cell_id ORDER BY c.key, "
           "s.phase, s.solve",
       }) {
    // Ids depend on the order of registration, which is the same for the same manifest.
    text += table::to_text(store::run_query(store, sql), table::Format::kCsv);
  }
  return text;
}

std::string Sandbox::ask(const std::string& sql) const {
  const store::Store store = store::Store::open_reader(database());
  const std::string csv = table::to_text(store::run_query(store, sql), table::Format::kCsv);
  return csv.substr(csv.find('\n') + 1);
}

WatchedRun::WatchedRun(const Sandbox& sandbox,
                       const fs::path& manifest,
                       const std::vector<std::string>& more)
    : WatchedRun(sandbox, [&] {
        std::vector<std::string> arguments = {
            "run", manifest.string(), "--db", sandbox.database().string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
      }()) {}

WatchedRun::WatchedRun(const Sandbox& sandbox, const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  out_.reset(ends[0]);
  const base::UniqueFd write_end(ends[1]);
  base::ChildSpec spec;
  spec.argv = {kExecutable};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.argv.insert(spec.argv.end(), {"--progress", "json"});
  spec.env = sandbox.environment();
  spec.fds = {{write_end.get(), 1}};
  pid_ = base::spawn(spec);
}

WatchedRun::~WatchedRun() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

nlohmann::json WatchedRun::wait_for(const std::string& event) {
  for (;;) {
    for (std::size_t end = buffer_.find('\n'); end != std::string::npos; end = buffer_.find('\n')) {
      nlohmann::json line = nlohmann::json::parse(buffer_.substr(0, end));
      buffer_.erase(0, end + 1);
      if (line.at("event") == event) return line;
    }
    char bytes[4096];
    const ssize_t n = ::read(out_.get(), bytes, sizeof bytes);
    if (n <= 0) throw std::runtime_error("the run ended before the event " + event);
    buffer_.append(bytes, static_cast<std::size_t>(n));
  }
}

base::ExitStatus WatchedRun::wait() {
  char bytes[4096];
  while (::read(out_.get(), bytes, sizeof bytes) > 0) {
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return base::exit_status(status);
}

std::string with_attack(const std::string& definition) {
  std::string text = small_manifest();
  const std::string place = "\"noise\": {";
  text.replace(text.find(place), place.size(), "\"bad\": " + definition + ",\n      " + place);
  return text;
}

}  // namespace unmask::test
