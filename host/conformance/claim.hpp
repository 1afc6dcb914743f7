#pragma once
// What every plugin of a kind must keep, as claims in words, each with the experiment that can
// refute it. One list serves the tests of the shipped plugins and `unmask plugins test`.
//
//   for (const Claim* claim : claims_for(subject)) {
//     const Verdict verdict = try_claim(*claim, subject);
//     if (!verdict.holds()) print(claim->words, verdict.problems);
//   }

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "unmask/model.hpp"
#include "unmask/params.hpp"

namespace unmask::conformance {

using Values = std::map<std::string, ParamValue>;

/// The plugin that claims are tried on, with the parameters they are tried with.
struct Subject {
  std::string kind;  ///< "attack"
  std::string id;
  std::string built_as;           ///< the kind in the library's file name; empty: it names none
  std::vector<ParamSpec> params;  ///< what the plugin declares
  std::set<std::string> capabilities;
  Values values;  ///< the others have their defaults
  /// A new instance as a pointer to the base class of its kind, owned by the caller. Throws what
  /// the plugin's constructor throws.
  std::function<void*(const Params& params, const void* context)> create;

  bool has(const char* capability) const { return capabilities.contains(capability); }

  /// The parameter of this name, or nullptr.
  const ParamSpec* param(std::string_view name) const;

  /// All values: the given ones, with `other` laid over them, and defaults.
  /// @throws ParamError when they violate a declaration
  Params complete(const Values& other = {}) const;

  template <class Base>
  std::unique_ptr<Base> make(const Values& other = {},
                             const ModelContext* context = nullptr) const {
    return std::unique_ptr<Base>(static_cast<Base*>(create(complete(other), context)));
  }
};

/// Collects what speaks against a claim.
class Findings {
 public:
  /// `otherwise` is a sentence about the plugin: "the point is 0.1 outside of the ball".
  void expect(bool holds, const std::string& otherwise);

  /// value <= limit; NaN violates it.
  void at_most(double value, double limit, const std::string& what);

  /// The claim says nothing about this plugin: "it has no ODE block".
  void does_not_apply(std::string reason) { reason_ = std::move(reason); }

  const std::vector<std::string>& problems() const { return problems_; }
  const std::string& reason() const { return reason_; }

 private:
  std::vector<std::string> problems_;
  std::string reason_;
};

struct Claim {
  const char* words;  ///< completes "attack pgd ...": "stays inside the ball and the box"
  void (*experiment)(const Subject& subject, Findings& findings);
};

/// What trying a claim gave.
struct Verdict {
  std::vector<std::string> problems;  ///< empty: nothing speaks against it
  std::string not_applicable;         ///< why it says nothing about this plugin; usually empty

  bool holds() const { return problems.empty(); }
};

/// An exception of the plugin is a problem, too.
Verdict try_claim(const Claim& claim, const Subject& subject);

/// What can be told from a declaration and from one construction: claims of every kind.
std::span<const Claim> declaration_claims();

/// What a plugin of this kind must keep when it is used.
/// @throws InternalError for a kind that does not exist
std::span<const Claim> claims_of(std::string_view kind);

/// For the name of a test: "stays_inside_the_ball_and_the_box".
std::string identifier(const Claim& claim);

/// Shapes of images that models are made for.
inline constexpr ModelContext kImageShapes[] = {
    {.channels = 1, .height = 20, .width = 20, .num_classes = 10},
    {.channels = 3, .height = 32, .width = 32, .num_classes = 7},
};

}  // namespace unmask::conformance
