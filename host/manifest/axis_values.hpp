#pragma once
// Reads the values of axes (names, globs, "!" negations, seeds, epsilons, checkpoint patterns,
// means of gradients, sources) from a manifest and writes them back as text.
//
//   AxisValues values(context, checkpoints);
//   for (const AxisValue value : values.read(kSolver, node)) use(values.text(kSolver, value));

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "manifest/axes.hpp"
#include "manifest/checkpoints.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

/// The items of a list, or the value itself.
std::vector<const Node*> items_of(const Node& node);

struct EpsilonValue {
  double value = 0;
  std::string text;  ///< as written, blanks taken away
  Place place = {};
};

/// Where adversarial images are made: a checkpoint under a solver.
struct SourceValue {
  AxisValue checkpoint = kToken;  ///< kToken: the attacked one
  AxisValue solver = kToken;      ///< kToken: that of the checkpoint's training

  auto operator<=>(const SourceValue&) const = default;
};

/// Everything that is wrong is reported; it also taints the stage, except where noted.
class AxisValues {
 public:
  AxisValues(StageContext& context, Checkpoints checkpoints)
      : context_(context), checkpoints_(std::move(checkpoints)) {}
  AxisValues(const AxisValues&) = delete;
  AxisValues& operator=(const AxisValues&) = delete;
  ~AxisValues() = default;

  StageContext& context() const { return context_; }
  const Checkpoints& checkpoints() const { return checkpoints_; }

  // --- reading ---

  /// All values of an axis: a list (or one value) of names, globs, "!" negations and the token.
  /// What is written twice is returned twice.
  std::vector<AxisValue> read(std::size_t axis, const Node& node);

  /// The values of one entry of a list; nothing when it is wrong.
  std::vector<AxisValue> read_entry(std::size_t axis, const Node& node);

  /// The values that a word (without "!") of a worded axis stands for; nothing when it is wrong.
  std::vector<AxisValue> read_word(const Axis& axis, const Node& node, const std::string& word);

  std::optional<AxisValue> read_seed(const Node& node);

  /// An epsilon that need not be a value of the axis. Does not taint.
  std::optional<EpsilonValue> read_epsilon(const Node& node);

  /// The value of the epsilon axis with this number, if it was read before.
  std::optional<AxisValue> find_epsilon(double number) const;
  const EpsilonValue& epsilon(AxisValue value) const {
    return epsilons_[static_cast<std::size_t>(value)];
  }

  /// The solvers that a gradient stands for: one, or those of a mean; kToken is "@eval".
  std::vector<AxisValue> gradient_parts(AxisValue value) const;

  const SourceValue& source(AxisValue value) const {
    return sources_[static_cast<std::size_t>(value)];
  }
  AxisValue value_of(const SourceValue& source);

  // --- names ---

  /// Give `kind` a name that is not defined: rules and texts know it, the matrix does not. Its
  /// value is the number of definitions of that kind.
  void add_implied_name(std::string_view kind, const std::string& name);

  /// The values of a worded axis as rules may write them, by value: definitions and the implied
  /// name, then means; sources. Not for checkpoints, which have patterns of their own.
  std::vector<std::string> names(const Axis& axis) const;

  // --- texts ---

  /// The value as a manifest would write it; "" for kNone.
  std::string text(std::size_t axis, AxisValue value) const;

  /// Axis -> text, for the axes that the row has.
  std::map<std::string, std::string> texts(const Row& row) const;

  /// Axis -> texts of the distinct values that the rows have there.
  std::map<std::string, std::vector<std::string>> texts(const std::vector<Row>& rows) const;

 private:
  std::vector<AxisValue> read_checkpoint(const Node& node, const std::string& word);
  std::vector<AxisValue> read_glob(const Axis& axis, const Node& node, const std::string& glob);
  std::vector<AxisValue> read_name(const Axis& axis, const Node& node, const std::string& name);
  std::vector<AxisValue> read_mean(const Node& node, const std::string& word);
  std::vector<AxisValue> read_source(const Node& node, const std::string& word);
  std::optional<AxisValue> read_epsilon_of_axis(const Node& node);
  bool take_away(const Axis& axis, const Node& node, std::vector<AxisValue>& values);

  StageContext& context_;
  Checkpoints checkpoints_;
  std::map<std::string, std::string, std::less<>> implied_names_;  // by kind
  std::vector<EpsilonValue> epsilons_;
  std::map<double, AxisValue> epsilon_index_;
  std::vector<std::vector<AxisValue>> means_;  // of gradients, the solvers of each
  std::vector<SourceValue> sources_;
};

}  // namespace unmask::manifest::matrix
