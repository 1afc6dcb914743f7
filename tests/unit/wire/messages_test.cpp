#include "wire/messages.hpp"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "base/frames.hpp"
#include "support/fake_part.hpp"

namespace unmask::wire::messages_test {
namespace {

using nlohmann::json;

// There and back through text, as over the socket.
json over_the_wire(const json& message) {
  return json::parse(message.dump());
}

template <typename Parse>
std::string message_of(Parse parse, const json& message) {
  try {
    parse(message);
  } catch (const base::FrameError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Messages, CarryAnOrderToExecute) {
  const Execute sent{"k", CellKind::kAttack, {{"a", 1}}, {{"b", 2}}, CheckpointFile{"h", 3, "p"}};

  const auto got = std::get<Execute>(parse_host_message(over_the_wire(sent)));

  EXPECT_EQ(json(got), json(sent));
  EXPECT_EQ(got.checkpoint->path, "p");
}

TEST(Messages, CarryAnOrderWithoutACheckpoint) {
  const Execute sent{"k", CellKind::kTrain, {}, {}, std::nullopt};

  const auto got = std::get<Execute>(parse_host_message(over_the_wire(sent)));

  EXPECT_FALSE(got.checkpoint.has_value());
}

TEST(Messages, CarryAStop) {
  EXPECT_TRUE(std::holds_alternative<Stop>(parse_host_message(over_the_wire(Stop{}))));
}

TEST(Messages, CarryAHello) {
  const auto got = std::get<Hello>(parse_worker_message(over_the_wire(Hello{7, "cuda:0", "1.13"})));

  EXPECT_EQ(json(got), json(Hello{7, "cuda:0", "1.13"}));
}

TEST(Messages, CarryTheFreeMemoryOfAGpu) {
  const Hello sent{7, "cuda:0", "1.13", std::int64_t{3} << 30};

  const auto got = std::get<Hello>(parse_worker_message(over_the_wire(sent)));

  EXPECT_EQ(got.free_device_bytes, std::int64_t{3} << 30);
}

TEST(Messages, CarryProgress) {
  const CellProgress sent{"k", 1, 3, "epoch"};

  EXPECT_EQ(json(std::get<CellProgress>(parse_worker_message(over_the_wire(sent)))), json(sent));
}

TEST(Messages, CarryAPart) {
  const Part sent{"k", test::fake_part(4, 8, 23, 4), "it changed the rounding mode"};

  EXPECT_EQ(json(std::get<Part>(parse_worker_message(over_the_wire(sent)))), json(sent));
}

TEST(Messages, CarryWhichPartIsWanted) {
  const Execute sent{.key = "k",
                     .kind = CellKind::kAttack,
                     .spec = json::object(),
                     .locals = json::object(),
                     .part = {.first = 4, .count = 8, .seconds = 2.5}};

  EXPECT_EQ(json(std::get<Execute>(parse_host_message(over_the_wire(sent)))), json(sent));
}

TEST(Messages, RefuseAPartThatIsNoWholeBatches) {
  const json message = Part{"k", test::fake_part(3, 8, 23, 4)};

  EXPECT_NE(message_of(parse_worker_message, message).find("no whole batches"), std::string::npos);
}

TEST(Messages, CarryAFailure) {
  const Failure sent{"k", FailureClass::kOutOfMemory, "no memory"};

  EXPECT_EQ(json(std::get<Failure>(parse_worker_message(over_the_wire(sent)))), json(sent));
}

TEST(Messages, CarryNumbersThatAreNotFinite) {
  Result sent{"k", {}};
  sent.result.metrics.push_back({"norm", std::nan(""), std::nullopt});

  const auto got = std::get<Result>(parse_worker_message(over_the_wire(sent)));

  EXPECT_TRUE(std::isnan(got.result.metrics.at(0).value));
}

TEST(Messages, RefuseWhatIsNoObject) {
  EXPECT_EQ(message_of(parse_worker_message, json::array()), "a message is not a JSON object");
}

TEST(Messages, RefuseAMessageWithoutAType) {
  EXPECT_EQ(message_of(parse_worker_message, json::object()), "a message has no type");
}

TEST(Messages, RefuseAnUnknownTypeFromAWorker) {
  EXPECT_EQ(message_of(parse_worker_message, {{"type", "execute"}}),
            "a worker sent a message of unknown type \"execute\"");
}

TEST(Messages, RefuseAnUnknownTypeFromTheHost) {
  EXPECT_EQ(message_of(parse_host_message, {{"type", "hello"}}),
            "the host sent a message of unknown type \"hello\"");
}

TEST(Messages, RefuseAMissingField) {
  EXPECT_NE(message_of(parse_host_message, {{"type", "execute"}}).find("\"execute\" is malformed"),
            std::string::npos);
}

TEST(Messages, RefuseAFieldOfAnotherType) {
  const json hello = {{"type", "hello"}, {"pid", "seven"}, {"device", "cpu"}, {"libtorch", "1"}};

  EXPECT_NE(message_of(parse_worker_message, hello).find("\"hello\" is malformed"),
            std::string::npos);
}

TEST(Messages, RefuseAnUnknownCellKind) {
  const json order = {
      {"type", "execute"}, {"key", "k"}, {"kind", "bake"}, {"spec", 1}, {"locals", 1}};

  EXPECT_EQ(message_of(parse_host_message, order),
            "a message names the unknown cell kind \"bake\"");
}

TEST(Messages, CarryAPathThatIsNoText) {
  Execute sent{"k", wire::CellKind::kTrain, {}, {}, std::nullopt};
  sent.locals = {{"dataset", {{"folder", "/caf\xe9/\x01"}, {"file", "/h\xc3\xa9lo"}}}};

  const auto got = std::get<Execute>(parse_host_message(over_the_wire(sent)));

  EXPECT_EQ(got.locals, sent.locals);
}

TEST(Messages, RefuseBytesThatAreNotHexadecimal) {
  json order = Execute{"k", CellKind::kTrain, json::object(), json::object(), {}, {}, false};
  for (const char* digits : {"zz", "4", "0x41", "41 4"}) {
    order["locals"] = {{"file", {{"", digits}}}};

    EXPECT_NE(message_of(parse_host_message, order).find("not hexadecimal"), std::string::npos)
        << digits;
  }
}

TEST(Messages, CarryWhatACellHasSpoilt) {
  const auto result =
      std::get<Result>(parse_worker_message(over_the_wire(Result{"k", {}, "the locale"})));
  const auto failure = std::get<Failure>(parse_worker_message(
      over_the_wire(Failure{"k", wire::FailureClass::kPluginError, "no", "the locale"})));

  EXPECT_EQ(result.spoilt, "the locale");
  EXPECT_EQ(failure.spoilt, "the locale");
}

}  // namespace
}  // namespace unmask::wire::messages_test
