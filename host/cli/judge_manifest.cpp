#include "cli/judge_manifest.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "text/numbers.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::cli {
namespace {

using Json = nlohmann::ordered_json;

// How much of everything. 0: not at all.
struct Effort {
  std::int64_t long_steps;     // plain PGD that differs from the short one in its steps alone
  std::int64_t margin_steps;   // PGD on the margin, from the image
  std::int64_t margin_starts;  // and from random points
  std::int64_t pm_steps;       // APGD on the probability margin
  std::int64_t targets;        // classes that targeted PGD pulls to, one after the other
  std::int64_t target_steps;
  std::int64_t draws;         // gradients that are averaged for a step (eot)
  std::int64_t drawn_steps;   // along averaged gradients of the margin
  std::int64_t queries;       // of Square
  std::int64_t estimates;     // steps along gradients estimated from answers
  std::int64_t label_steps;   // along the boundary, from labels alone (l2)
  std::int64_t rays;          // answers for the search along rays, from labels alone (linf)
  std::int64_t walks;         // along the gradient at the boundary
  std::int64_t noise;         // random points
  bool has_direction_probes;  // those that ask for an average of answers, noise and lines
  bool has_planted_examples;  // the binarisation test
};

Effort effort_of(Budget budget) {
  switch (budget) {
    case Budget::kQuick: return {0, 40, 0, 0, 0, 0, 5, 20, 1000, 0, 8, 1000, 1, 20, false, false};
    case Budget::kStandard:
      return {100, 100, 1, 100, 5, 40, 8, 60, 2500, 20, 48, 5000, 3, 50, true, false};
    case Budget::kThorough: break;
  }
  return {1000, 200, 4, 200, 9, 100, 20, 100, 10000, 100, 64, 20000, 5, 200, true, true};
}

// Of a random network nobody is done before the end, and a point that stands out is judged by ten more
// answers: so each of them costs up to eleven. Averaged gradients take the place of what is left out.
Effort effort_for(Budget budget, const JudgeFindings& findings) {
  Effort effort = effort_of(budget);
  if (findings.is_random) {
    effort.margin_starts = 0;
    effort.pm_steps = 0;
    effort.targets = (effort.targets + 1) / 2;
    effort.queries /= 5;
    effort.rays /= 5;
  }
  return effort;
}

constexpr std::int64_t kShortSteps = 20;
constexpr std::int64_t kBoundarySteps = 40;
constexpr std::int64_t kPairs = 32;  // of queries for one estimated gradient
// Where there is no other gradient, it has to be a good one.
constexpr std::int64_t kPairsWithoutGradient = 400;

// Of hop_skip_jump: 100 sqrt(t) for the direction of step t, and some dozens for bisection and step size.
std::int64_t boundary_queries(std::int64_t steps) {
  std::int64_t queries = 0;
  for (std::int64_t t = 1; t <= steps; ++t) {
    queries += std::lround(100 * std::sqrt(static_cast<double>(t))) + 30;
  }
  return queries;
}

// A definition with what it costs.
struct Method {
  std::string name;
  Json definition;
  JudgeCost cost;
};

class Methods {
 public:
  // @param prefix  of all names
  Methods(const Effort& effort, std::string norm, JudgeFindings findings, std::string prefix)
      : effort_(effort), norm_(std::move(norm)), findings_(findings), prefix_(std::move(prefix)) {}

  std::vector<Method> attacks() {
    list_.clear();
    add_gradient_attacks();
    add_attacks_without_gradients();
    return std::move(list_);
  }

  std::vector<Method> probes() {
    list_.clear();
    add("confidence", "confidence", Json::object(), {1, 1});
    add("batch_invariance", "batch_invariance", Json::object(), {2, 0});
    add("batch_gradient", "batch_gradient", Json::object(), {5, 24});
    add("gradient_norm", "gradient_norm", in_ball(), {6, 5});
    add("finite_differences", "finite_differences", in_ball(), {61, 1});
    if (effort_.has_direction_probes) {
      add("spsa_agreement", "spsa_agreement", Json::object(), {129, 2});
      add("noise_stability", "noise_stability", {{"draws", 30}}, {31, 0});
      add("path_discontinuity", "path_discontinuity", in_ball(), {41, 41});
    }
    if (effort_.has_planted_examples && norm_ == "linf") {
      add("binarisation", "binarisation", {{"epsilon", "${epsilon}"}}, {432, 20});
    }
    return std::move(list_);
  }

