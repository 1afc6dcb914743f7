// The texts of exports: titles, and what each column means. docs/database.md lists the columns; a test
// holds the two against each other.

#include <algorithm>

#include "results/exports.hpp"
#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

#define UNMASK_LABELS                                                                          \
  "l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, " \
  "l.gradient, l.source, l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, l.cell_id"

constexpr Export kExports[] = {
    {"cells",
     "Cells",
     "What the studies ask for, and how far each is.",
     "SELECT * FROM cells",
     "study, place"},
    {"accuracy",
     "Accuracy",
     "Accuracy without and under each attack, with 95 % Wilson intervals.",
     "SELECT * FROM accuracy",
     "study, cell_id"},
    {"worst_case",
     "Worst case",
     "What all attacks of one radius together leave.",
     "SELECT * FROM worst_case",
     "study, checkpoint_cell_id, solver, norm, epsilon"},
    {"worst_case_sample",
     "Worst case by sample",
     "Which attacks fooled which sample.",
     "SELECT * FROM worst_case_sample",
     "study, checkpoint_cell_id, solver, norm, epsilon, sample"},
    {"seed_summary",
     "Seeds",
     "Robust accuracy over training and attack seeds.",
     "SELECT * FROM seed_summary",
     "study, model, solver, attack, epsilon"},
    {"gradient_matrix",
     "Gradient matrix",
     "The same attack through other gradient solvers.",
     "SELECT * FROM gradient_matrix",
     "study, cell_id"},
    {"evaluations_per_solve",
     "Solves",
     "How hard the solvers worked.",
     "SELECT * FROM evaluations_per_solve",
     "study, cell_id, phase, solve"},
    {"cost",
     "Cost",
     "Time, memory and work of each result.",
     "SELECT * FROM cost",
     "study, cell_id"},
    {"failures",
     "Failures",
     "Cells without a result, and why.",
     "SELECT * FROM failures",
     "study, cell_id"},
    {"metrics",
     "Metrics",
     "All numbers of all cells.",
     "SELECT * FROM metrics",
     "study, cell_id, name"},
    {"series",
     "Series",
     "Curves of trainings, landscapes of probes.",
     "SELECT " UNMASK_LABELS
     ", s.name, s.step, s.value, s.flag FROM labelled_cell l JOIN series s ON "
     "s.cell_id = l.cell_id WHERE NOT l.is_alias",
     "study, cell_id, name, step"},
    {"sample_outcome",
     "Outcomes",
     "What each attack did to each sample.",
     "SELECT " UNMASK_LABELS
     ", o.sample, o.label, o.state, o.clean_prediction, o.prediction, o.distance, "
     "o.queries, o.passes FROM labelled_cell l JOIN sample_outcome o ON o.cell_id = l.cell_id "
     "WHERE NOT "
     "l.is_alias",
     "study, cell_id, sample"},
    {"sample_metric",
     "Numbers by sample",
     "What probes measured and attacks noted of each sample.",
     "SELECT " UNMASK_LABELS
     ", m.sample, m.name, m.value, m.flag FROM labelled_cell l JOIN sample_metric m "
     "ON m.cell_id = l.cell_id WHERE NOT l.is_alias",
     "study, cell_id, name, sample"},
    {"verdict",
     "Verdicts",
     "Whether gradients are masked, by network, solver, norm and radius.",
     "SELECT * FROM verdict",
     "id"},
    {"verdict_rule",
     "Rules of verdicts",
     "What each rule found.",
     "SELECT v.study, v.dataset, v.model, v.objective, v.train_solver, v.train_seed, v.solver, "
     "v.norm, "
     "v.epsilon, v.epsilon_text, r.* FROM verdict v JOIN verdict_rule r ON r.verdict_id = v.id",
     "verdict_id, place"},
    {"run",
     "Runs",
     "Every run and what became of it.",
     "SELECT m.name AS study, r.* FROM run r JOIN manifest m ON m.id = r.manifest_id",
     "id"}};

#undef UNMASK_LABELS

