#pragma once
// Schema version 5: memory of the GPU that cells took. See schema_v1.hpp for the rules.

#include <string_view>

namespace unmask::store {

inline constexpr std::string_view kSchemaV5 = R"sql(
-- The most memory of its GPU that the worker held while it executed the cell, the network included; NULL: not measured.
ALTER TABLE attempt ADD COLUMN device_peak_bytes INTEGER CHECK (device_peak_bytes >= 0);
)sql";

}  // namespace unmask::store
