#pragma once
// The words of host/text, which a reader of manifests uses in every line, without their prefix.
// (Their namespace is not called after the room: unmask::text() is a function of the SDK.)

#include "text/diagnostics.hpp"
#include "text/globs.hpp"
#include "text/names.hpp"
#include "text/nodes.hpp"
#include "text/numbers.hpp"
#include "text/source.hpp"
#include "text/suggest.hpp"

namespace unmask::manifest {

using namespace words;  // NOLINT(google-build-using-namespace): see above

}  // namespace unmask::manifest