 private:
  void add(const std::string& name, const char* plugin, Json params, JudgeCost cost) {
    Json definition = {{"plugin", plugin}};
    if (!params.empty()) definition["params"] = std::move(params);
    list_.push_back({prefix_ + name, std::move(definition), cost});
  }

  // Of an attack that differs from the short plain one in a few parameters.
  void vary(const std::string& name, Json params, JudgeCost cost) {
    Json definition = {{"extends", prefix_ + "pgd"}, {"params", std::move(params)}};
    list_.push_back({prefix_ + name, std::move(definition), cost});
  }

  // Labels have no gradient at the boundary either.
  bool is_flat() const { return findings_.has_no_gradient && !findings_.is_one_hot; }

  Json in_ball() const { return {{"norm", norm_}, {"epsilon", "${epsilon}"}}; }

  void add_gradient_attacks() {
    add("fgsm", "fgsm", {{"norm", norm_}}, {2, 1});
    add("pgd",
        "pgd",
        {{"norm", norm_},
         {"steps", kShortSteps},
         {"step_size", "${epsilon}/10"},
         {"random_start", false},
         {"trace", 20}},
        {kShortSteps + 1, kShortSteps});
    vary("pgd_alone", {{"batch_size", 1}, {"trace", nullptr}}, {kShortSteps + 1, kShortSteps});
    if (effort_.long_steps > 0) {
      vary("pgd_long",
           {{"steps", effort_.long_steps}},
           {effort_.long_steps + 1, effort_.long_steps});
    }
    if (findings_.is_random) {
      const std::int64_t passes = effort_.draws * kShortSteps;
      vary("pgd_averaged", {{"eot", effort_.draws}, {"trace", nullptr}}, {passes + 1, passes});
      // Steps that remember the ones before average over those draws, too.
      const std::int64_t drawn = effort_.draws * effort_.drawn_steps;
      vary("pgd_margin_averaged",
           {{"eot", effort_.draws},
            {"loss", "margin"},
            {"momentum", 1},
            {"steps", effort_.drawn_steps},
            {"trace", nullptr}},
           {drawn + 1, drawn});
    }
    add_margin_attacks();
    // At the boundary no answer is saturated. In linf, rays see as much without a gradient.
    if (is_flat() || (norm_ != "linf" && effort_.has_direction_probes)) {
      const std::int64_t steps = kBoundarySteps * effort_.walks;
      add("boundary_gradient",
          "boundary_gradient",
          {{"norm", norm_}, {"steps", kBoundarySteps}, {"restarts", effort_.walks}},
          {14 * steps, steps});
    }
    if (effort_.targets > 0) {
      const std::int64_t passes = effort_.targets * effort_.target_steps;
      add("targeted",
          "multi_targeted",
          {{"norm", norm_}, {"steps", effort_.target_steps}, {"targets", effort_.targets}},
          {passes + effort_.targets, passes});
    }
  }

  void add_margin_attacks() {
    // First from the image itself: a random start may cost more than another loss gains.
    vary("pgd_margin",
         {{"loss", "margin"},
          {"steps", effort_.margin_steps},
          {"step_size", nullptr},
          {"trace", nullptr}},
         {effort_.margin_steps + 1, effort_.margin_steps});
    if (effort_.margin_starts > 0) {
      const std::int64_t steps = effort_.margin_steps * effort_.margin_starts;
      Json params = {{"norm", norm_}, {"loss", "margin"}, {"steps", effort_.margin_steps}};
      if (effort_.margin_starts > 1) params["restarts"] = effort_.margin_starts;
      add("pgd_margin_random", "pgd", std::move(params), {steps + 1, steps});
    }
    if (effort_.pm_steps > 0) {
      add("apgd_pm",
          "apgd",
          {{"norm", norm_}, {"loss", "pm"}, {"steps", effort_.pm_steps}},
          {effort_.pm_steps + 1, effort_.pm_steps});
    }
  }

  void add_attacks_without_gradients() {
    add("square", "square", {{"norm", norm_}, {"queries", effort_.queries}}, {effort_.queries, 0});
    // Among others a proposal cannot be told from what the others do meanwhile.
    if (findings_.is_batch_coupled) {
      add("square_alone",
          "square",
          {{"norm", norm_}, {"queries", effort_.queries}, {"batch_size", 1}},
          {effort_.queries, 0});
    }
    add_attack_on_labels();
    if (effort_.estimates > 0) add_estimated_gradients();
    if (norm_ == "linf") {
      add("noise", "random_noise", {{"repeats", effort_.noise}}, {effort_.noise, 0});
    }
  }

