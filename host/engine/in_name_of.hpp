#pragma once
// Failures carry the name of the plugin that they come from.

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include <c10/util/Exception.h>

#include "unmask/errors.hpp"

namespace unmask::engine {

/// Run a function of a plugin; whatever it throws gets "attack pgd: " in front. The host's own kinds
/// of errors, which decide what becomes of a cell, stay what they are.
template <class Function>
auto in_name_of(const std::string& who, Function function) {
  try {
    return function();
  } catch (Error& error) {
    error.add_context(who);
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::Error& error) {
    throw std::runtime_error(who + ": " + error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw std::runtime_error(who + ": " + error.what());
  } catch (...) {
    throw std::runtime_error(who + ": an exception of unknown type was thrown");
  }
}

}  // namespace unmask::engine
