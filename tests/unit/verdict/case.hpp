#pragma once
// Made-up evidence for the tests of the room `verdict`: a database with one trained network, attacks
// whose success is given sample by sample, and probes whose values are given, all written as a run
// would.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "catalog/catalog.hpp"
#include "store/store.hpp"
#include "verdict/judge.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::verdict::testing {

using Samples = std::function<bool(std::int64_t)>;
using Values = std::function<double(std::int64_t)>;

/// The first k samples.
Samples first(std::int64_t k);
/// Samples a, ..., b - 1.
Samples range(std::int64_t a, std::int64_t b);

struct AttackRow {
  std::string name = "pgd";
  std::string plugin = "pgd";
  nlohmann::json params = {};  ///< laid over those of a plain PGD where the plugin is pgd
  double epsilon = 0.1;
  std::string norm = "linf";
  std::string gradient = "";  ///< plugin of another gradient solver
  bool is_transfer = false;
  std::map<std::string, double> metrics = {};
  std::map<std::string, std::vector<double>> series = {};
  bool has_result = true;
  std::string also_of_model = "";  ///< another name of the network; empty: none
};

struct ProbeRow {
  std::string plugin;
  std::map<std::string, Values> values;
  std::int64_t n = 20;  ///< the first samples
  nlohmann::json params = nlohmann::json::object();
};

class Case {
 public:
  /// @param n  samples, the first `wrong` of which are misclassified without an attack
  explicit Case(std::int64_t n = 100, std::int64_t wrong = 0);

  Case& attack(AttackRow row, const Samples& is_fooled);
  Case& probe(const ProbeRow& row);
  Case& threshold(const std::string& name, double value);
  /// The common beginning of many cases: a plain PGD.
  Case& plain(const Samples& is_fooled, std::map<std::string, double> metrics = {});
  Case& square(const Samples& is_fooled);

  /// Write what was added since, as one run, and judge.
  std::vector<Verdict> judge(const Filter& filter = {});
  /// Of the only threat, or of the one with this radius.
  Verdict verdict(double epsilon = 0.1);

  store::Store& store() { return store_; }
  std::int64_t run();  ///< Writes. @return the latest run
  const std::vector<wire::Cell>& cells() const { return cells_; }

 private:
  nlohmann::json part(const std::string& kind, const std::string& id, nlohmann::json params);
  void add(wire::Cell cell, wire::CellResult result, bool has_result);
  wire::CellResult outcomes(const Samples& is_fooled) const;

  std::int64_t n_, wrong_;
  base::TempFolder folder_;
  store::Store store_;
  catalog::Catalog catalog_;
  std::set<std::pair<std::string, std::string>> known_;
  std::map<std::string, double> thresholds_;
  std::vector<wire::Cell> cells_;
  std::vector<wire::CellResult> results_;
  std::vector<bool> has_result_;
  std::size_t written_ = 0;
  std::int64_t run_ = 0;
};

/// The reading of a rule. Fails the test when there is no such rule.
Reading reading_of(const Verdict& verdict, const std::string& rule);

}  // namespace unmask::verdict::testing