  // Where answers are labels, rise by steps or are cut off, no proposal is better than another until it
  // crosses a step. The class changes where it would without all that. Labels of a random network, or
  // of one whose images influence each other, tell too little unless nothing else tells more.
  void add_attack_on_labels() {
    const bool is_steady = !findings_.is_random && !findings_.is_batch_coupled;
    if (norm_ == "linf" && (is_steady || findings_.is_one_hot || findings_.has_no_gradient)) {
      add("rays", "rays", {{"norm", norm_}, {"queries", effort_.rays}}, {effort_.rays, 0});
    }
    if (norm_ != "linf" && findings_.is_one_hot) {
      add("hop_skip_jump",
          "hop_skip_jump",
          {{"norm", norm_}, {"steps", effort_.label_steps}},
          {boundary_queries(effort_.label_steps), 0});
    }
  }

  // Over differences as large as the radius: answers that rise by steps (rounded logits or pixels), or
  // waver, rise on the whole where they rise at all.
  void add_estimated_gradients() {
    const std::int64_t steps = effort_.estimates;
    const std::int64_t pairs = is_flat() ? kPairsWithoutGradient : kPairs;
    const JudgeCost cost{steps * (2 * pairs + 1), 0};
    if (norm_ == "linf") {
      add("spsa", "spsa", {{"steps", steps}, {"pairs", pairs}, {"delta", "${epsilon}"}}, cost);
    } else {
      add("nes", "nes", {{"norm", norm_}, {"steps", steps}, {"pairs", pairs}}, cost);
    }
  }

  Effort effort_;
  std::string norm_;
  JudgeFindings findings_;
  std::string prefix_;
  std::vector<Method> list_;
};

// --- text
// -----------------------------------------------------------------------------------------

std::string in_one_line(const Json& value) {
  if (!value.is_structured() || value.empty()) return value.dump();
  std::string text = value.is_object() ? "{ " : "[";
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (it != value.begin()) text += ", ";
    if (value.is_object()) text += Json(it.key()).dump() + ": ";
    text += in_one_line(*it);
  }
  return text + (value.is_object() ? " }" : "]");
}

// One member a line down to a depth, and deeper ones in the line of their parent.
std::string laid_out(const Json& value, int depth, const std::string& indent) {
  if (depth == 0 || !value.is_object() || value.empty()) return in_one_line(value);
  std::string text = "{\n";
  for (auto it = value.begin(); it != value.end(); ++it) {
    text += indent + "  " + Json(it.key()).dump() + ": " + laid_out(*it, depth - 1, indent + "  ") +
            (std::next(it) == value.end() ? "\n" : ",\n");
  }
  return text + indent + "}";
}

Json list_of_names(const std::vector<Method>& methods) {
  Json names = Json::array();
  for (const Method& method : methods) names.push_back(method.name);
  return names;
}

// Ratios as they are typed, decimals as numbers.
Json radii(const JudgeRequest& request) {
  Json list = Json::array();
  for (const std::string& text : request.epsilons) {
    if (words::parse_ratio(text)) {
      list.push_back(text);
    } else {
      list.push_back(parse_radius(text, request.norm));
    }
  }
  return list;
}

Json evaluation(const JudgeRequest& request,
                const std::string& prefix,
                const std::vector<Method>& attacks,
                const std::vector<Method>& probes) {
  Json matrix = {{"checkpoint", {"*"}},
                 {"solver", {"@train"}},
                 {"attack", list_of_names(attacks)},
                 {"epsilon", radii(request)},
                 {"seed", {request.seed}},
                 {"clean", true},
                 {"probes", list_of_names(probes)}};
  Json evaluate = {{"samples", request.samples}, {"batch_size", 100}};
  if (!request.subject.extends.empty()) {
    // What the other study asks for is taken away.
    for (const char* axis : {"gradient", "source", "zip"}) matrix[axis] = nullptr;
    for (const char* key : {"exclude", "only", "save"}) evaluate[key] = nullptr;
  }
  evaluate["matrix"] = std::move(matrix);
  const double everything = unbounded_radius(request.norm);
  const bool is_asked_anyway =
      std::any_of(request.epsilons.begin(), request.epsilons.end(), [&](const std::string& text) {
        return parse_radius(text, request.norm) >= everything;
      });
  evaluate["add"] = Json::array();
  if (!is_asked_anyway) {
    evaluate["add"].push_back({{"checkpoint", "*"},
                               {"solver", "@train"},
                               {"attack", prefix + "pgd"},
                               {"epsilon", everything}});
    if (request.seed != 0) evaluate["add"].back()["seed"] = request.seed;
  }
  return evaluate;
}

