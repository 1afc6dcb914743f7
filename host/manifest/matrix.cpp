#include "manifest/matrix.hpp"

#include "manifest/evaluate_stage.hpp"
#include "manifest/train_stage.hpp"

namespace unmask::manifest {

void expand(const Node* train,
            const Node* evaluate,
            const Definitions& definitions,
            Reporter& reporter,
            Study& study) {
  matrix::TrainStage train_stage(definitions, reporter);
  train_stage.read(train, study);
  if (evaluate == nullptr) return;
  matrix::EvaluateStage(train_stage, definitions, reporter).read(*evaluate, study);
}

}  // namespace unmask::manifest
