#include "unmask/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "unmask/errors.hpp"
#include "unmask/file_kind.hpp"

namespace unmask {
inline namespace v1 {
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

// Sizes of elements that the format knows and this host cannot compute with.
constexpr std::array<std::pair<std::string_view, std::uint64_t>, 9> kOtherSizes = {{{"I8", 1},
                                                                                    {"I16", 2},
                                                                                    {"U16", 2},
                                                                                    {"U32", 4},
                                                                                    {"U64", 8},
                                                                                    {"F8_E4M3", 1},
                                                                                    {"F8_E5M2", 1},
                                                                                    {"F8_E8M0", 1},
                                                                                    {"C64", 8}}};

// nullopt: nobody knows.
std::optional<std::uint64_t> size_of_element(const std::string& dtype) {
  if (const Dtype* known = find_dtype(dtype)) return known->size;
  for (const auto& [name, size] : kOtherSizes) {
    if (dtype == name) return size;
  }
  return std::nullopt;
}

std::uint64_t byte_count(const Tensor& tensor) {
  return static_cast<std::uint64_t>(tensor.numel()) *
         static_cast<std::uint64_t>(tensor.element_size());
}

// What a header says.
struct Header {
  std::vector<TensorEntry> entries;
  std::map<std::string, std::string> metadata;
};

class HeaderParser {
 public:
  // `beginning`: the first bytes of the file, which tell what it is when it is no such file
  HeaderParser(const std::string& origin, std::string_view beginning)
      : origin_(origin), beginning_(beginning.substr(0, kFileKindBytes)) {}

  // Length of the header from the file's first bytes. `size` is that of the whole file.
  std::uint64_t header_length(std::uint64_t size) const {
    if (size < kLengthBytes) {
      fail_if_foreign();
      fail("it has " + std::to_string(size) +
           " bytes, fewer than the 8 that give the length of the header");
    }
    std::uint64_t length = 0;
    std::memcpy(&length, beginning_.data(), kLengthBytes);
    if (length > kMaxHeaderBytes || length > size - kLengthBytes) fail_if_foreign();
    if (length > kMaxHeaderBytes) {
      fail("its header claims " + std::to_string(length) + " bytes; at most " +
           std::to_string(kMaxHeaderBytes) + " are allowed");
    }
    if (length > size - kLengthBytes) {
      fail("its header claims " + std::to_string(length) + " bytes, but only " +
           std::to_string(size - kLengthBytes) + " follow; it may be truncated");
    }
    return length;
  }

  // `data_size` is the number of bytes behind the header.
  Header parse(std::string_view text, std::uint64_t data_size) {
    data_size_ = data_size;
    Header header;
    const Json json = parse_json(text);
    for (const auto& [name, value] : json.items()) {
      if (name == kMetadata) {
        header.metadata = read_metadata(value);
      } else {
        header.entries.push_back(read_entry(name, value));
      }
    }
    check_layout(header.entries);
    return header;
  }

  void check_values(const TensorEntry& entry, std::string_view bytes) const {
    if (entry.dtype != at::kBool) return;
    for (const char byte : bytes) {
      if (byte != 0 && byte != 1) fail(entry.name, "a BOOL must be a byte 0 or 1");
    }
  }

  void check_readable(const TensorEntry& entry) const {
    if (entry.dtype != at::ScalarType::Undefined) return;
    fail(entry.name,
         "its dtype " + Json(entry.dtype_name).dump() +
             " is not one of F32, F64, F16, BF16, I64, I32, U8, BOOL; convert it, or leave it out");
  }

 private:
  [[noreturn]] void fail(const std::string& rule) const {
    throw DataError(origin_ + " is not a usable safetensors file: " + rule);
  }

  void fail_if_foreign() const {
    const std::string kind = file_kind(beginning_);
    if (!kind.empty() && kind != "a safetensors file") fail("it is " + kind);
  }

  [[noreturn]] void fail(const std::string& tensor, const std::string& rule) const {
    fail("tensor \"" + tensor + "\": " + rule);
  }

  Json parse_json(std::string_view text) const {
    if (text.empty() || text.front() != '{') {
      fail_if_foreign();
      fail("its header does not start with \"{\"");
    }

    // The JSON library takes a NUL for the end, so that whatever follows would pass unseen.
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
      fail("byte " + std::to_string(nul) +
           " of its header is 0; headers are text, and are filled up with spaces");
    }

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
    } catch (const Json::parse_error& error) {
      const bool is_encoding = std::string_view(error.what()).find("UTF-8") != std::string::npos;
      fail("its header is not JSON: " +
           std::string(is_encoding ? "text that is not UTF-8" : "a syntax error") + " at byte " +
           std::to_string(error.byte));
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

  TensorEntry read_entry(const std::string& name, const Json& value) const {
    if (!value.is_object()) fail(name, "its entry must be an object");
    for (const auto& item : value.items()) {
      if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets") {
        fail(name, "unknown field \"" + item.key() + "\"; dtype, shape and data_offsets are known");
      }
    }
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (!value.contains(field)) fail(name, std::string("field \"") + field + "\" is missing");
    }

    const Json& written = value["dtype"];
    if (!written.is_string()) fail(name, "dtype must be a string");
    TensorEntry entry;
    entry.name = name;
    entry.dtype_name = written.get<std::string>();
    if (const Dtype* known = find_dtype(entry.dtype_name)) entry.dtype = known->type;
    const std::optional<std::uint64_t> element = size_of_element(entry.dtype_name);

    const Json& shape = value["shape"];
    if (!shape.is_array()) fail(name, "shape must be a list of sizes");
    std::uint64_t size = element.value_or(1);
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
    if (entry.end > data_size_) {
      fail(name,
           "data_offsets " + offsets.dump() + " reach past the end of the data (" +
               std::to_string(data_size_) + " bytes); the file may be truncated");
    }
    if (element && entry.end - entry.begin != size) {
      fail(name,
           "data_offsets " + offsets.dump() + " span " + std::to_string(entry.end - entry.begin) +
               " bytes, but shape " + shape.dump() + " of " + entry.dtype_name + " needs " +
               std::to_string(size));
    }
    return entry;
  }

