#include "report/report_sources.hpp"

#include "report/report_data.hpp"
#include "store/queries.hpp"
#include "unmask/errors.hpp"

namespace unmask::report {
namespace {

// The last run of each study, with what it was asked and where it ran.
constexpr std::string_view kLatestRuns =
    "SELECT m.name AS study, m.description, m.text AS manifest, m.sha256 AS manifest_sha256, "
    "r.started_at, r.ended_at, r.state, r.exit_code, r.argv, r.tool, r.git_commit, r.git_dirty, "
    "e.os, e.cpu, e.gpu, e.libtorch, e.blas, e.compiler, "
    "json_extract(e.json, '$.kernels') AS kernels "
    "FROM run r JOIN manifest m ON m.id = r.manifest_id "
    "JOIN environment e ON e.id = r.environment_id WHERE r.id IN (SELECT max(q.id) FROM run q "
    "JOIN manifest n ON n.id = q.manifest_id GROUP BY n.name) ORDER BY m.name";

// Of each radius of a network up to three samples of every kind, with the kept image that is nearest: first those that no attack
// fools, then by what it takes.
constexpr std::string_view kPicturedSamples =
    "WITH kept AS MATERIALIZED (SELECT w.threat, w.cell_id, k.path FROM worst_case_cell w JOIN "
    "adversarials k ON k.cell_id = w.cell_id), "
    "attack AS MATERIALIZED (SELECT * FROM worst_case_cell), "
    "classed AS (SELECT *, CASE WHEN n_fooled = 0 THEN 'no attack fools it' WHEN "
    "n_fooled_gradient_free = n_fooled THEN 'only attacks that take no gradient fool it' WHEN "
    "n_fooled = 1 THEN 'one attack alone fools it' ELSE 'several attacks fool it' END AS class "
    "FROM worst_case_tally WHERE clean_correct AND (robust OR n_fooled > 0) AND threat IN (SELECT "
    "threat FROM kept)), "
    "ranked AS (SELECT *, row_number() OVER (PARTITION BY threat, class ORDER BY n_fooled, sample) "
    "AS nth FROM classed), "
    "chosen AS MATERIALIZED (SELECT *, (SELECT k.cell_id FROM kept k JOIN sample_outcome o ON "
    "o.cell_id = k.cell_id AND o.sample = r.sample WHERE k.threat = r.threat AND o.state = "
    "'decided' ORDER BY o.prediction = o.label, o.distance, k.cell_id LIMIT 1) AS pictured FROM "
    "ranked r WHERE nth <= 3) "
    "SELECT a.study, a.dataset, a.model, a.objective, a.train_solver, a.train_seed, a.solver, "
    "a.norm, a.epsilon_text, c.sample, c.label, c.class, c.n_attacks, c.n_fooled, (SELECT "
    "group_concat(name, ', ') FROM (SELECT f.name FROM attack f JOIN sample_outcome s ON s.cell_id "
    "= f.cell_id AND s.sample = c.sample WHERE f.threat = c.threat AND s.state = 'decided' AND "
    "s.clean_prediction = s.label AND s.prediction <> s.label ORDER BY f.cell_id)) AS fooled_by, "
    "a.name AS attack, o.prediction, o.distance, k.path AS file FROM chosen c JOIN attack a ON "
    "a.threat = c.threat AND a.cell_id = c.pictured JOIN sample_outcome o ON o.cell_id = "
    "c.pictured "
    "AND o.sample = c.sample JOIN adversarials k ON k.cell_id = c.pictured WHERE (c.n_fooled > 0) "
    "= "
    "(o.prediction <> o.label) ORDER BY c.nth, c.threat, c.class, c.sample";

constexpr Source kSources[] = {
    Source{"status"},
    Source{"verdicts"},
    Source{"verdict-rules"},
    Source{"robustness"},
    Source{"worst-case"},
    Source{"accuracy"},
    Source{"gradient-matrix"},
    Source{"elasticity"},
    Source{"sweep"},
    Source{"seeds"},
    Source{"effort"},
    Source{"solves"},
    Source{"warnings"},
    Source{"failures"},
    Source{"remarks"},
    Source{"sample-classes"},
    Source{"worst-case-samples", {}, {}, kMostSampleRows},
    Source{"pictured-samples",
           kPicturedSamples,
           "samples whose images were kept: what it takes to fool them, and the nearest image",
           kMostPictures},
    Source{"plugins"},
    Source{"latest-runs", kLatestRuns, "the last run of each study, its manifest and machine"},
};

}  // namespace

std::span<const Source> sources() {
  return kSources;
}

Question question_of(const Source& source) {
  if (!source.sql.empty()) return {source.sql, source.about, false};
  const store::NamedQuery* named = store::find_query(source.name);
  UNMASK_CHECK(named != nullptr, "there is no query " + std::string(source.name));
  return {named->sql, named->description, true};
}

}  // namespace unmask::report