Json definitions(const JudgeRequest& request,
                 const std::vector<Method>& attacks,
                 const std::vector<Method>& probes) {
  Json define = request.subject.define;
  define["attack"] = Json::object();
  for (const Method& method : attacks) define["attack"][method.name] = method.definition;
  define["probe"] = Json::object();
  for (const Method& method : probes) define["probe"][method.name] = method.definition;
  return define;
}

// Definitions of the other study may have the same names.
std::string prefix_of(const JudgeSubject& subject) {
  return subject.extends.empty() ? "" : "judge.";
}

// All but the name.
Json body_of(const JudgeRequest& request) {
  const JudgeSubject& subject = request.subject;
  const std::string prefix = prefix_of(subject);
  Methods methods(
      effort_for(request.budget, request.findings), request.norm, request.findings, prefix);
  const std::vector<Method> attacks = methods.attacks();
  const std::vector<Method> probes = methods.probes();
  Json body = Json::object();
  if (!subject.extends.empty()) body["extends"] = Json::array({subject.extends});
  body["define"] = definitions(request, attacks, probes);
  body["train"] = Json::object();
  if (!subject.extends.empty()) {
    for (const char* key : {"matrix", "exclude", "only"}) body["train"][key] = nullptr;
  }
  body["train"]["add"] = Json::array();
  body["train"]["add"].push_back(subject.training);
  body["evaluate"] = evaluation(request, prefix, attacks, probes);
  return body;
}

}  // namespace

Budget parse_budget(const std::string& text) {
  for (const Budget budget : {Budget::kQuick, Budget::kStandard, Budget::kThorough}) {
    if (text == to_string(budget)) return budget;
  }
  throw UsageError("--budget \"" + text + "\" is unknown\n" +
                   words::help_for_unknown(text, {"quick", "standard", "thorough"}, "budgets"));
}

const char* to_string(Budget budget) {
  switch (budget) {
    case Budget::kQuick: return "quick";
    case Budget::kStandard: return "standard";
    case Budget::kThorough: break;
  }
  return "thorough";
}

double unbounded_radius(const std::string& norm) {
  // From half the range of every pixel on all images can be made grey; 28 is that of 3 x 32 x 32.
  return norm == "linf" ? 1 : 28;
}

double parse_radius(const std::string& text, const std::string& norm) {
  const auto ratio = words::parse_ratio(text);
  const auto value = ratio ? ratio : words::parse_decimal(text);
  if (!value || *value <= 0) {
    throw UsageError("--epsilon \"" + text +
                     "\" is no radius; write a number above 0 or a ratio, such as 0.03 or 8/255");
  }
  if (norm == "linf" && *value > 1) {
    throw UsageError("--epsilon " + text +
                     " is larger than the range of pixels, which is 1; write " + text +
                     "/255 if you count in steps of 8-bit images");
  }
  return *value;
}

JudgeCost judge_cost(Budget budget, const std::string& norm) {
  Methods methods(effort_of(budget), norm, {}, "");
  JudgeCost sum;
  for (const auto& list : {methods.attacks(), methods.probes()}) {
    for (const Method& method : list) {
      sum.forwards += method.cost.forwards;
      sum.backwards += method.cost.backwards;
    }
  }
  return sum;
}

JudgeManifest judge_manifest(const JudgeRequest& request) {
  // What a look finds changes what runs, not which question it is.
  JudgeRequest without = request;
  without.findings = {};
  JudgeManifest manifest;
  manifest.study = "judge-" + request.subject.name.substr(0, 40) + "-" +
                   sha256_hex(body_of(without).dump()).substr(0, 8);
  manifest.look = prefix_of(request.subject) + "pgd";
  Json whole = {
      {"version", 1},
      {"name", manifest.study},
      {"description", std::string("Is the gradient masked? Budget: ") + to_string(request.budget)}};
  whole.update(body_of(request));
  manifest.text =
      "// Written by unmask judge. An ordinary manifest: copy it, edit it, and unmask run it.\n"
      "// What is stored already does not run again.\n" +
      laid_out(whole, 3, "") + "\n";
  return manifest;
}

}  // namespace unmask::cli
