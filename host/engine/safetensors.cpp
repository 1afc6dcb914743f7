#include "engine/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <set>

#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

using Json = nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little,
              "tensors are copied as they lie in memory, and the format is little endian");

constexpr std::size_t kLengthBytes = 8;
// The limit of the reference implementation; it keeps a damaged length from looking like a huge
// header.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr const char* kMetadata = "__metadata__";

struct Dtype {
  const char* name;
  at::ScalarType type;
  std::uint64_t size;
};

constexpr std::array<Dtype, 8> kDtypes = {{{"F32", at::kFloat, 4},
                                           {"F64", at::kDouble, 8},
                                           {"F16", at::kHalf, 2},
                                           {"BF16", at::kBFloat16, 2},
                                           {"I64", at::kLong, 8},
                                           {"I32", at::kInt, 4},
                                           {"U8", at::kByte, 1},
                                           {"BOOL", at::kBool, 1}}};

const Dtype* find_dtype(std::string_view name) {
  for (const Dtype& dtype : kDtypes) {
    if (name == dtype.name) return &dtype;
  }
  return nullptr;
}

const Dtype* find_dtype(at::ScalarType type) {
  for (const Dtype& dtype : kDtypes) {
    if (type == dtype.type) return &dtype;
  }
  return nullptr;
}

std::uint64_t byte_count(const Tensor& tensor) {
  return static_cast<std::uint64_t>(tensor.numel()) *
         static_cast<std::uint64_t>(tensor.element_size());
}

// One tensor's entry of a header.
struct Entry {
  std::string name;
  const Dtype* dtype = nullptr;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class Parser {
 public:
  Parser(std::string_view bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  TensorFile parse() {
    const Json header = read_header();
    TensorFile file;
    std::vector<Entry> entries;
    for (const auto& [name, value] : header.items()) {
      if (name == kMetadata) {
        file.metadata = read_metadata(value);
      } else {
        entries.push_back(read_entry(name, value));
      }
    }
    check_layout(entries);
    for (const Entry& entry : entries) file.tensors.push_back({entry.name, read_tensor(entry)});
    return file;
  }

 private:
  [[noreturn]] void fail(const std::string& rule) const {
    throw DataError(origin_ + " is not a usable safetensors file: " + rule);
  }

  [[noreturn]] void fail(const std::string& tensor, const std::string& rule) const {
    fail("tensor \"" + tensor + "\": " + rule);
  }

  Json read_header() {
    if (bytes_.size() < kLengthBytes) {
      fail("it has " + std::to_string(bytes_.size()) +
           " bytes, fewer than the 8 that give the length of the header");
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), kLengthBytes);
    if (length > kMaxHeaderBytes) {
      fail("its header claims " + std::to_string(length) + " bytes; at most " +
           std::to_string(kMaxHeaderBytes) + " are allowed");
    }
    if (length > bytes_.size() - kLengthBytes) {
      fail("its header claims " + std::to_string(length) + " bytes, but only " +
           std::to_string(bytes_.size() - kLengthBytes) + " follow; it may be truncated");
    }
    const std::string_view text = bytes_.substr(kLengthBytes, length);
    data_ = bytes_.substr(kLengthBytes + length);
    if (text.empty() || text.front() != '{') fail("its header does not start with \"{\"");

    // The JSON library keeps one of several equal keys and says nothing, so they are looked for
    // here.
    std::vector<std::set<std::string>> open_objects;
    std::string duplicate;
    const Json::parser_callback_t watch = [&](int, Json::parse_event_t event, Json& value) {
      if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
      if (event == Json::parse_event_t::object_end) open_objects.pop_back();
      if (event == Json::parse_event_t::key && duplicate.empty() &&
          !open_objects.back().insert(value.get<std::string>()).second) {
        duplicate = value.get<std::string>();
      }
      return true;
    };
    Json header;
    try {
      header = Json::parse(text.begin(), text.end(), watch);
    } catch (const Json::exception& error) {
      fail(std::string("its header is not JSON: ") + error.what());
    }
    if (!duplicate.empty()) fail("its header has the key \"" + duplicate + "\" twice");
    return header;
  }

  std::map<std::string, std::string> read_metadata(const Json& value) const {
    if (!value.is_object()) fail("__metadata__ must be an object of strings");
    std::map<std::string, std::string> metadata;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string())
        fail("__metadata__ must hold strings only, but \"" + key + "\" is not");
      metadata.emplace(key, text.get<std::string>());
    }
    return metadata;
  }

  Entry read_entry(const std::string& name, const Json& value) const {
    if (!value.is_object()) fail(name, "its entry must be an object");
    for (const auto& item : value.items()) {
      if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets") {
        fail(name, "unknown field \"" + item.key() + "\"; dtype, shape and data_offsets are known");
      }
    }
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (!value.contains(field)) fail(name, std::string("field \"") + field + "\" is missing");
    }

    Entry entry{.name = name, .dtype = nullptr, .shape = {}, .begin = 0, .end = 0};
    const Json& dtype = value["dtype"];
    if (!dtype.is_string()) fail(name, "dtype must be a string");
    entry.dtype = find_dtype(dtype.get<std::string>());
    if (entry.dtype == nullptr) {
      fail(name,
           "dtype " + dtype.dump() + " is not one of F32, F64, F16, BF16, I64, I32, U8, BOOL");
    }

    const Json& shape = value["shape"];
    if (!shape.is_array()) fail(name, "shape must be a list of sizes");
    std::uint64_t size = entry.dtype->size;
    for (const Json& extent : shape) {
      constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
      if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > kLargest) {
        fail(name,
             "a size of its shape, " + extent.dump() + ", is not a number from 0 to 2^63 - 1");
      }
      entry.shape.push_back(extent.get<std::int64_t>());
      if (__builtin_mul_overflow(size, extent.get<std::uint64_t>(), &size) || size > kLargest) {
        fail(name, "its shape " + shape.dump() + " has more bytes than 63 bits can count");
      }
    }

    const Json& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      fail(name, "data_offsets must be two whole numbers, start and end");
    }
    entry.begin = offsets[0].get<std::uint64_t>();
    entry.end = offsets[1].get<std::uint64_t>();
    if (entry.begin > entry.end) {
      fail(name, "data_offsets " + offsets.dump() + " end before they start");
    }
    if (entry.end > data_.size()) {
      fail(name,
           "data_offsets " + offsets.dump() + " reach past the end of the data (" +
               std::to_string(data_.size()) + " bytes); the file may be truncated");
    }
    if (entry.end - entry.begin != size) {
      fail(name,
           "data_offsets " + offsets.dump() + " span " + std::to_string(entry.end - entry.begin) +
               " bytes, but shape " + shape.dump() + " of " + entry.dtype->name + " needs " +
               std::to_string(size));
    }
    return entry;
  }

  // The tensors' bytes must cover the data exactly, without overlaps and without holes.
  void check_layout(const std::vector<Entry>& entries) const {
    std::vector<const Entry*> sorted;
    for (const Entry& entry : entries) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) {
      return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
    });
    std::uint64_t covered = 0;
    for (const Entry* entry : sorted) {
      if (entry->begin < covered) {
        fail(entry->name,
             "its bytes, from " + std::to_string(entry->begin) +
                 ", overlap those of another tensor, which end at " + std::to_string(covered));
      }
      if (entry->begin > covered) {
        fail(entry->name,
             "bytes " + std::to_string(covered) + " to " + std::to_string(entry->begin) +
                 " before it belong to no tensor");
      }
      covered = entry->end;
    }
    if (covered != data_.size()) {
      fail("the last " + std::to_string(data_.size() - covered) +
           " bytes of its data belong to no tensor");
    }
  }

  Tensor read_tensor(const Entry& entry) const {
    Tensor tensor = at::empty(entry.shape, at::TensorOptions().dtype(entry.dtype->type));
    const std::string_view bytes = data_.substr(entry.begin, entry.end - entry.begin);
    if (entry.dtype->type == at::kBool) {
      for (const char byte : bytes) {
        if (byte != 0 && byte != 1) fail(entry.name, "a BOOL must be a byte 0 or 1");
      }
    }
    if (!bytes.empty()) std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
    return tensor;
  }

  std::string_view bytes_;
  std::string_view data_;
  const std::string& origin_;
};

}  // namespace

