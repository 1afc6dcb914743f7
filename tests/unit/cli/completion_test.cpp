// Completion, manual page and help come from the options that the commands declare.

#include "cli/completion.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_table.hpp"
#include "cli/help_topics.hpp"
#include "cli/man_page.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli::completion_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const ParameterDescription& option(const CommandDescription& command, const std::string& name) {
  for (const ParameterDescription& one : command.options) {
    if (one.name == name) return one;
  }
  throw InternalError("no option " + name);
}

TEST(Choices, AreReadFromTheTextOfAnOption) {
  EXPECT_THAT(choices_in("auto, terminal, plain, json or none"),
              ElementsAre("auto", "terminal", "plain", "json", "none"));
  EXPECT_THAT(choices_in("text or json"), ElementsAre("text", "json"));
  EXPECT_THAT(choices_in("table (text for people), csv, json (everything), markdown or latex"),
              ElementsAre("table", "csv", "json", "markdown", "latex"));
  EXPECT_THAT(choices_in("auto, cpu, cuda (all devices) or cuda:N"),
              ElementsAre("auto", "cpu", "cuda"));
  EXPECT_THAT(choices_in("linf or l2; default: linf"), ElementsAre("linf", "l2"));
}

TEST(Choices, AreNotSeenInOtherTexts) {
  for (const char* doc : {"the results database",
                          "",
                          "number",
                          "a file, or a folder of files",
                          "begin no further cell after a failure",
                          "port; 0: any that is free",
                          "run only matching cells and what they need, e.g. attack=pgd*"}) {
    EXPECT_THAT(choices_in(doc), IsEmpty()) << doc;
  }
}

TEST(Description, IsWhatTheCommandDeclares) {
  const CommandDescription run = describe(find_command("run"));

  EXPECT_THAT(run.usage, StartsWith("run MANIFEST [options]"));
  EXPECT_THAT(option(run, "progress").choices,
              ElementsAre("auto", "terminal", "plain", "json", "none"));
  EXPECT_EQ(option(run, "fail-fast").value, "");
  EXPECT_EQ(option(run, "db").value, "arg (=results/unmask.sqlite)");
  EXPECT_THAT(option(run, "color").choices, ElementsAre("auto", "always", "never"));
  ASSERT_EQ(run.arguments.size(), 1U);
  EXPECT_EQ(run.arguments[0].name, "manifest");
}

TEST(Completion, ListsEveryCommandAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(shell);
    for (const Command& command : commands()) {
      EXPECT_THAT(script, HasSubstr(command.name)) << shell;
      for (const ParameterDescription& one : describe(command).options) {
        const std::string name = shell == std::string("fish") ? " -l " : "--";
        EXPECT_THAT(script, HasSubstr(name + one.name)) << shell << " " << command.name;
        for (const std::string& choice : one.choices) EXPECT_THAT(script, HasSubstr(choice));
      }
    }
    EXPECT_THAT(script, HasSubstr("gradient-matrix")) << "a named query, of " << shell;
  }
}

TEST(Completion, IsForShellsThatItKnows) {
  EXPECT_THROW(completion_script("tcsh"), UsageError);
}

TEST(ManPage, HasEveryCommandAndOption) {
  const std::string page = man_page();

  for (const Command& command : commands()) {
    EXPECT_THAT(page, HasSubstr(std::string("\n.SS ") + command.name + "\n"));
    for (const ParameterDescription& one : describe(command).options) {
      EXPECT_THAT(page, HasSubstr("\\fB" + roff("--" + one.name) + "\\fR"))
          << command.name << " " << one.name;
    }
  }
}

TEST(ManPage, PrintsTextsAsTheyAre) {
  EXPECT_EQ(roff(".x"), "\\&.x");
  EXPECT_EQ(roff("'x'"), "\\&\\(aqx\\(aq");
  EXPECT_EQ(roff("a\\b-c"), "a\\eb\\-c");
  EXPECT_EQ(roff("a\nb"), "a b");
}

TEST(Help, HasTopicsOfEightyColumns) {
  EXPECT_NE(find_topic("manifest"), nullptr);
  EXPECT_NE(find_topic("verdicts"), nullptr);
  EXPECT_NE(find_topic("filters"), nullptr);
  EXPECT_EQ(find_topic("weather"), nullptr);
  for (const HelpTopic& topic : help_topics()) {
    std::size_t width = 0;
    for (const char c : std::string(topic.text)) {
      width = c == '\n' ? 0 : width + 1;
      EXPECT_LE(width, 80U) << topic.name;
    }
    EXPECT_EQ(std::string(topic.text).back(), '\n');
  }
}

TEST(Help, SaysOfAnUnknownCommandWhichWasMeant) {
  try {
    find_command("stauts");
    FAIL() << "it was found";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("status"));
  }
  EXPECT_THAT(overview_text(), HasSubstr("exit codes: 0 done"));
  EXPECT_THAT(overview_text(), Not(HasSubstr("__engine")));
}

}  // namespace
}  // namespace unmask::cli::completion_test
