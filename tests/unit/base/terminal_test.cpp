#include "base/terminal.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "unmask/errors.hpp"

namespace unmask::base::terminal_test {
namespace {

// A variable as a test wants it, and as it was afterwards.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = ::getenv(name)) old_ = old;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variable() { old_ ? ::setenv(name_, old_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

// The end of a terminal that programs write to.
class Terminal {
 public:
  Terminal() : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    ::grantpt(master_.get());
    ::unlockpt(master_.get());
    end_ = UniqueFd(::open(::ptsname(master_.get()), O_RDWR | O_NOCTTY));
  }
  int fd() const { return end_.get(); }

 private:
  UniqueFd master_, end_;
};

class TerminalTest : public ::testing::Test {
 protected:
  void TearDown() override { set_color_choice(ColorChoice::kAuto); }

  Terminal terminal_;
  UniqueFd file_{::open("/dev/null", O_WRONLY)};
};

TEST_F(TerminalTest, IsAsWideAsColumnsSays) {
  const Variable columns("COLUMNS", "57");

  EXPECT_EQ(terminal_columns(file_.get()), 57);
}

TEST_F(TerminalTest, IsOfTheUsualWidthWhereNobodySays) {
  for (const char* value : {"", "0", "-5", "80x", "wide", "99999999999"}) {
    const Variable columns("COLUMNS", value);
    EXPECT_EQ(terminal_columns(file_.get()), 80) << value;
  }
}

TEST_F(TerminalTest, HasColorsUnlessItIsDumb) {
  const Variable none("NO_COLOR", nullptr);
  {
    const Variable kind("TERM", "xterm");
    EXPECT_TRUE(wants_color(terminal_.fd()));
    EXPECT_TRUE(is_redrawable(terminal_.fd()));
    EXPECT_FALSE(wants_color(file_.get()));
    EXPECT_FALSE(is_redrawable(file_.get()));
  }
  for (const char* value : {"dumb", "", static_cast<const char*>(nullptr)}) {
    const Variable kind("TERM", value);
    EXPECT_FALSE(wants_color(terminal_.fd()));
    EXPECT_FALSE(is_redrawable(terminal_.fd()));
  }
}

TEST_F(TerminalTest, HasNoColorsUnderNoColor) {
  const Variable kind("TERM", "xterm");
  {
    const Variable none("NO_COLOR", "1");
    EXPECT_FALSE(wants_color(terminal_.fd()));
  }
  const Variable empty("NO_COLOR", "");  // counts as not set
  EXPECT_TRUE(wants_color(terminal_.fd()));
}

TEST_F(TerminalTest, DoesAsItIsTold) {
  const Variable kind("TERM", "xterm");
  const Variable none("NO_COLOR", "1");
  set_color_choice(parse_color_choice("always"));
  EXPECT_TRUE(wants_color(file_.get()));
  EXPECT_TRUE(wants_color(terminal_.fd()));

  set_color_choice(parse_color_choice("never"));
  EXPECT_FALSE(wants_color(terminal_.fd()));

  EXPECT_THROW(parse_color_choice("green"), UsageError);
}

TEST_F(TerminalTest, PaintsWhatIsToBePainted) {
  EXPECT_EQ(painted("x", Color::kRed, true), "\x1b[31mx\x1b[0m");
  EXPECT_EQ(painted("x", Color::kRed, false), "x");
}

}  // namespace
}  // namespace unmask::base::terminal_test
