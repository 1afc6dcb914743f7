#include "cli/man_page.hpp"

#include <algorithm>

#include "cli/command_table.hpp"
#include "cli/help_topics.hpp"

namespace unmask::cli {
namespace {

// Line ends of a summary are those of a terminal of 100 columns: a paragraph ends at an empty line.
std::string paragraphs(const std::string& text) {
  std::string joined;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\n') {
      joined += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '\n') {
      joined += "\n.PP\n";
      ++i;
    } else {
      joined += ' ';
    }
  }
  std::string result;
  for (std::size_t at = 0; at <= joined.size();) {
    const std::size_t end = std::min(joined.find('\n', at), joined.size());
    const std::string line = joined.substr(at, end - at);
    result += line == ".PP" ? line : roff(line);
    result += '\n';
    at = end + 1;
  }
  return result;
}

std::string roff_entry(const std::string& name, const std::string& value, const std::string& doc) {
  std::string text = ".TP\n\\fB" + roff(name) + "\\fR";
  if (!value.empty()) text += " \\fI" + roff(value) + "\\fR";
  return text + "\n" + roff(doc) + "\n";
}

std::string section_of(const Command& command) {
  const CommandDescription description = describe(command);
  std::string text = ".SS " + roff(command.name) + "\n.B unmask " + roff(description.usage) +
                     "\n.PP\n" + paragraphs(description.summary);
  for (const ParameterDescription& argument : description.arguments) {
    text += roff_entry(argument.name, "", argument.doc);
  }
  for (const ParameterDescription& option : description.options) {
    // Every command has these: they stand once, at the end.
    if (option.name == "help" || option.name == "color") continue;
    text += roff_entry("--" + option.name, option.value, option.doc);
  }
  return text;
}

// Lines as they are.
std::string literal(const std::string& text) {
  std::string result = ".PP\n.nf\n";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    result += end == at ? std::string("\\&\n") : roff(text.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return result + ".fi\n";
}

}  // namespace

std::string roff(std::string_view text) {
  std::string result;
  // A line must not begin as a request does.
  if (!text.empty() && (text.front() == '.' || text.front() == '\'')) result = "\\&";
  for (const char c : text) {
    switch (c) {
      case '\\': result += "\\e"; break;
      case '-': result += "\\-"; break;
      case '\'': result += "\\(aq"; break;
      case '`': result += "\\(ga"; break;
      case '^': result += "\\(ha"; break;
      case '~': result += "\\(ti"; break;
      case '"': result += "\\(dq"; break;
      case '\n': result += ' '; break;
      default: result += c;
    }
  }
  return result;
}

std::string man_page() {
  std::string text =
      ".\\\" Made by `unmask man`.\n"
      ".TH UNMASK 1 \"\" \"unmask " UNMASK_VERSION
      "\" \"User Commands\"\n.SH NAME\n"
      "unmask \\- tells whether a classifier is robust or merely hides its gradients\n"
      ".SH SYNOPSIS\n.B unmask\n.I COMMAND\n[\\fIARGUMENTS\\fR] [\\fB\\-\\-help\\fR]\n"
      ".SH DESCRIPTION\nTrains or imports networks, attacks them with and without their gradients, "
      "changes the ODE solver\nunder them, and records every outcome, per sample, in one SQLite "
      "file.\n.SH COMMANDS\n";
  for (const Command& command : commands()) text += section_of(command);
  text += ".SS Options of every command\n" +
          roff_entry("--help", "", "show what the command does") +
          roff_entry("--color",
                     "arg (=auto)",
                     "auto (colours on a terminal, without NO_COLOR), always "
                     "or never");
  text += ".SH TOPICS\n";
  for (const HelpTopic& topic : help_topics()) {
    if (std::string_view(topic.name) == "environment" ||
        std::string_view(topic.name) == "exit-codes") {
      continue;
    }
    text += ".SS " + roff(topic.name) + "\n" + roff(topic.summary) + ".\n" + literal(topic.text);
  }
  text += ".SH ENVIRONMENT" + literal(find_topic("environment")->text).substr(3);
  text += ".SH EXIT STATUS" + literal(find_topic("exit-codes")->text).substr(3);
  return text + ".SH FILES\n" +
         roff_entry("results/unmask.sqlite",
                    "",
                    "the results database, unless --db "
                    "names another") +
         ".SH SEE ALSO\nThe documents in share/doc/unmask/docs of the installation.\n";
}

}  // namespace unmask::cli
