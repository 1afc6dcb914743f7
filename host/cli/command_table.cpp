#include "cli/command_table.hpp"

#include <algorithm>
#include <cstring>

#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

constexpr Command kCommands[] = {
    {"check", command_check, "validate a manifest and name every error in it"},
    {"plan", command_plan, "show what a manifest asks for, what is stored, what will run"},
    {"run", command_run, "run what is missing of a manifest and record it"},
    {"status",
     command_status,
     "show how much of a manifest is done, and what failed; follow a run"},
    {"watch", command_watch, "show a study in the browser while it runs, and afterwards"},
    {"explain", command_explain, "say why cells are stored, or in what they differ from what is"},
    {"submit",
     command_submit,
     "run a manifest on several machines: freeze its plan, divide it, send it to Slurm"},
    {"merge", command_merge, "put the databases of several machines into one"},
    {"exec", command_exec, "execute one stored cell in this process, without recording it"},
    {"verify",
     command_verify,
     "execute stored cells again and compare them with what is stored, to the last bit"},
    {"import",
     command_import,
     "make a safetensors file from elsewhere fit a model, and check that it does"},
    {"query", command_query, "ask the database: a named query or SQL"},
    {"report", command_report, "write a page that shows a study: verdicts, tables, figures"},
    {"compare", command_compare, "compare two networks, attacks, studies or runs sample by sample"},
    {"pivot", command_pivot, "show one number of all attacks as a table of two axes"},
    {"figure", command_figure, "draw a figure of a study, with its data beside it"},
    {"export", command_export, "write the results as files for other programs"},
    {"verdict",
     command_verdict,
     "say whether gradients are masked, why, and what evidence is missing"},
    {"judge",
     command_judge,
     "judge one network: attack it, measure it, say whether its gradient is masked"},
    {"samples",
     command_samples,
     "show what an attack did to each sample, as a table and a picture"},
    {"db", command_db, "what a database is and holds; copies of it; remove what nothing refers to"},
    {"plugins", command_plugins, "list, show and check plugins"},
    {"schema", command_schema, "print the JSON Schema of manifests, for editors"},
    {"doctor", command_doctor, "show LibTorch, BLAS, devices, SQLite, plugin folders"},
    {"help", command_help, "explain a command or a topic"},
    {"completion", command_completion, "print the completion of a shell: bash, zsh or fish"},
    {"man", command_man, "print the manual page"},
};

constexpr std::size_t kNameColumn = 12;

}  // namespace

const char* const kExitCodes =
    "0 done, 1 some cells failed, 2 usage, 3 manifest or data, 4 plugin, 5 database, 70 bug";

std::span<const Command> commands() {
  return kCommands;
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : kCommands) {
    if (name == command.name) return command;
    names.emplace_back(command.name);
  }
  throw UsageError("unknown command \"" + name + "\"\n" +
                   words::help_for_unknown(name, names, "commands"));
}

CommandDescription describe(const Command& command) {
  CommandDescription description;
  {
    const Describing describing(description);
    command.function({});
  }
  UNMASK_CHECK(!description.usage.empty(), std::string(command.name) + " declares no options");
  return description;
}

std::string overview_text() {
  std::string text = "unmask " UNMASK_VERSION
                     " - tells whether a classifier is robust or merely hides its gradients\n\n"
                     "usage: unmask COMMAND [ARGUMENTS] [--help]\n\n";
  for (const Command& command : kCommands) {
    const std::string name = command.name;
    text += "  " + name + std::string(kNameColumn - std::min(kNameColumn, name.size()), ' ') +
            command.summary + "\n";
  }
  return text + "\nexit codes: " + kExitCodes + "\n";
}

}  // namespace unmask::cli
