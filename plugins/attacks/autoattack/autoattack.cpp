// AutoAttack: a fixed sequence of attacks, each on what the earlier ones left. See autoattack.md.

#include <torch/types.h>

#include "unmask/kit/attack/apgd.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/classes.hpp"
#include "unmask/kit/attack/fab.hpp"
#include "unmask/kit/attack/square.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

constexpr std::int64_t kRandDraws = 20;  // gradients averaged for random networks
constexpr std::int64_t kPlusRestarts = 5;
// Of the standard version in l1, which spends them on balls that shrink.
constexpr std::int64_t kL1Restarts = 5;
constexpr std::int64_t kL1Targets = 5;

class AutoAttack final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.1",
        .summary = "APGD, targeted APGD, FAB and Square in turn, each on the survivors",
        .source = "Croce, Hein 2020, arXiv 2003.01690; l1: Croce, Hein 2021, arXiv 2103.01208",
        .params = {choice("norm", {"linf", "l2", "l1"}, "norm of the ball").by_default("linf"),
                   choice("version", {"standard", "plus", "rand"}, "which attacks, see the text")
                       .by_default("standard"),
                   choice(
                       "loss",
                       {"dlr", "margin"},
                       "scale-free ratio as published, or plain margins, for less than 4 classes")
                       .by_default("dlr"),
                   integer("steps", "steps of every APGD and FAB run").by_default(100).at_least(1),
                   integer("targets", "most likely other classes for the targeted attacks")
                       .by_default(9)
                       .at_least(1),
                   integer("queries", "answers for Square").by_default(5000).at_least(1)},
        .capabilities = {"asks_outside_ball"}};
  }

  explicit AutoAttack(const Params& params)
      : BallAttack(params.get_text("norm")),
        version_(params.get_text("version")),
        loss_(kit::loss_of(params.get_text("loss"))),
        steps_(params.get_integer("steps")),
        targets_(params.get_integer("targets")),
        queries_(params.get_integer("queries")) {}

 private:
  // What the members share while they take turns.
  struct Round {
    Target& target;
    const Tensor& x;
    const Tensor& y;
    const Threat& threat;
    AttackContext& context;
    Tensor classes;  // the other classes on the image, most likely first
    kit::ActiveRows active;
    kit::BestPoints best;
    kit::ClosestPoints closest;

    Tensor is_fooled() const {
      return best.margins().gt(0).logical_or(closest.distances().le(threat.epsilon));
    }
  };

  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    Round round{target,
                x,
                y,
                threat,
                context,
                {},
                kit::ActiveRows(target, x, y),
                kit::BestPoints(target, x),
                kit::ClosestPoints(target, x, threat)};
    round.classes = kit::other_classes(target.logits(x), y);
    if (version_ == "rand") {
      take_turn(round, "apgd_ce", [&](SampleRandom& r) { apgd(round, Loss::kCrossEntropy, 1, r); });
      take_turn(round, "apgd_dlr", [&](SampleRandom& r) { apgd(round, loss_, 1, r); });
    } else if (version_ == "plus") {
      take_turn(round, "apgd_ce", [&](SampleRandom& r) {
        apgd(round, Loss::kCrossEntropy, kPlusRestarts, r);
      });
      take_turn(round, "apgd_dlr", [&](SampleRandom& r) { apgd(round, loss_, kPlusRestarts, r); });
      take_turn(round, "fab", [&](SampleRandom& r) { fab(round, kPlusRestarts, r); });
      take_turn(round, "square", [&](SampleRandom& r) { square(round, r); });
      take_turn(round, "apgd_t", [&](SampleRandom& r) { apgd_t(round, r); });
      take_turn(round, "fab_t", [&](SampleRandom& r) { fab_t(round, r); });
    } else {
      const std::int64_t restarts = from_large_balls() ? kL1Restarts : 1;
      take_turn(round, "apgd_ce", [&](SampleRandom& r) {
        apgd(round, Loss::kCrossEntropy, restarts, r);
      });
      take_turn(round, "apgd_t", [&](SampleRandom& r) { apgd_t(round, r); });
      take_turn(round, "fab_t", [&](SampleRandom& r) { fab_t(round, r); });
      take_turn(round, "square", [&](SampleRandom& r) { square(round, r); });
    }
    // The largest margin; FAB's points, which have none in the book, where nothing else fools.
    const Tensor by_fab =
        round.best.margins().le(0).logical_and(round.closest.distances().le(threat.epsilon));
    if (!by_fab.any().item<bool>()) return round.best.points();
    const Tensor fab_points = round.closest.result(y, /*minimise=*/false);
    return at::where(kit::per_row(by_fab, x), fab_points, round.best.points());
  }

  // Notes who fell to this member first.
  template <class Member>
  static void take_turn(Round& round, const char* name, Member&& member) {
    const Tensor before = round.is_fooled();
    if (!round.active.empty()) {
      SampleRandom random = round.context.random.stream(name);
      member(random);
    }
    round.context.notes.push_back(
        {std::string("fooled_first_by.") + name,
         round.is_fooled().logical_and(before.logical_not()).to(at::kDouble)});
  }

  static SampleRandom numbered(const SampleRandom& random, std::int64_t restart, std::int64_t t) {
    return random.stream("restart", static_cast<std::uint64_t>(restart))
        .stream("target", static_cast<std::uint64_t>(t));
  }

  // Published for the standard version alone.
  bool from_large_balls() const { return norm() == Norm::kL1 && version_ == "standard"; }

  kit::ApgdSettings apgd_settings(Loss loss) const {
    kit::ApgdSettings settings;
    settings.steps = steps_;
    settings.loss = loss;
    settings.draws = version_ == "rand" ? kRandDraws : 1;
    settings.from_large_balls = from_large_balls();
    return settings;
  }

  void apgd(Round& round, Loss loss, std::int64_t restarts, const SampleRandom& random) const {
    const kit::ApgdSearch search(apgd_settings(loss));
    for (std::int64_t restart = 0; restart < restarts; ++restart) {
      SampleRandom own = numbered(random, restart, 0);
      search.run(round.target, round.active, {}, round.threat, own, round.best);
    }
  }

  std::int64_t target_count(const Round& round) const {
    return std::min(targets_, round.classes.size(1));
  }

  void apgd_t(Round& round, const SampleRandom& random) const {
    const kit::ApgdSearch search(apgd_settings(kit::targeted(loss_)));
    std::int64_t count = target_count(round);
    if (from_large_balls()) count = std::min(count, kL1Targets);
    for (std::int64_t t = 0; t < count && !round.active.empty(); ++t) {
      SampleRandom own = numbered(random, 0, t);
      const Tensor wanted = round.classes.select(1, t).index_select(0, round.active.rows());
      search.run(round.target, round.active, wanted, round.threat, own, round.best);
    }
  }

  kit::FabSearch fab_search() const {
    kit::FabSettings settings;
    settings.steps = steps_;
    return kit::FabSearch(settings);
  }

  void fab(Round& round, std::int64_t restarts, const SampleRandom& random) const {
    const kit::FabSearch search = fab_search();
    for (std::int64_t restart = 0; restart < restarts && !round.active.empty(); ++restart) {
      SampleRandom own = numbered(random, restart, 0);
      search.run(round.target,
                 round.active,
                 round.classes.index_select(0, round.active.rows()),
                 round.threat,
                 restart == 0 ? nullptr : &own,
                 round.closest);
    }
  }

  void fab_t(Round& round, const SampleRandom&) const {
    const kit::FabSearch search = fab_search();
    for (std::int64_t t = 0; t < target_count(round) && !round.active.empty(); ++t) {
      search.run(round.target,
                 round.active,
                 round.classes.narrow(1, t, 1).index_select(0, round.active.rows()),
                 round.threat,
                 nullptr,
                 round.closest);
    }
  }

  void square(Round& round, const SampleRandom& random) const {
    kit::SquareSettings settings;
    settings.queries = queries_;
    SampleRandom own = random;
    kit::SquareSearch(settings).run(round.target, round.active, round.threat, own, round.best);
  }

  std::string version_;
  Loss loss_;
  std::int64_t steps_;
  std::int64_t targets_;
  std::int64_t queries_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::AutoAttack)
