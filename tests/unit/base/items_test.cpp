// Items in a child: whichever of them takes it down gets the blame, and the others are answered.

#include "base/items.hpp"

#include <unistd.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::base::items_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using End = ItemAnswer::End;

// A child written in shell. Its request is JSON text here: {"from": n}; `item` is run for every item
// with its number in $i and answers through descriptor 3.
class ItemsTest : public ::testing::Test {
 protected:
  ItemAnswers ask(const std::string& item, std::size_t count, double timeout_s = 60) const {
    const std::string script = "cd '" + folder_.path().string() +
                               "'; i=$(tr -dc 0-9); while [ $i -lt " + std::to_string(count) +
                               " ]; do echo '{\"begin\":true}' >&3; " + item +
                               "; echo \"{\\\"found\\\":$i}\" >&3; i=$((i+1)); done; "
                               "echo '{\"end\":\"all\"}' >&3";
    const ItemCommand command{{"/bin/sh", "-c", script}, {}, timeout_s, reading_, "items fail"};
    return ask_items(command, count, [](std::size_t first) {
      // A string of digits: readable to a shell in CBOR, too.
      return json(std::to_string(first));
    });
  }

  TempFolder folder_;
  bool reading_ = false;
};

TEST_F(ItemsTest, AnswersEachInTurn) {
  const ItemAnswers answers = ask("true", 3);

  ASSERT_EQ(answers.items.size(), 3U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(answers.items[static_cast<std::size_t>(i)].answer, i);
  EXPECT_EQ(answers.end, "all");
}

TEST_F(ItemsTest, BlamesTheItemThatCrashes) {
  const ItemAnswers answers = ask("[ $i = 1 ] && kill -SEGV $$", 3);

  EXPECT_EQ(answers.items[0].end, End::kAnswered);
  EXPECT_EQ(answers.items[1].end, End::kCrashed);
  EXPECT_EQ(answers.items[1].ending, "killed by signal 11 (Segmentation fault)");
  EXPECT_EQ(answers.items[2].answer, 2);
}

TEST_F(ItemsTest, BlamesTheItemThatEndsTheProcess) {
  const ItemAnswers answers = ask("[ $i = 2 ] && exit 0", 3);

  EXPECT_EQ(answers.items[2].end, End::kExited);
  EXPECT_EQ(answers.items[2].ending, "exited with code 0");
  EXPECT_EQ(answers.end, "all");
}

TEST_F(ItemsTest, BlamesTheItemThatHangs) {
  const ItemAnswers answers = ask("[ $i = 0 ] && sleep 1000", 2, 0.5);

  EXPECT_EQ(answers.items[0].end, End::kLate);
  EXPECT_EQ(answers.items[0].ending, "0.5 s");
  EXPECT_EQ(answers.items[1].answer, 1);
}

TEST_F(ItemsTest, WaitsForAnItemThatReads) {
  reading_ = true;
  // Takes longer than the limit in all, and reads something in every tenth of it.
  const ItemAnswers answers =
      ask("echo text > x; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.1; read a < x; "
          "done",
          1,
          1);

  EXPECT_EQ(answers.items[0].end, End::kAnswered);
}

TEST_F(ItemsTest, BlamesTheItemInWhichNonsenseIsAnswered) {
  const ItemAnswers answers = ask("[ $i = 1 ] && echo nonsense >&3", 2);

  EXPECT_EQ(answers.items[1].end, End::kDisturbed);
}

TEST_F(ItemsTest, CutsAFloodShort) {
  const ItemAnswers answers = ask("[ $i = 0 ] && exec cat /dev/zero >&3", 2);

  EXPECT_EQ(answers.items[0].end, End::kDisturbed);
  EXPECT_EQ(answers.items[1].end, End::kAnswered);
}

TEST_F(ItemsTest, DoesNotBelieveAnEndBeforeTheWorkIsDone) {
  const ItemAnswers answers = ask("[ $i = 0 ] && echo '{\"end\":\"early\"}' >&3", 2);

  EXPECT_EQ(answers.items[0].end, End::kDisturbed);
  EXPECT_EQ(answers.end, "all");
}

TEST_F(ItemsTest, TriesAnItemAgainWhoseChildWasKilledFromOutside) {
  const ItemAnswers answers = ask("[ -e once ] || { touch once; kill -TERM $$; }", 2);

  EXPECT_EQ(answers.items[0].end, End::kAnswered);
  EXPECT_EQ(answers.items[1].end, End::kAnswered);
}

TEST_F(ItemsTest, BlamesAnItemThatIsKilledEveryTime) {
  const ItemAnswers answers = ask("[ $i = 0 ] && kill -KILL $$", 2);

  EXPECT_EQ(answers.items[0].end, End::kCrashed);
  EXPECT_EQ(answers.items[1].end, End::kAnswered);
}

TEST_F(ItemsTest, StartsAChildAgainThatWasKilledBeforeItBegan) {
  const std::string script = "cd '" + folder_.path().string() +
                             "'; [ -e once ] || { touch once; kill -KILL $$; }; "
                             "echo '{\"end\":1}' >&3";

  const ItemAnswers answers = ask_items({{"/bin/sh", "-c", script}, {}, 60, false, "items fail"},
                                        0,
                                        [](std::size_t) { return json(""); });

  EXPECT_EQ(answers.end, 1);
}

TEST_F(ItemsTest, SaysWhyAChildCannotStart) {
  try {
    ask_items({{"/bin/sh", "-c", "echo no engine here >&2; exit 3"}, {}, 60, false, "items fail"},
              1,
              [](std::size_t) { return json(""); });
    FAIL() << "it answered";
  } catch (const PluginError& error) {
    EXPECT_STREQ(error.what(),
                 "items fail: the process '/bin/sh' exited with code 3; it said: no engine here");
  }
}

TEST(Request, HoldsMoreThanAnArgumentCanAndBytesThatAreNotUtf8) {
  // Linux ends an argument at 128 KiB.
  const json request = {{"file", "/caf\xe9/x.so"}, {"long", std::string(1 << 20, 'x')}};
  const UniqueFd file = memory_file(encode_request(request));

  EXPECT_EQ(read_request(file.get()), request);
}

TEST(Request, MayBeWrittenByHand) {
  const UniqueFd file = memory_file("{\"plugins\": []}\n");

  EXPECT_EQ(read_request(file.get()), json({{"plugins", json::array()}}));
}

}  // namespace
}  // namespace unmask::base::items_test
