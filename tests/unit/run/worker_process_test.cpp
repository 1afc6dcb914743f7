#include "run/worker_process.hpp"

#include <string>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::run::worker_process_test {
namespace {

TEST(WorkerLog, WritesWhatItGets) {
  const base::TempFolder folder;
  WorkerLog log(folder.path() / "log", 1000);

  log.begin("one");
  log.append("text\n");

  EXPECT_EQ(base::read_file(folder.path() / "log"), "== one\ntext\n");
}

TEST(WorkerLog, SaysWhereItWasCut) {
  const base::TempFolder folder;
  WorkerLog log(folder.path() / "log", 10);

  log.begin("one");  // 7 bytes
  log.append("abcdef\n");
  log.append("more\n");

  EXPECT_EQ(base::read_file(folder.path() / "log"),
            "== one\nabc\n== more than 10 bytes: the rest of this cell's output is dropped\n");
}

TEST(WorkerLog, StartsTheFileAnewWhenItIsFull) {
  const base::TempFolder folder;
  WorkerLog log(folder.path() / "log", 10);
  log.begin("one");
  log.append("abcdef\n");

  log.begin("two");

  EXPECT_EQ(base::read_file(folder.path() / "log"), "== two\n");
}

TEST(WorkerLog, RefusesAFileThatCannotBeMade) {
  EXPECT_THROW(WorkerLog("/no/such/folder/log", 10), DataError);
}

TEST(WorkerLogTail, HoldsTheLastTwentyLines) {
  WorkerLog log({}, 1000);
  std::string expected;
  for (int i = 0; i < 30; ++i) {
    log.append("line " + std::to_string(i) + "\n");
    if (i >= 10) expected += "line " + std::to_string(i) + (i < 29 ? "\n" : "");
  }

  EXPECT_EQ(log.tail(), expected);
}

TEST(WorkerLogTail, HoldsFewLinesWhole) {
  WorkerLog log({}, 1000);

  log.append("\none\n\ntwo\n\n");

  EXPECT_EQ(log.tail(), "\none\n\ntwo");
}

TEST(WorkerLogTail, HoldsAtMostFourKibibytesOfALongLine) {
  WorkerLog log({}, 1000);

  log.append(std::string(100000, 'x'));

  EXPECT_EQ(log.tail(), std::string(4096, 'x'));
}

TEST(WorkerLogTail, IsEmptyWhenNothingCame) {
  EXPECT_EQ(WorkerLog({}, 1000).tail(), "");
}

TEST(WorkerLogTail, BeginsWithTheCell) {
  WorkerLog log({}, 1000);
  log.append("before\n");

  log.begin("cell");
  log.append("after\n");

  EXPECT_EQ(log.tail(), "after");
}

TEST(WorkerLogTail, KeepsUtf8AndReplacesWhatIsNot) {
  WorkerLog log({}, 1000);

  // Two, three and four bytes; a lone continuation byte; an overlong zero; a surrogate; a cut
  // sequence.
  log.append("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \x80 \xc0\x80 \xed\xa0\x80 \xe2\x82");

  EXPECT_EQ(log.tail(), "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 ? ?? ??? ??");
}

TEST(WorkerLogTail, ReplacesControlCharacters) {
  WorkerLog log({}, 1000);

  log.append(std::string("a\x1b[2Jb\tc\0d", 10));

  EXPECT_EQ(log.tail(), "a?[2Jb\tc?d");
}

}  // namespace
}  // namespace unmask::run::worker_process_test
