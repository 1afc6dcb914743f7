#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

namespace {

bool has_hard_label(const Evidence& e) {
  for (const Attack* attack : e.own(Group::kBlackBox)) {
    for (const char* plugin : {"boundary", "hop_skip_jump", "rays"}) {
      if (attack->plugin == plugin) return true;
    }
  }
  return false;
}

}  // namespace

// What of the list can be seen in stored cells: many steps, one step, more steps, restarts, another loss,
// answers alone, labels alone, transfer, noise, no limit.
const Rule kChecklist = {
    .id = "checklist",
    .question = "What of the checklist for evaluations was not done?",
    .source = "Carlini et al. 2019, arXiv 1902.06705",
    .about = "attack",
    .needs = "any attack",
    .statistic = "items of ten that are missing",
    .says = "the evaluation is not complete",
    .is_note = true,
    .supply =
        R"({"define": {"attack": {"fgsm": {"plugin": "fgsm"}, "noise": {"plugin": "random_noise"}, "square": {"plugin": "square"}, "boundary": {"plugin": "boundary"}}}, "evaluate": {"matrix": {"attack": ["fgsm", "noise", "square", "boundary"]}}})",
    .measure = [](const Evidence& e) {
      if (e.attacks().empty()) return Measurement{};
      std::string missing;
      std::int64_t n_missing = 0;
      const auto item = [&](const char* name, bool is_there) {
        if (is_there) return;
        missing += (missing.empty() ? "" : ", ") + std::string(name);
        ++n_missing;
      };
      item("many steps", !e.own(Group::kPlain).empty());
      item("one step", !e.own(Group::kSingleStep).empty());
      item("more steps", effort_gap(e, "steps").value.has_value());
      item("more restarts", effort_gap(e, "restarts").value.has_value());
      item("another loss", !e.own(Group::kOtherLoss).empty());
      item("answers alone", !e.black_box().empty());
      item("labels alone", has_hard_label(e));
      item("transfer", !e.with_view(View::kSource).empty());
      item("noise", !e.own(Group::kNoise).empty());
      item("no limit", kUnbounded.measure(e).value.has_value());
      Measurement result;
      result.value = static_cast<double>(n_missing);
      result.sentence = missing.empty() ? "nothing is missing" : "missing: " + missing;
      result.cells = cells_of(e.attacks());
      return result;
    }};

}  // namespace unmask::verdict::rules
