#include "cli/completion.hpp"

#include <string_view>
#include <vector>

#include "cli/command_table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string substituted(std::string_view text, char what, std::string_view by) {
  std::string result;
  for (const char c : text) {
    if (c == what) {
      result += by;
    } else {
      result += c;
    }
  }
  return result;
}

std::string in_quotes(std::string_view text) {
  return "'" + substituted(text, '\'', "'\\''") + "'";
}

// The text of an option as one line.
std::string line_of(const std::string& doc) {
  return substituted(doc, '\n', " ");
}

std::vector<std::string> names_of_commands() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  return names;
}

// ---- bash ----

std::string bash_of_command(const Command& command) {
  const CommandDescription description = describe(command);
  std::vector<std::string> options;
  std::string values;
  for (const ParameterDescription& option : description.options) {
    options.push_back("--" + option.name);
    if (option.value.empty()) continue;
    values += "        --" + option.name +
              ") values=" + (option.choices.empty() ? "FILES" : in_quotes(joined(option.choices))) +
              " ;;\n";
  }
  std::vector<std::string> words;
  for (const ParameterDescription& argument : description.arguments) {
    words.insert(words.end(), argument.choices.begin(), argument.choices.end());
  }
  return "    " + std::string(command.name) + ")\n      options=" + in_quotes(joined(options)) +
         "\n      words=" + in_quotes(joined(words)) + "\n      case $previous in\n" + values +
         "      esac ;;\n";
}

std::string bash_script() {
  std::string text =
      "# bash completion of unmask " UNMASK_VERSION
      ", made by `unmask completion bash`\n"
      "_unmask() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local options= words= values=\n"
      "  COMPREPLY=()\n"
      "  # bash takes --format=json for three words\n"
      "  if [[ $current == = ]]; then\n"
      "    current=\n"
      "  elif [[ $previous == = && COMP_CWORD -ge 2 ]]; then\n"
      "    previous=${COMP_WORDS[COMP_CWORD-2]}\n"
      "  fi\n"
      "  if (( COMP_CWORD == 1 )); then\n"
      "    COMPREPLY=($(compgen -W " +
      in_quotes(joined(names_of_commands()) + " --help --version") +
      " -- \"$current\"))\n"
      "    return\n"
      "  fi\n"
      "  case ${COMP_WORDS[1]} in\n";
  for (const Command& command : commands()) text += bash_of_command(command);
  return text +
         "    *) return ;;\n"
         "  esac\n"
         "  # Without an answer here bash completes names of files (-o default).\n"
         "  if [[ -n $values ]]; then\n"
         "    [[ $values == FILES ]] || COMPREPLY=($(compgen -W \"$values\" -- \"$current\"))\n"
         "  elif [[ $current == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  fi\n"
         "}\n"
         "complete -o bashdefault -o default -F _unmask unmask\n";
}

// ---- zsh ----

// Inside of [...] of a specification.
std::string zsh_doc(const std::string& doc) {
  std::string text;
  for (const char c : line_of(doc)) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

std::string zsh_action(const ParameterDescription& parameter) {
  return parameter.choices.empty() ? "_files" : "(" + joined(parameter.choices) + ")";
}

std::string zsh_of_command(const Command& command) {
  const CommandDescription description = describe(command);
  std::string text = "    " + std::string(command.name) + ")\n      _arguments -S \\\n";
  for (const ParameterDescription& option : description.options) {
    const bool is_flag = option.value.empty();
    text += "        " +
            in_quotes((is_flag ? "--" : "*--") + option.name + (is_flag ? "[" : "=[") +
                      zsh_doc(option.doc) + "]" +
                      (is_flag ? "" : ":" + option.name + ":" + zsh_action(option))) +
            " \\\n";
  }
  for (const ParameterDescription& argument : description.arguments) {
    text += "        " +
            in_quotes(std::string(argument.is_many ? "*" : "") + ":" + argument.name + ":" +
                      zsh_action(argument)) +
            " \\\n";
  }
  return text + "        && return ;;\n";
}

std::string zsh_script() {
  std::string text = "#compdef unmask\n# zsh completion of unmask " UNMASK_VERSION
                     ", made by `unmask completion zsh`\n"
                     "_unmask() {\n"
                     "  local -a commands\n"
                     "  commands=(\n";
  for (const Command& command : commands()) {
    text += "    " + in_quotes(std::string(command.name) + ":" + zsh_doc(command.summary)) + "\n";
  }
  text +=
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe -t commands 'command' commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n";
  for (const Command& command : commands()) text += zsh_of_command(command);
  return text +
         "  esac\n"
         "}\n"
         "# In a folder of fpath this file is the function; read with `source` it declares one.\n"
         "if [[ $funcstack[1] == _unmask ]]; then\n"
         "  _unmask \"$@\"\n"
         "else\n"
         "  compdef _unmask unmask\n"
         "fi\n";
}

// ---- fish ----

// Within single quotes fish knows two escapes.
std::string fish_quoted(const std::string& text) {
  return "'" + substituted(substituted(text, '\\', "\\\\"), '\'', "\\'") + "'";
}

std::string fish_of_command(const Command& command) {
  const CommandDescription description = describe(command);
  const std::string begin = "complete -c unmask -n " +
                            fish_quoted("__fish_seen_subcommand_from " + std::string(command.name));
  std::string text = "complete -c unmask -n __fish_use_subcommand -f -a " +
                     std::string(command.name) + " -d " + fish_quoted(command.summary) + "\n";
  for (const ParameterDescription& option : description.options) {
    text += begin + " -l " + option.name;
    if (!option.value.empty()) {
      text += option.choices.empty() ? " -r -F" : " -x -a " + fish_quoted(joined(option.choices));
    }
    text += " -d " + fish_quoted(line_of(option.doc)) + "\n";
  }
  for (const ParameterDescription& argument : description.arguments) {
    text += begin +
            (argument.choices.empty() ? " -F" : " -f -a " + fish_quoted(joined(argument.choices))) +
            "\n";
  }
  return text;
}

std::string fish_script() {
  std::string text =
      "# fish completion of unmask " UNMASK_VERSION ", made by `unmask completion fish`\n";
  for (const Command& command : commands()) text += fish_of_command(command);
  return text + "complete -c unmask -n __fish_use_subcommand -f -l version -d 'show the version'\n";
}

}  // namespace

std::string completion_script(const std::string& shell) {
  if (shell == "bash") return bash_script();
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  throw UsageError("there is completion for bash, zsh and fish, not for \"" + shell + "\"");
}

}  // namespace unmask::cli
