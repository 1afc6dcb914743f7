#pragma once
// An OdeContext without ODEs that asks for a derivative of the parts that have no useful one.

#include <memory>
#include <string_view>

#include "unmask/vector_field.hpp"

namespace unmask::test {

class BpdaContext final : public OdeContext {
 public:
  explicit BpdaContext(Bpda bpda) : bpda_(bpda) {}

  Bpda bpda() const override { return bpda_; }
  State integrate(std::string_view,
                  const std::shared_ptr<VectorField>&,
                  const State& y0,
                  double,
                  double) override {
    return y0;
  }

 private:
  Bpda bpda_;
};

}  // namespace unmask::test
