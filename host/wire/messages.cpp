#include "wire/messages.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

#include "base/frames.hpp"
#include "text/utf8.hpp"

namespace unmask::wire {
namespace {

using base::FrameError;
using nlohmann::json;

CellKind ordered_kind(const std::string& text) {
  if (const auto kind = parse_cell_kind(text)) return *kind;
  throw FrameError("a message names the unknown cell kind \"" + text + "\"");
}

FailureClass reported_class(const std::string& text) {
  const auto found = parse_failure_class(text);
  if (found && rule_of(*found).workers_report) return *found;
  throw FrameError("a message names the unknown failure class \"" + text + "\"");
}

std::string type_of(const json& message) {
  if (!message.is_object()) throw FrameError("a message is not a JSON object");
  const auto type = message.find("type");
  if (type == message.end() || !type->is_string()) throw FrameError("a message has no type");
  return type->get<std::string>();
}

// Runs a parser and turns a complaint of the JSON library into ours.
template <typename Parse>
auto guarded(const std::string& type, Parse parse) {
  try {
    return parse();
  } catch (const json::exception& error) {
    throw FrameError("a message of type \"" + type + "\" is malformed: " + error.what());
  }
}

// A path is bytes, JSON is text. A string that is no text travels as {"": "its bytes in hexadecimal"};
// no parameter has an empty name.
json as_text(const json& value) {
  if (value.is_string()) {
    const auto& bytes = value.get_ref<const std::string&>();
    if (words::first_invalid_utf8(bytes) == std::string::npos) return value;
    std::string digits;
    for (const char c : bytes) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      digits += kDigits[static_cast<unsigned char>(c) >> 4U];
      digits += kDigits[static_cast<unsigned char>(c) & 0xFU];
    }
    return {{"", digits}};
  }
  if (!value.is_structured()) return value;
  json result = value;
  for (json& part : result) part = as_text(part);
  return result;
}

std::string bytes_of_digits(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    unsigned byte = 0;
    const char* const end = digits.data() + std::min(i + 2, digits.size());
    const auto read = std::from_chars(digits.data() + i, end, byte, 16);
    if (read.ec != std::errc() || read.ptr != digits.data() + i + 2) {
      throw FrameError("a message writes bytes as \"" + digits + "\", which is not hexadecimal");
    }
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

json as_bytes(const json& value) {
  if (!value.is_structured()) return value;
  if (value.is_object() && value.size() == 1 && value.contains("")) {
    return bytes_of_digits(value.at("").get<std::string>());
  }
  json result = value;
  for (json& part : result) part = as_bytes(part);
  return result;
}

}  // namespace

void to_json(json& j, const Execute& m) {
  j = {{"type", "execute"},
       {"key", m.key},
       {"kind", to_string(m.kind)},
       {"spec", m.spec},
       {"locals", as_text(m.locals)}};
  if (m.checkpoint) j["checkpoint"] = *m.checkpoint;
  if (m.source) j["source"] = *m.source;
  if (m.keep_adversarials) j["keep_adversarials"] = true;
  if (m.kind != CellKind::kTrain) j["part"] = m.part;
}

void to_json(json& j, const Stop&) {
  j = {{"type", "stop"}};
}

void to_json(json& j, const Hello& m) {
  j = {{"type", "hello"}, {"pid", m.pid}, {"device", m.device}, {"libtorch", m.libtorch}};
  if (m.free_device_bytes) j["free_device_bytes"] = *m.free_device_bytes;
}

void to_json(json& j, const CellProgress& m) {
  j = {
      {"type", "progress"}, {"key", m.key}, {"done", m.done}, {"total", m.total}, {"note", m.note}};
}

void to_json(json& j, const Result& m) {
  j = {{"type", "result"}, {"key", m.key}, {"result", m.result}};
  if (!m.spoilt.empty()) j["spoilt"] = m.spoilt;
}

void to_json(json& j, const Part& m) {
  j = {{"type", "part"}, {"key", m.key}, {"part", m.part}};
  if (!m.spoilt.empty()) j["spoilt"] = m.spoilt;
}

void to_json(json& j, const Failure& m) {
  j = {{"type", "failure"}, {"key", m.key}, {"class", m.failure_class}, {"message", m.message}};
  if (!m.spoilt.empty()) j["spoilt"] = m.spoilt;
}

HostMessage parse_host_message(const json& j) {
  const std::string type = type_of(j);
  return guarded(type, [&]() -> HostMessage {
    if (type == "stop") return Stop{};
    if (type != "execute")
      throw FrameError("the host sent a message of unknown type \"" + type + "\"");
    Execute m;
    j.at("key").get_to(m.key);
    m.kind = ordered_kind(j.at("kind").get<std::string>());
    m.spec = j.at("spec");
    m.locals = as_bytes(j.at("locals"));
    if (const auto c = j.find("checkpoint"); c != j.end()) {
      m.checkpoint = c->get<CheckpointFile>();
    }
    if (const auto s = j.find("source"); s != j.end()) m.source = s->get<CheckpointFile>();
    m.keep_adversarials = j.value("keep_adversarials", false);
    if (const auto p = j.find("part"); p != j.end()) p->get_to(m.part);
    return m;
  });
}

WorkerMessage parse_worker_message(const json& j) {
  const std::string type = type_of(j);
  return guarded(type, [&]() -> WorkerMessage {
    if (type == "hello") {
      Hello m{j.at("pid").get<std::int64_t>(),
              j.at("device").get<std::string>(),
              j.at("libtorch").get<std::string>()};
      if (const auto f = j.find("free_device_bytes"); f != j.end()) {
        m.free_device_bytes = f->get<std::int64_t>();
      }
      return m;
    }
    if (type == "progress") {
      return CellProgress{j.at("key").get<std::string>(),
                          j.at("done").get<std::int64_t>(),
                          j.at("total").get<std::int64_t>(),
                          j.at("note").get<std::string>()};
    }
    if (type == "result") {
      return Result{
          j.at("key").get<std::string>(), j.at("result").get<CellResult>(), j.value("spoilt", "")};
    }
    if (type == "part") {
      Part m{j.at("key").get<std::string>(), j.at("part").get<CellPart>(), j.value("spoilt", "")};
      if (const auto wrong = complaint(m.part)) throw FrameError("a part cannot be: " + *wrong);
      return m;
    }
    if (type == "failure") {
      return Failure{j.at("key").get<std::string>(),
                     reported_class(j.at("class").get<std::string>()),
                     j.at("message").get<std::string>(),
                     j.value("spoilt", "")};
    }
    throw FrameError("a worker sent a message of unknown type \"" + type + "\"");
  });
}

}  // namespace unmask::wire