constexpr ColumnText kColumnTexts[] = {
    {"study", "", "name of the study"},
    {"kind", "", "train, attack or probe"},
    {"dataset", "", "name of the data set"},
    {"model", "", "name of the model"},
    {"objective", "", "name of the training objective"},
    {"train_solver", "", "solver of the training"},
    {"train_seed", "", "seed of the training"},
    {"solver", "", "solver under which the network answers"},
    {"gradient", "", "solver through which the attack differentiates; @eval: the one that answers"},
    {"source", "", "network on which adversarial images are made; @self: the attacked one"},
    {"attack", "", "name of the attack"},
    {"method", "", "name of the attack or probe"},
    {"norm", "", "norm in which the attack works"},
    {"epsilon", "pixels from 0 to 1", "radius of the attack"},
    {"epsilon_text", "", "the radius as the manifest wrote it; compare radii by it"},
    {"seed", "", "seed of the attack or probe"},
    {"place", "", "place in the plan of the study; 1 is the first"},
    {"place", "", "place in the list of rules", "verdict_rule"},
    {"is_alias", "", "1: another name of a cell that has one in its study already"},
    {"key", "", "SHA-256 of the specification: the identity of the cell"},
    {"cell_id", "", "number of the cell in the file"},
    {"checkpoint_cell_id", "", "the train cell whose network it is about"},
    {"state", "", "done, running, failed, interrupted or missing"},
    {"state", "", "decided, or undecided: the network gave no answer", "sample_outcome"},
    {"state", "", "decides, symptom, note, quiet or lacks evidence", "verdict_rule"},
    {"state", "", "running, ended or interrupted", "run"},
    {"attempts", "", "how often it was tried"},
    {"n", "samples", "samples behind the numbers"},
    {"n", "cells", "cells behind the numbers", "seed_summary"},
    {"n_undecided", "samples", "samples without an answer; they are never robust"},
    {"n_undecided", "attacks", "attacks for which the sample is undecided", "worst_case_sample"},
    {"threat_violations", "samples", "points outside the ball or the box, which were put back"},
    {"clean_correct", "samples", "right without the attack"},
    {"clean_correct", "", "1: right in every cell without the attack", "worst_case_sample"},
    {"robust_correct", "samples", "right without and with the attack, or all attacks"},
    {"clean_accuracy", "share", "clean_correct over n"},
    {"robust_accuracy", "share", "robust_correct over n"},
    {"lower", "share", "lower end of the 95 % Wilson interval"},
    {"upper", "share", "upper end of the 95 % Wilson interval"},
    {"cumulative_correct", "samples", "robust at this and every smaller radius of the norm"},
    {"cumulative_accuracy", "share", "cumulative_correct over n"},
    {"n_attacks", "cells", "attacks behind it"},
    {"n_missing",
     "cells",
     "attacks or probes of the plan without a result: a worst case may still fall"},
    {"n_failed", "cells", "those of them that failed when tried last"},
    {"n_fooled", "attacks", "attacks that turned a right answer into a wrong one"},
    {"sample", "", "index in the evaluation split"},
    {"label", "", "class of the sample"},
    {"clean_prediction", "", "class that the network says without an attack"},
    {"prediction", "", "class that it says of the attacked image"},
    {"robust", "", "1: every attack left the answer right"},
    {"n_fooled_gradient_free", "attacks", "those of them that take no gradient"},
    {"threat", "", "numbers network, solver, norm and radius within one answer"},
    {"distance",
     "norm of the attack",
     "least distance at which one fooled it",
     "worst_case_sample"},
    {"cumulative_robust", "", "1: those of smaller radii did so, too"},
    {"fooled_by", "", "names of the attacks that fooled it"},
    {"train_seeds", "", "different training seeds"},
    {"attack_seeds", "", "different attack seeds"},
    {"clean_mean", "share", "mean clean accuracy"},
    {"min", "share", "least robust accuracy"},
    {"max", "share", "largest robust accuracy"},
    {"mean", "share", "mean robust accuracy"},
    {"variance", "", "of the robust accuracy, divided by n - 1"},
    {"own_robust_accuracy", "share", "what the attack leaves through the evaluation solver itself"},
    {"gap",
     "share",
     "own_robust_accuracy minus robust_accuracy; above 0: the own gradient finds less"},
    {"phase", "", "what the solves were for"},
    {"solve", "", "name of the block"},
    {"solves", "", "number of solves"},
    {"nfe_min", "evaluations", "least vector-field evaluations per solve"},
    {"nfe_median", "evaluations", "median per solve"},
    {"nfe_max", "evaluations", "largest number per solve"},
    {"nfe_mean", "evaluations", "mean per solve"},
    {"accepted_mean", "steps", "accepted steps per solve"},
    {"rejected_mean", "steps", "rejected steps per solve"},
    {"failed", "solves", "solves that did not reach the end time"},
    {"worst_status", "", "why; ok when all did"},
    {"step_min", "model time", "smallest step"},
    {"step_max", "model time", "largest step"},
    {"device", "", "device of the worker"},
    {"wall_s", "s", "time that it took"},
    {"peak_bytes", "bytes", "peak resident memory of the worker"},
    {"device_peak_bytes", "bytes", "peak memory of the GPU that the worker held"},
    {"forwards", "samples", "samples passed forward"},
    {"backwards", "samples", "samples differentiated"},
    {"nfe", "evaluations", "vector-field evaluations, each on a batch"},
    {"lost_s", "s", "time of the tries that gave no result"},
    {"started_at", "", "UTC"},
    {"ended_at", "", "UTC"},
    {"failure_class", "", "plugin_error, crash, timeout, oom, device_fault or invalid"},
    {"message", "", "why it failed"},
    {"log_tail", "", "what the worker printed last"},
    {"signal", "", "signal that ended the worker"},
    {"exit_code", "", "exit code of the worker"},
    {"exit_code", "", "exit code of the run", "run"},
    {"attempt", "", "number of the try"},
    {"blocks", "cells", "cells that wait for it"},
    {"name", "", "name of the number"},
    {"value", "", "the number; NULL with a flag when it is none"},
    {"flag", "", "nan, inf or -inf"},
    {"reason", "", "why it is no number, where that is known"},
    {"step", "", "1 is the first"},
    {"distance",
     "pixels from 0 to 1",
     "between clean and attacked image in the norm of the attack"},
    {"queries", "answers", "that the attack asked for about the sample"},
    {"passes", "forward passes", "behind them; NULL: not counted"},
    {"id", "", "number of the row in the file"},
    {"run_id", "", "run whose plan and thresholds it follows"},
    {"judgement", "", "masked, suspect, not detected or insufficient evidence"},
    {"sentence", "", "why, in words"},
    {"plain_correct", "samples", "right after the plain gradient attack; NULL: there is none"},
    {"strongest", "", "attack that leaves least"},
    {"thresholds", "JSON", "thresholds in force, or those that the manifest sets"},
    {"evidence_sha256", "", "hash of the results, thresholds and rules behind it"},
    {"tool", "", "version of unmask"},
    {"made_at", "", "UTC"},
    {"verdict_id", "", "the verdict"},
    {"rule", "", "name of the rule"},
    {"statistic", "", "what value is"},
    {"p", "", "exact one-sided McNemar test of a paired rule"},
    {"p_adjusted", "", "the same for all tests of the verdict (Holm)"},
    {"threshold", "", "that the value was compared with last"},
    {"uuid", "", "random identifier"},
    {"manifest_id", "", "the manifest that was run"},
    {"environment_id", "", "machine and libraries"},
    {"argv", "JSON", "command line"},
    {"git_commit", "", "of the manifest's folder"},
    {"git_dirty", "", "1: with changes that are not committed"},
    {"pid", "", "process"},
    {"plan_id", "", "what it asked for; NULL: it ended before it had a plan"}};

}  // namespace

std::span<const Export> exports() {
  return kExports;
}

std::span<const ColumnText> column_texts() {
  return kColumnTexts;
}

const ColumnText& column_text(std::string_view in, std::string_view column) {
  const ColumnText* general = nullptr;
  for (const ColumnText& text : kColumnTexts) {
    if (text.column != column) continue;
    if (text.only_in == in) return text;
    if (text.only_in.empty()) general = &text;
  }
  UNMASK_CHECK(general != nullptr,
               "column " + std::string(column) + " of " + std::string(in) + " has no text");
  return *general;
}

}  // namespace unmask::results
