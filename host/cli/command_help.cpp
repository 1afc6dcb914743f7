// unmask help: what a command or a topic is about.

#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/command_table.hpp"
#include "cli/commands.hpp"
#include "cli/help_topics.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  for (const HelpTopic& topic : help_topics()) names.emplace_back(topic.name);
  return names;
}

void print_topics() {
  std::cout << "\ntopics, for unmask help TOPIC:\n";
  for (const HelpTopic& topic : help_topics()) {
    std::cout << "  " << topic.name << std::string(13 - std::strlen(topic.name), ' ')
              << topic.summary << "\n";
  }
}

}  // namespace

int command_help(const Arguments& arguments) {
  CommandLine line("help [COMMAND | TOPIC]",
                   "Explains a command, as COMMAND --help does, or a topic. Without a name, lists "
                   "both.");
  line.positional("name", "a command or a topic");
  line.choices("name", all_names());
  if (!line.parse(arguments)) return 0;
  if (!line.has("name")) {
    std::cout << overview_text();
    print_topics();
    return 0;
  }
  const auto name = line.get<std::string>("name");
  // A topic of the name of a command says more, and names the command.
  if (const HelpTopic* topic = find_topic(name)) {
    std::cout << topic->name << ": " << topic->summary << "\n\n" << topic->text;
    return 0;
  }
  for (const Command& command : commands()) {
    if (name == command.name) return command.function({"--help"});
  }
  throw UsageError("there is no command or topic \"" + name + "\"\n" +
                   words::help_for_unknown(name, all_names(), "commands and topics"));
}

}  // namespace unmask::cli
