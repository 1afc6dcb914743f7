#include "cli/judge_report.hpp"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>

#include "base/counted.hpp"
#include "catalog/verdict_thresholds.hpp"
#include "run/progress_text.hpp"
#include "table/table.hpp"
#include "text/shell_words.hpp"
#include "verdict/report.hpp"
#include "verdict/statistics.hpp"

namespace unmask::cli {
namespace {

using verdict::Judgement;
using verdict::Reading;
using verdict::RuleState;
using verdict::Verdict;

constexpr std::size_t kReportWidth = 110;

std::string percent(double share) {
  char text[16];
  std::snprintf(text, sizeof text, "%.1f", 100 * share);
  return text;
}

double share(std::int64_t k, std::int64_t n) {
  return n == 0 ? 0 : static_cast<double>(k) / static_cast<double>(n);
}

// "16.0 % of 200 images (95 % interval 11.6 to 21.7 %)"
std::string share_text(std::int64_t k, std::int64_t n) {
  const verdict::Interval interval = verdict::wilson(k, n);
  return percent(share(k, n)) + " % of " + base::counted(n, "image") + " (95 % interval " +
         percent(interval.lower) + " to " + percent(interval.upper) + " %)";
}

std::string paragraph(const std::string& text, const std::string& indent) {
  const std::string lines = table::wrapped(text, kReportWidth - indent.size());
  std::string result = indent;
  for (const char c : lines) {
    result += c;
    if (c == '\n') result += indent;
  }
  return result + "\n";
}

std::string rules_text(const Verdict& v, RuleState state, const char* title) {
  std::string text;
  for (const Reading& reading : v.readings) {
    if (reading.state != state) continue;
    text += paragraph(std::string(title) + reading.rule->id + ": " + reading.rule->says + "; " +
                          reading.found.sentence,
                      "    ");
  }
  return text;
}

std::string radius_text(const Verdict& v) {
  std::string text = "  " + v.norm + " " + v.epsilon_text + ": " + to_string(v.judgement) + "\n";
  text += paragraph("worst case: " + share_text(v.robust_correct, v.n) + " stay right under all " +
                        base::counted(v.n_attacks, "attack") + "; strongest alone: " + v.strongest,
                    "    ");
  text += paragraph("without an attack " + percent(share(v.clean_correct, v.n)) + " %" +
                        (v.plain_correct ? ", after the plain gradient attack " +
                                               percent(share(*v.plain_correct, v.n)) + " %"
                                         : std::string()),
                    "    ");
  if (v.judgement == Judgement::kInsufficient) text += paragraph("why: " + v.sentence, "    ");
  text += rules_text(v, RuleState::kDecides, "decides: ");
  text += rules_text(v, RuleState::kSymptom, "symptom: ");
  return text;
}

std::string list_text(const char* title, const std::vector<std::string>& sentences) {
  if (sentences.empty()) return "";
  std::string text = std::string("\n") + title + "\n";
  for (const std::string& sentence : sentences) text += paragraph("- " + sentence, "  ");
  return text;
}

double metric(const JudgeReport& report, const char* name) {
  const auto found = report.seen.metrics.find(name);
  return found == report.seen.metrics.end() ? 0 : found->second;
}

// Messages as one line each. Those that differ in who says it alone, "attack pgd: ..." and
// "probe confidence: ...", are one: "attack pgd, probe confidence: ...".
std::vector<std::string> one_for_each_reason(const std::vector<std::string>& failures) {
  struct Reason {
    std::string text;
    std::string who;
  };
  std::vector<Reason> reasons;
  for (const std::string& failure : failures) {
    const std::string line = run::one_line(failure);
    const std::size_t colon = line.find(": ");
    const bool is_named =
        (line.starts_with("attack ") || line.starts_with("probe ")) && colon != std::string::npos;
    const std::string who = is_named ? line.substr(0, colon) : std::string();
    const std::string text = is_named ? line.substr(colon + 2) : line;
    const auto known = std::find_if(
        reasons.begin(), reasons.end(), [&](const Reason& r) { return r.text == text; });
    if (known == reasons.end()) {
      reasons.push_back({text, who});
    } else if (!who.empty()) {
      known->who += (known->who.empty() ? "" : ", ") + who;
    }
  }
  std::vector<std::string> lines;
  lines.reserve(reasons.size());
  for (const Reason& r : reasons) lines.push_back(r.who.empty() ? r.text : r.who + ": " + r.text);
  return lines;
}

// What symptoms are about, of rules that decide.
std::set<std::string> deciding_kinds(const JudgeReport& report) {
  std::set<std::string> kinds;
  for (const Verdict& v : report.verdicts) {
    for (const Reading& reading : v.readings) {
      if (reading.state == RuleState::kDecides) kinds.insert(reading.rule->about);
    }
  }
  return kinds;
}

// How such a mask is usually broken by those who have its code, by what the deciding rule is about.
std::string way_around(const std::string& kind) {
  if (kind == "gradient") {
    return "There is no gradient to follow: give the attack one. Replace the step that has none "
           "(rounding, argmax, a detach) by the identity in the backward pass (BPDA), and judge "
           "that network.";
  }
  if (kind == "direction") {
    return "The gradient points elsewhere than the loss rises: look for a detach, a custom "
           "backward, or a wave or sharp step in front of the network, and pass the gradient "
           "through unchanged there (BPDA).";
  }
  if (kind == "confidence") {
    return "The cross-entropy is saturated: divide the logits by a large constant, or attack the "
           "margin, which is what the strongest attacks here did.";
  }
  if (kind == "batch" || kind == "batch gradient") {
    return "Images of a batch influence each other's gradients: attack them one by one "
           "(batch_size 1), and let the network treat each image alone.";
  }
  if (kind == "randomness") {
    return "Chance hides the gradient: average it over many passes (eot of pgd and apgd).";
  }
  return "";
}

void add_next_if_masked(const JudgeReport& report, std::vector<std::string>& steps) {
  steps.emplace_back(
      "Do not report what the plain gradient attack leaves; report the worst case above, as an "
      "upper bound: whoever knows the network may do better.");
  for (const std::string& kind : deciding_kinds(report)) {
    if (const std::string way = way_around(kind); !way.empty()) steps.push_back(way);
  }
}

// What the network answers.
void add_remarks_on_answers(const JudgeReport& report, std::vector<std::string>& remarks) {
  // A network that is not random repeats its answers to the last bits.
  const double repeats = catalog::find_verdict_threshold("randomised")->value;
  if (metric(report, "output_is_one_hot") > 0.5) {
    remarks.emplace_back(
        "The network answers with zeros and ones alone: no loss has a gradient; let it end before "
        "its softmax or argmax.");
  } else if (metric(report, "output_is_probability") > 0.5) {
    remarks.emplace_back(
        "The network answers with probabilities where logits are expected, which takes most of "
        "the gradient away: let it end before its softmax, or judge it with --output softmax.");
  }
  const bool is_random = metric(report, "check.randomised") > repeats;
  if (is_random) {
    remarks.emplace_back(
        "The same images get other answers when asked again: call model.eval() before the network "
        "is exported; if it is random on purpose, attacks here average over several answers.");
  }
  // Single images are asked after the batch, so they would get other answers anyway.
  const bool changes_itself = metric(report, "check.changes_itself") > 0;
  if (!is_random && !changes_itself && metric(report, "check.batch_dependence") > repeats) {
    remarks.emplace_back(
        "Answers depend on the other images of the batch: batch normalisation in training mode "
        "does that (call model.eval() before exporting), and so do adaptive solvers that share a "
        "step size.");
  }
  if (changes_itself) {
    remarks.emplace_back(
        "The network writes into its own weights or buffers when it is asked, so that an answer "
        "depends on the questions before; here every batch begins with those of the file.");
  }
}

// What it is asked.
void add_remarks_on_images(const JudgeReport& report, std::vector<std::string>& remarks) {
  if (!report.verdicts.empty()) {
    const Verdict& v = report.verdicts.front();
    // A network that is worse than this on what it was made for is usually fed something else.
    if (v.n > 0 && 2 * v.clean_correct < v.n) {
      remarks.push_back(
          "Only " + percent(share(v.clean_correct, v.n)) +
          " % of the images are classified right without an attack: labels in another order, or "
          "pixels that are scaled otherwise than in training (--mean, --std; pixels here are in "
          "[0, 1])?");
    }
  }
  if (report.seen.n_labels == 2) {
    remarks.emplace_back(
        "The images have two labels: all targeted attacks are the same, and a network that always "
        "gives the same answer is right for a share of them.");
  } else if (report.seen.n_labels == 1) {
    remarks.emplace_back(
        "All images have the same label: a constant answer would pass for robust.");
  }
}

}  // namespace

Judgement overall(const std::vector<Verdict>& verdicts) {
  for (const Judgement judgement :
       {Judgement::kMasked, Judgement::kSuspect, Judgement::kInsufficient}) {
    for (const Verdict& v : verdicts) {
      if (v.judgement == judgement) return judgement;
    }
  }
  return verdicts.empty() ? Judgement::kInsufficient : Judgement::kNotDetected;
}

std::vector<std::string> remarks_of(const JudgeReport& report) {
  std::vector<std::string> remarks;
  add_remarks_on_answers(report, remarks);
  add_remarks_on_images(report, remarks);
  for (const std::string& failure : one_for_each_reason(report.seen.failures)) {
    remarks.push_back("Failed: " + failure);
    if (failure.find("classes apart") != std::string::npos) {
      remarks.emplace_back(
          "Labels and network count different numbers of classes: say how many there are with "
          "--classes, or mend the labels, which count from 0.");
    }
  }
  return remarks;
}

std::vector<std::string> next_steps(const JudgeReport& report) {
  std::vector<std::string> steps;
  if (report.n_left > 0) {
    steps.push_back(base::counted(report.n_left, "cell") +
                    " of the study have no result: the same command goes on where it stopped.");
  }
  const Judgement judgement = overall(report.verdicts);
  if (judgement == Judgement::kMasked) add_next_if_masked(report, steps);
  if (judgement == Judgement::kSuspect) {
    steps.emplace_back(
        "Symptoms, and nothing that decides: take more images (--samples) and a larger --budget.");
  }
  if (judgement == Judgement::kInsufficient) {
    steps.emplace_back(
        "Evidence is missing: unmask verdict says which, and which lines of a manifest supply it.");
  }
  if (judgement == Judgement::kNotDetected) {
    steps.emplace_back(
        "No symptom of masking is no proof of robustness: the worst case is an upper bound. A "
        "larger --budget lowers it, and an attack made for this network may, too.");
  }
  steps.emplace_back("Every rule, its numbers and thresholds: " +
                     words::shell_command(
                         {"unmask", "verdict", "study=" + report.study, "--db", report.database}));
  steps.emplace_back("What ran, to be edited and run again with unmask run: " + report.manifest);
  return steps;
}

std::string text_of(const JudgeReport& report) {
  std::string text = report.name + ": " + to_string(overall(report.verdicts)) + "\n";
  for (const Verdict& v : report.verdicts) text += radius_text(v);
  text += list_text("what may be wrong with the question", remarks_of(report));
  return text + list_text("what to do next", next_steps(report));
}

nlohmann::ordered_json json_of(const JudgeReport& report) {
  nlohmann::ordered_json worst = nlohmann::ordered_json::array();
  for (const Verdict& v : report.verdicts) {
    const verdict::Interval interval = verdict::wilson(v.robust_correct, v.n);
    worst.push_back({{"norm", v.norm},
                     {"epsilon", v.epsilon},
                     {"judgement", to_string(v.judgement)},
                     {"clean", share(v.clean_correct, v.n)},
                     {"worst_case", share(v.robust_correct, v.n)},
                     {"lower", interval.lower},
                     {"upper", interval.upper},
                     {"strongest", v.strongest}});
  }
  return {{"model", report.name},
          {"judgement", to_string(overall(report.verdicts))},
          {"radii", std::move(worst)},
          {"remarks", remarks_of(report)},
          {"next", next_steps(report)},
          {"study", report.study},
          {"manifest", report.manifest},
          {"n_left", report.n_left},
          {"verdicts", verdict::json_of(report.verdicts)}};
}

}  // namespace unmask::cli
