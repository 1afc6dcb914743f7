#pragma once
// What is known about one network under one solver and one threat, as rules look at it: attacks by
// what they need, what each did to each sample, and the values that probes measured.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "store/evidence.hpp"
#include "wire/cell.hpp"

namespace unmask::verdict {

/// What an attack needs of the network. An attack with another gradient or source is of the group of
/// its own parameters; whose() says where it looked.
enum class Group {
  kPlain,       ///< many steps along the gradient of the cross-entropy
  kAveraged,    ///< likewise, of a mean over several gradients (eot)
  kOtherLoss,   ///< many steps along the gradient of another loss
  kSingleStep,  ///< one step along the gradient
  kBlackBox,    ///< answers alone
  kNoise,       ///< answers alone, and does not learn from them
  kSeveral      ///< an ensemble, or an attack that consists of several
};

/// Whose gradient and answers an attack sees.
enum class View {
  kOwn,     ///< the network under the solver that answers
  kSolver,  ///< the gradient of the same network under another solver, or another rule of the same
  kSource   ///< another network, or the same weights under another solver: a transfer
};

/// What became of a sample.
enum class Fate : signed char {
  kAbsent,     ///< it was not attacked
  kUndecided,  ///< the network gave no answer
  kWrong,      ///< wrong without an attack
  kRobust,
  kFooled
};

struct Attack {
  std::int64_t cell = 0;
  std::string name;    ///< as tables call it: "pgd", "pgd via rk4", "pgd from resnet"
  std::string plugin;  ///< empty for an ensemble
  nlohmann::json params, gradient;
  Group group = Group::kPlain;
  View view = View::kOwn;
  bool is_same_method = false;  ///< kSolver: the method that answers, with another gradient rule
  bool is_alone = false;        ///< attacks images one by one
  bool is_capable = true;       ///< its steps can reach the surface of the ball
  double steps = 1;
  double restarts = 1;
  double draws = 1;  ///< gradients that are averaged for a step
  std::string norm;
  double epsilon = 0;
  std::string epsilon_text;
  std::int64_t seed = 0;
  std::vector<Fate> fates = {};  ///< of Network::samples
  std::map<std::string, double> metrics = {};
  std::map<std::string, std::vector<double>> series = {};
};

struct Probe {
  std::int64_t cell = 0;
  std::string plugin;
  std::string norm;               ///< its parameter of that name; empty without one
  std::string loss;               ///< likewise
  std::optional<double> epsilon;  ///< likewise, or that of its cell
  store::SampleValues values = {};
};

/// One trained network under one solver, of one study.
struct Network {
  wire::CellLabels labels;  ///< of its first cell
  std::int64_t checkpoint_cell = 0;
  std::vector<std::int64_t> samples = {};  ///< that any attack saw, rising
  std::vector<Attack> attacks = {};  ///< with a result and epsilon > 0, in the order of the plan
  std::vector<Probe> probes = {};
  /// Attacks without a result yet, by radius and norm ("" while nobody knows), and probes.
  struct Missing {
    double epsilon = 0;
    std::string norm;
  };
  std::vector<Missing> missing = {};
  std::int64_t missing_probes = 0;
};

using Thresholds = std::map<std::string, double>;
using Attacks = std::vector<const Attack*>;

class Evidence {
 public:
  /// @param network, thresholds  outlive it
  Evidence(const Network& network, std::string norm, double epsilon, const Thresholds& thresholds);

  const Network& network() const { return network_; }
  const std::string& norm() const { return norm_; }
  double epsilon() const { return epsilon_; }
  const std::string& epsilon_text() const { return epsilon_text_; }
  double threshold(const char* name) const { return thresholds_.at(name); }

  /// Attacks of this threat.
  const Attacks& attacks() const { return attacks_; }
  /// Of them those of a group that see the network itself.
  Attacks own(Group group) const;
  Attacks with_view(View view) const;

  /// The plain gradient attack, which a mask would have to hold off: of the own attacks of kPlain that
  /// can reach the surface, in batches, that with the least effort (steps times restarts) that has at
  /// least plain_steps steps; more effort is what rules ask about. If there is none, one with fewer
  /// steps, then one by one, then along other losses. Several of the same effort count together.
  const Attacks& plain() const { return plain_; }

  /// Answers, not gradients, of the network itself. When its samples influence each other, those that
  /// ask about images one by one, if there are any.
  Attacks black_box() const;

  /// Places in Network::samples that were right without an attack, for every attack that saw them,
  /// and decided.
  const std::vector<std::size_t>& eligible() const { return eligible_; }
  bool is_eligible(std::int64_t sample) const;

  /// Of the eligible ones, those that no attack of the list fooled.
  std::int64_t left_by(const Attacks& attacks) const;
  bool is_fooled(std::size_t place, const Attacks& attacks) const;

  /// Whether the network gives other answers when it is asked again.
  bool is_random() const;

  /// Whether an image alone gets another label than in its batch so often that the network alone is
  /// another classifier: one that normalises by the statistics of its batch, for one.
  bool is_another_alone() const;

  /// Attacks on single images, and those that ask for answers alone.
  Attacks past_the_batch() const;

  /// Attacks along losses of which the network has a gradient: where cross-entropy is so sure that its
  /// gradient is zero, the margin still has one.
  Attacks past_the_saturation() const;

  /// Probes with these values that hold for this threat. Of a random network those that compare
  /// passes are left out: what they compare is its draws. Of one that is another alone, those values
  /// that compare it with itself alone.
  std::vector<const Probe*> probes(const std::string& plugin, const std::string& value) const;

  /// The largest value of a metric over the attacks that have it, and who has it.
  struct Found {
    double value = 0;
    const Attack* attack = nullptr;
  };
  std::optional<Found> largest(const std::string& metric, const Attacks& among) const;

 private:
  void find_eligible();
  void find_plain();

  const Network& network_;
  std::string norm_;
  double epsilon_;
  std::string epsilon_text_;
  const Thresholds& thresholds_;
  Attacks attacks_;
  Attacks plain_;
  std::vector<std::size_t> eligible_;
};

}  // namespace unmask::verdict