const Tensor* TensorFile::find(std::string_view name) const {
  for (const NamedTensor& item : tensors) {
    if (item.name == name) return &item.tensor;
  }
  return nullptr;
}

std::string safetensors_bytes(const std::vector<NamedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::vector<NamedTensor> copies;
  std::set<std::string> names;
  for (const NamedTensor& item : tensors) {
    if (item.name == kMetadata || !names.insert(item.name).second) {
      throw DataError("cannot write a safetensors file: the name \"" + item.name +
                      (item.name == kMetadata ? "\" is reserved" : "\" is given twice"));
    }
    if (!item.tensor.defined() || find_dtype(item.tensor.scalar_type()) == nullptr) {
      throw DataError("cannot write a safetensors file: tensor \"" + item.name + "\" has dtype " +
                      (item.tensor.defined() ? c10::toString(item.tensor.scalar_type()) : "none") +
                      ", which is not one of F32, F64, F16, BF16, I64, I32, U8, BOOL");
    }
    copies.push_back({item.name, item.tensor.detach().to(at::kCPU).contiguous()});
  }

  std::vector<std::size_t> layout(copies.size());
  for (std::size_t i = 0; i < layout.size(); ++i) layout[i] = i;
  std::stable_sort(layout.begin(), layout.end(), [&](std::size_t a, std::size_t b) {
    return copies[a].tensor.element_size() > copies[b].tensor.element_size();
  });
  std::vector<std::uint64_t> begins(copies.size());
  std::uint64_t size = 0;
  for (const std::size_t i : layout) {
    begins[i] = size;
    size += byte_count(copies[i].tensor);
  }

  Json header = Json::object();
  if (!metadata.empty()) {
    Json& texts = header[kMetadata] = Json::object();
    for (const auto& [key, text] : metadata) texts[key] = text;
  }
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const Tensor& tensor = copies[i].tensor;
    header[copies[i].name] = {{"dtype", find_dtype(tensor.scalar_type())->name},
                              {"shape", tensor.sizes().vec()},
                              {"data_offsets", {begins[i], begins[i] + byte_count(tensor)}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& error) {
    throw DataError(
        std::string("cannot write a safetensors file: a name or a text of its metadata is not "
                    "UTF-8: ") +
        error.what());
  }
  // Trailing spaces align the data.
  text.resize((text.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');

  const std::uint64_t length = text.size();
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  bytes.reserve(kLengthBytes + text.size() + size);
  bytes += text;
  for (const std::size_t i : layout) {
    const Tensor& tensor = copies[i].tensor;
    if (tensor.numel() > 0) {
      bytes.append(static_cast<const char*>(tensor.data_ptr()), byte_count(tensor));
    }
  }
  return bytes;
}

void write_safetensors(const std::filesystem::path& path,
                       const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  base::write_file_atomically(path, safetensors_bytes(tensors, metadata));
}

TensorFile parse_safetensors(std::string_view bytes, const std::string& origin) {
  return Parser(bytes, origin).parse();
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(base::read_file(path), path.string());
}

}  // namespace unmask::engine
