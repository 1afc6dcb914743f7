#include "cli/help_topics.hpp"

namespace unmask::cli {
namespace {

constexpr HelpTopic kTopics[] = {
    {"manifest",
     "what to train, what to attack and how: the JSON file of a study",
     R"(A manifest is a JSON file with comments. "define" names data sets, models,
objectives, solvers, attacks and probes; two matrices combine the names:
"train" makes networks, "evaluate" attacks and measures them. Every
combination is a cell. Names may be patterns (ode*), "exclude", "only" and
"add" refine a matrix, "extends" builds on another file.

  unmask check FILE          every error at once, with line and suggestion
  unmask plan FILE           the cells, what is stored, what it will cost
  unmask run FILE            run what is missing; again after any interruption
  unmask schema              for completion and explanations in an editor
  unmask plugins show ID     what may be set for a plugin

More: docs/manifest.md; examples lie in experiments/.
)"},
    {"filters",
     "--only and the filters of verdict: which cells, rows or verdicts",
     R"(A filter is a list of name=pattern with commas; all of it must match. * stands
for anything. Several filters add up to "one of them".

  unmask run FILE --only attack=pgd*,model=resnet --only kind=probe
  unmask query accuracy --only model=so_*,epsilon_text=8/255
  unmask verdict model=so_*,epsilon=8/255

Of run: kind, dataset, model, objective, train_solver, train_seed, solver,
gradient, source, attack, probe, epsilon, seed, key; what a chosen cell needs
runs with it. Of query: every column of the answer (? is one character). Of
verdict: study, dataset, model, objective, train_solver, train_seed, solver,
norm, epsilon.

More: docs/database.md and docs/verdicts.md.
)"},
    {"verdicts",
     "masked, suspect, not detected, insufficient evidence: what they mean",
     R"(A verdict is about one network under one solver, norm and radius.

  masked                 a rule decides: other attacks find clearly more than
                         the plain gradient attack, or the gradient is useless
  suspect                no rule decides, but there are symptoms of two kinds
  not detected           neither; never a claim that the network is robust
  insufficient evidence  too few samples, or an attack is missing that had to
                         be tried

  unmask verdict             every rule, its number and its threshold
  unmask judge NETWORK       attacks, measurements and verdict of one network

More: docs/verdicts.md.
)"},
    {"database",
     "where results are, and how to ask for them",
     R"(Everything is in one SQLite file, results/unmask.sqlite or what --db names. One
process writes, any number read meanwhile. Checkpoints, kept images and logs
lie in folders beside it.

  unmask query --list            the questions that have a name
  unmask query robustness        the table to begin with
  unmask query "SELECT ..."      any SQL that only reads
  unmask query cost --format csv

More: docs/database.md, with every table, column and view.
)"},
    {"watching",
     "how far a run is: in its terminal, from another one, in the browser",
     R"(unmask run shows its progress on the terminal: lines that are drawn again, or
one line for each event (--progress plain, also where TERM is dumb and in a
pipe), or JSON for programs (--progress json).

  unmask status --follow         the same from another terminal, until it ends
  unmask watch                   a page for the browser, with curves and logs

Both only read the database, and may come and go.

More: docs/watch.md.
)"},
    {"plugins",
     "solvers, models, attacks, data sets, objectives and probes",
     R"(Everything that can be combined is a plugin, a library that is looked at in a
child process. --plugin-dir FOLDER and UNMASK_PLUGIN_PATH add folders.

  unmask plugins list            what there is, and what was refused and why
  unmask plugins show pgd        its parameters, with ranges and defaults
  unmask plugins new attack ID   a folder with one that builds
  unmask plugins test FILE       try all that a plugin of its kind must keep

More: docs/plugins.md and docs/plugin-author-guide.md.
)"},
    {"environment",
     "variables that unmask looks at",
     R"(UNMASK_PLUGIN_PATH   further folders of plugins, separated by colons
UNMASK_CACHE_DIR     where answers about files that do not change are kept;
                     default: $XDG_CACHE_HOME/unmask, else ~/.cache/unmask
NO_COLOR             set to anything: no colours (see --color)
TERM                 "dumb" or not set: no colours, and no line is drawn again
COLUMNS              how wide to draw on a terminal; default: as it is
)"},
    {"exit-codes",
     "what the number that a command ends with means",
     R"(0   done
1   some cells failed, or the study is not complete
2   the command line is wrong
3   the manifest or its data are wrong
4   a plugin, LibTorch or the engine cannot be used
5   the database or another file cannot be read or written
70  a bug of unmask: please report it
141 whoever read the output had seen enough (| head)
)"},
};

}  // namespace

std::span<const HelpTopic> help_topics() {
  return kTopics;
}

const HelpTopic* find_topic(const std::string& name) {
  for (const HelpTopic& topic : kTopics) {
    if (name == topic.name) return &topic;
  }
  return nullptr;
}

}  // namespace unmask::cli