  // The tensors' bytes must cover the data exactly, without overlaps and without holes.
  void check_layout(const std::vector<TensorEntry>& entries) const {
    std::vector<const TensorEntry*> sorted;
    for (const TensorEntry& entry : entries) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](const TensorEntry* a, const TensorEntry* b) {
      return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
    });
    std::uint64_t covered = 0;
    for (const TensorEntry* entry : sorted) {
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
    if (covered != data_size_) {
      fail("the last " + std::to_string(data_size_ - covered) +
           " bytes of its data belong to no tensor");
    }
  }

  const std::string& origin_;
  std::string_view beginning_;
  std::uint64_t data_size_ = 0;
};

Tensor empty_tensor(const TensorEntry& entry) {
  return at::empty(entry.shape, at::TensorOptions().dtype(entry.dtype));
}

[[noreturn]] void fail_reading(const std::filesystem::path& path, const std::string& problem) {
  throw DataError("cannot read " + path.string() + ": " + problem);
}

// Fill `bytes` from `offset` on.
void read_at(std::ifstream& stream,
             const std::filesystem::path& path,
             std::uint64_t offset,
             char* bytes,
             std::uint64_t count) {
  stream.seekg(static_cast<std::streamoff>(offset));
  stream.read(bytes, static_cast<std::streamsize>(count));
  if (!stream || static_cast<std::uint64_t>(stream.gcount()) != count) {
    fail_reading(path, "it ends too early; it changed while it was read, or the disk is failing");
  }
}

// Checked for what the format cannot hold.
std::vector<NamedTensor> contiguous_copies(const std::vector<NamedTensor>& tensors) {
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
  return copies;
}

}  // namespace

const Tensor* TensorFile::find(std::string_view name) const {
  for (const NamedTensor& item : tensors) {
    if (item.name == name) return &item.tensor;
  }
  return nullptr;
}

std::string safetensors_bytes(const std::vector<NamedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata) {
  const std::vector<NamedTensor> copies = contiguous_copies(tensors);
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

TensorFile parse_safetensors(std::string_view bytes, const std::string& origin) {
  HeaderParser parser(origin, bytes);
  const std::uint64_t length = parser.header_length(bytes.size());
  const std::string_view data = bytes.substr(kLengthBytes + length);
  Header header = parser.parse(bytes.substr(kLengthBytes, length), data.size());
  TensorFile file;
  file.metadata = std::move(header.metadata);
  for (const TensorEntry& entry : header.entries) {
    const std::string_view own = data.substr(entry.begin, entry.end - entry.begin);
    parser.check_readable(entry);
    parser.check_values(entry, own);
    const Tensor tensor = empty_tensor(entry);
    if (!own.empty()) std::memcpy(tensor.data_ptr(), own.data(), own.size());
    file.tensors.push_back({entry.name, tensor});
  }
  return file;
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const TensorFileReader reader(path);
  TensorFile file;
  file.metadata = reader.metadata();
  for (const TensorEntry& entry : reader.entries()) {
    file.tensors.push_back({entry.name, reader.read(entry)});
  }
  return file;
}

TensorFileReader::TensorFileReader(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path_, error)) {
    fail_reading(path_,
                 std::filesystem::exists(path_, error) ? "it is not a file" : "no such file");
  }
  const std::uint64_t size = std::filesystem::file_size(path_, error);
  if (error) fail_reading(path_, error.message());
  std::ifstream stream(path_, std::ios::binary);
  if (!stream) fail_reading(path_, "it cannot be opened; check its permissions");

  const std::string origin = path_.string();
  std::string first(static_cast<std::size_t>(std::min<std::uint64_t>(size, kFileKindBytes)), '\0');
  read_at(stream, path_, 0, first.data(), first.size());
  HeaderParser parser(origin, first);
  const std::uint64_t length = parser.header_length(size);
  std::string text(static_cast<std::size_t>(length), '\0');
  read_at(stream, path_, kLengthBytes, text.data(), length);
  data_begin_ = kLengthBytes + length;
  Header header = parser.parse(text, size - data_begin_);
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
}

const TensorEntry* TensorFileReader::find(std::string_view name) const {
  for (const TensorEntry& entry : entries_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

Tensor TensorFileReader::read(const TensorEntry& entry) const {
  const std::string origin = path_.string();
  const HeaderParser parser(origin, "");
  parser.check_readable(entry);
  Tensor tensor = empty_tensor(entry);
  const std::uint64_t count = entry.end - entry.begin;
  if (count == 0) return tensor;
  std::ifstream stream(path_, std::ios::binary);
  if (!stream) fail_reading(path_, "it cannot be opened; check its permissions");
  char* const bytes = static_cast<char*>(tensor.data_ptr());
  read_at(stream, path_, data_begin_ + entry.begin, bytes, count);
  parser.check_values(entry, {bytes, static_cast<std::size_t>(count)});
  return tensor;
}

}  // namespace v1
}  // namespace unmask
