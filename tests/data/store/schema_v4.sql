-- A results database of schema version 4, as text (sqlite3 .dump): the schema of that version with its
-- views, one run of the small study of tests/unit/store/small_study.hpp, a verification and a part of a cell.
-- tests/unit/store/upgrade_test.cpp makes the file again and opens it with this version.
PRAGMA application_id = 0x756e6d6b;
PRAGMA user_version = 4;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('created_at','2026-11-28T22:15:41Z');
INSERT INTO meta VALUES('created_by','unmask 0.1.0');
INSERT INTO meta VALUES('definitions','93e26b94f3cf4b9404d93b2fa5524860296c6da5ac27f4de78cc1cc3f10c89e7');
INSERT INTO meta VALUES('uuid','999babdf-5c37-4f6a-9e83-b94cffad54b0');
INSERT INTO meta VALUES('views','current_run,earlier_run,labelled_cell,cells,progress,outcome_count,accuracy,worst_case_cell,worst_case_tally,worst_case_outcome,worst_case_sample,worst_case,seed_summary,gradient_matrix,attack_effort,failures,cost,evaluations_per_solve,metrics');
CREATE TABLE migration (
  version    INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  applied_at TEXT NOT NULL,
  tool       TEXT NOT NULL,   -- version of unmask that applied it
  sql_sha256 TEXT NOT NULL
) STRICT;
INSERT INTO migration VALUES(1,'initial schema','2026-11-28T22:15:41.539Z','0.1.0','43c28a89fd2a5690eed08501e3fb379ccbb183296f55f2824044fe651fa53f2d');
INSERT INTO migration VALUES(2,'whole plans, undecided samples','2026-11-28T22:15:41.663Z','0.1.0','a0b4a84476b863be22deeb4e69cf397d7c61e6e62cf50701079d2ebb90a8cd48');
INSERT INTO migration VALUES(3,'verdicts','2026-11-28T22:15:41.705Z','0.1.0','8cab4a3db7c5edc394bc5cd39201c5b7527614cd3d38a90924d2252032d84a67');
INSERT INTO migration VALUES(4,'verifications, parts of unfinished cells','2026-11-29T09:24:32.280Z','0.1.0','ab47564936328d713a4d0991d8fcf57cc11bc45653d3a71299478c9ea7ad572d');
CREATE TABLE manifest (
  id          INTEGER PRIMARY KEY,
  sha256      TEXT NOT NULL CHECK (length(sha256) = 64),   -- of text
  name        TEXT NOT NULL,                               -- name of the study
  description TEXT NOT NULL,
  file        TEXT NOT NULL,                               -- where it was first read
  text        TEXT NOT NULL,
  first_seen  TEXT NOT NULL,
  UNIQUE (sha256, name)
) STRICT;
INSERT INTO manifest VALUES(1,'44eb9a3f0a5c820ca8c56a978793b156ba66a17d37cf3d2ae5ded05e6ddc60d4','small','made up for tests','studies/small.json',replace('{"name": "small"}\n','\n',char(10)),'2026-11-28T22:15:41.813Z');
CREATE TABLE environment (
  id       INTEGER PRIMARY KEY,
  sha256   TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),   -- of json
  json     TEXT NOT NULL,
  -- members of json as columns, NULL when it lacks them
  host     TEXT,
  os       TEXT,
  cpu      TEXT,
  gpu      TEXT,
  libtorch TEXT,
  blas     TEXT,
  compiler TEXT
) STRICT;
INSERT INTO environment VALUES(1,'d4b6ddbce0bdd8fa110d513a211f8c86b9e5147f6755e26a9156ef5ce4cc509c','{"gpu":["none"],"host":"lab1","libtorch":"1.13.1"}','lab1',NULL,NULL,'["none"]','1.13.1',NULL,NULL);
CREATE TABLE plugin (
  id           INTEGER PRIMARY KEY,
  kind         TEXT NOT NULL CHECK (kind IN ('solver', 'model', 'attack', 'dataset', 'objective', 'probe')),
  name         TEXT NOT NULL,    -- plugin id, e.g. 'dopri5'
  fingerprint  TEXT NOT NULL,    -- SHA-256 over its sources, part of every cell key
  version      TEXT NOT NULL,
  summary      TEXT NOT NULL,
  source       TEXT NOT NULL,    -- the paper or book that it follows
  capabilities TEXT NOT NULL,    -- a JSON array of strings, e.g. '["gradient_free"]'
  UNIQUE (kind, name, fingerprint)
) STRICT;
INSERT INTO plugin VALUES(1,'dataset','strokes','c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3','1.0','made-up dataset','','[]');
INSERT INTO plugin VALUES(2,'model','so_resnet','71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db','1.0','made-up model','','[]');
INSERT INTO plugin VALUES(3,'objective','ce','3f63bdbfef18924a82155969668660602257ea1f7b0a93ef265a9c366ab9c221','1.0','made-up objective','','[]');
INSERT INTO plugin VALUES(4,'solver','bosh3','8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad','1.0','made-up solver','','[]');
INSERT INTO plugin VALUES(5,'model','resnet','e78085bc34067b274e66bf22dde6f1c11579a60a1bbb4580783c8c485b216c46','1.0','made-up model','','[]');
INSERT INTO plugin VALUES(6,'attack','none','e471fcc51fbe0f283818b02b07b6b29f0b8dce08172eb91ff0a8d625c61b1a0d','1.0','made-up attack','','[]');
INSERT INTO plugin VALUES(7,'attack','pgd','a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045','1.0','made-up attack','','[]');
INSERT INTO plugin VALUES(8,'solver','rk4','b14a165fca3e12166cee5b84fb7c9706f9b13ebfe3d0b8279ce8462c9cdc8991','1.0','made-up solver','','[]');
INSERT INTO plugin VALUES(9,'attack','spsa','e4733ab99deb2b6536d15c65997586a6643dc7089291e6f25289d4898f755a88','1.0','made-up attack','','["gradient_free"]');
INSERT INTO plugin VALUES(10,'attack','square','3db3ffd4174109803c513a65ca3aae791ab403a1519bf403658066322eccde25','1.0','made-up attack','','["gradient_free"]');
INSERT INTO plugin VALUES(11,'probe','gradient_norm','ff8276a19af729c17e1bade6530178465424652e04bf28cc82e155181dc928bf','1.0','made-up probe','','[]');
CREATE TABLE run (
  id             INTEGER PRIMARY KEY,
  uuid           TEXT NOT NULL UNIQUE,
  manifest_id    INTEGER NOT NULL REFERENCES manifest (id),
  environment_id INTEGER NOT NULL REFERENCES environment (id),
  state          TEXT NOT NULL CHECK (state IN ('running', 'ended', 'interrupted')),
  exit_code      INTEGER,       -- NULL until it ended
  started_at     TEXT NOT NULL,
  ended_at       TEXT,
  argv           TEXT NOT NULL,   -- the command line, a JSON array
  tool           TEXT NOT NULL,   -- version of unmask
  git_commit     TEXT,            -- NULL: not under git
  git_dirty      INTEGER CHECK (git_dirty IN (0, 1)),
  pid            INTEGER NOT NULL, plan_id INTEGER REFERENCES plan (id), thresholds TEXT NOT NULL DEFAULT '{}',
  CHECK ((state = 'ended') = (exit_code IS NOT NULL))
) STRICT;
INSERT INTO run VALUES(1,'0beab9f9-fa87-41c8-84f0-c4dbfd940e3b',1,1,'ended',1,'2026-11-28T22:15:41.813Z','2026-11-28T22:15:42.383Z','["unmask","run","studies/small.json"]','0.1.0','0123456789abcdef0123456789abcdef01234567',0,24282,1,'{}');
CREATE TABLE run_plugin (
  run_id      INTEGER NOT NULL REFERENCES run (id),
  plugin_id   INTEGER NOT NULL REFERENCES plugin (id),
  file        TEXT NOT NULL,
  file_sha256 TEXT NOT NULL,
  build_tag   TEXT NOT NULL,     -- compiler, C++ library and LibTorch of the file
  PRIMARY KEY (run_id, plugin_id)
) STRICT, WITHOUT ROWID;
INSERT INTO run_plugin VALUES(1,1,'plugins/dataset_strokes.so','392a83e8098e8a87d85cbfe9a1093ce4099c9ac890a95099f5c9824a9cc76246','gcc12');
INSERT INTO run_plugin VALUES(1,2,'plugins/model_so_resnet.so','4949cf79e22dc02a18a45ad46c75eb8365609544043f980961c40b8b07c223cd','gcc12');
INSERT INTO run_plugin VALUES(1,3,'plugins/objective_ce.so','76bb556ed0b016cd514fb8bf76f5c118d7d997b48d1ae0e497d076f521494c57','gcc12');
INSERT INTO run_plugin VALUES(1,4,'plugins/solver_bosh3.so','c34a7b5228c87056441e854dde1645c4ecbd070abe5d392dc27dff064aaa225c','gcc12');
INSERT INTO run_plugin VALUES(1,5,'plugins/model_resnet.so','7e24873a66fc4e85690b5cae28028e5d882fac802a01c99643fa02cbdf36d15b','gcc12');
INSERT INTO run_plugin VALUES(1,6,'plugins/attack_none.so','4fc02f002b53ef4a998cdf03261674cb6eaa771477f10715b8edcfdf9793c005','gcc12');
INSERT INTO run_plugin VALUES(1,7,'plugins/attack_pgd.so','187b61c91dd3b4638ae9767eb61ba7e37a98695972e61a9d4809b3fcfd484482','gcc12');
INSERT INTO run_plugin VALUES(1,8,'plugins/solver_rk4.so','31b335a58c4c29aec9f945bfc9a8a17527afb66693a5066436466fbbf428aeac','gcc12');
INSERT INTO run_plugin VALUES(1,9,'plugins/attack_spsa.so','48abc5814b9eeb54aadf35d88fd66dcc3de0bf981924ef8dc230e520bedeb24c','gcc12');
INSERT INTO run_plugin VALUES(1,10,'plugins/attack_square.so','c24cd8413e64a45a1ed01d5135672eae095167391a61f0d60f77fc5346898add','gcc12');
INSERT INTO run_plugin VALUES(1,11,'plugins/probe_gradient_norm.so','12ce8737a73241ceef6e016516b798d2420f2dd1ae369acc01ddebed0fae477b','gcc12');
CREATE TABLE cell (
  id                 INTEGER PRIMARY KEY,
  key                TEXT NOT NULL UNIQUE CHECK (length(key) = 64),
  kind               TEXT NOT NULL CHECK (kind IN ('train', 'attack', 'probe')),
  checkpoint_cell_id INTEGER REFERENCES cell (id),   -- the train cell whose checkpoint it uses
  source_cell_id     INTEGER REFERENCES cell (id),   -- likewise of the network that adversarial images are made
                                                     -- on; NULL: that of checkpoint_cell_id
  spec_json          TEXT NOT NULL,
  norm               TEXT,   -- of the attack; NULL when it has no such parameter
  CHECK ((kind = 'train') = (checkpoint_cell_id IS NULL))
) STRICT;
INSERT INTO cell VALUES(1,'e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c','train',NULL,NULL,'{"dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"kind":"train","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"objective":{"fingerprint":"3f63bdbfef18924a82155969668660602257ea1f7b0a93ef265a9c366ab9c221","params":{},"plugin":"ce"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
INSERT INTO cell VALUES(2,'52140d5c1282e0210834a166abf8ef594b4a7cf83573bf22e7c26ab367b9b8ad','train',NULL,NULL,'{"dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"kind":"train","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"objective":{"fingerprint":"3f63bdbfef18924a82155969668660602257ea1f7b0a93ef265a9c366ab9c221","params":{},"plugin":"ce"},"seed":1,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
INSERT INTO cell VALUES(3,'97a3bfcb35dcd6fddfb1d0c16dbe86853debce1ddefb012a815059ae3e387caf','train',NULL,NULL,'{"dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"kind":"train","model":{"fingerprint":"e78085bc34067b274e66bf22dde6f1c11579a60a1bbb4580783c8c485b216c46","params":{},"plugin":"resnet"},"objective":{"fingerprint":"3f63bdbfef18924a82155969668660602257ea1f7b0a93ef265a9c366ab9c221","params":{},"plugin":"ce"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
INSERT INTO cell VALUES(4,'937a2a78b1b228039b81a8cc5bd621cddb4b1ef9aba68d1b553457242275ad3c','attack',1,NULL,'{"attack":{"fingerprint":"e471fcc51fbe0f283818b02b07b6b29f0b8dce08172eb91ff0a8d625c61b1a0d","params":null,"plugin":"none"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.0,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(5,'b425eb5405e4f75a9991967a24dd04dc81639b4110bfe3fa9a45002e0417ee8e','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(6,'889e6078e27e0cff47823b6b60c0b7e160bdab3618c42badd4d7965aa6a48c36','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":{"fingerprint":"b14a165fca3e12166cee5b84fb7c9706f9b13ebfe3d0b8279ce8462c9cdc8991","params":{},"plugin":"rk4"},"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(7,'0ac4fd62b090d3c1aab128f64775017f592cae2051f3acbd31f01236841d5363','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":1,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(8,'b766b0a7cb2e66ab6bad355a851fc77633975dbf11b92876c70b856cacf97d00','attack',1,NULL,'{"attack":{"fingerprint":"e4733ab99deb2b6536d15c65997586a6643dc7089291e6f25289d4898f755a88","params":null,"plugin":"spsa"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(9,'c176fa9731deebfcadae4f40b0141f5a97cb79ee9ad4e94fa334a39041cd96f8','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.01568627450980392,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(10,'0c530a787e198fc669ac528ac518bbc971451003d3cd656f7b22d0c727d17cc6','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"b14a165fca3e12166cee5b84fb7c9706f9b13ebfe3d0b8279ce8462c9cdc8991","params":{},"plugin":"rk4"}}','linf');
INSERT INTO cell VALUES(11,'11ff96ddd10bcfd97e3c47f6b5c365fdf9e52e4c5b1cabeef91db4d257a20663','attack',1,NULL,'{"attack":{"fingerprint":"3db3ffd4174109803c513a65ca3aae791ab403a1519bf403658066322eccde25","params":null,"plugin":"square"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
INSERT INTO cell VALUES(12,'37a57d20ed1196e452e01ba6ef2611eeba5129e33ef54d07f190d21daa8181c5','probe',1,NULL,'{"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"gradient":null,"kind":"probe","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"probe":{"fingerprint":"ff8276a19af729c17e1bade6530178465424652e04bf28cc82e155181dc928bf","params":{},"plugin":"gradient_norm"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
INSERT INTO cell VALUES(13,'e6fd2326b042206de3575f6f9701d613c0cd93fbad519b491ce7f4968f317b49','attack',2,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"52140d5c1282e0210834a166abf8ef594b4a7cf83573bf22e7c26ab367b9b8ad","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(14,'845abe7584d81d8f8f3db8449460104c296dd918e6099b603a49a727b8577439','attack',3,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"97a3bfcb35dcd6fddfb1d0c16dbe86853debce1ddefb012a815059ae3e387caf","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"e78085bc34067b274e66bf22dde6f1c11579a60a1bbb4580783c8c485b216c46","params":{},"plugin":"resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
CREATE TABLE cell_plugin (
  cell_id   INTEGER NOT NULL REFERENCES cell (id),
  role      TEXT NOT NULL,
  plugin_id INTEGER NOT NULL REFERENCES plugin (id),
  PRIMARY KEY (cell_id, role)
) STRICT, WITHOUT ROWID;
INSERT INTO cell_plugin VALUES(1,'dataset',1);
INSERT INTO cell_plugin VALUES(2,'dataset',1);
INSERT INTO cell_plugin VALUES(3,'dataset',1);
INSERT INTO cell_plugin VALUES(4,'dataset',1);
INSERT INTO cell_plugin VALUES(5,'dataset',1);
INSERT INTO cell_plugin VALUES(6,'dataset',1);
INSERT INTO cell_plugin VALUES(7,'dataset',1);
INSERT INTO cell_plugin VALUES(8,'dataset',1);
INSERT INTO cell_plugin VALUES(9,'dataset',1);
INSERT INTO cell_plugin VALUES(10,'dataset',1);
INSERT INTO cell_plugin VALUES(11,'dataset',1);
INSERT INTO cell_plugin VALUES(12,'dataset',1);
INSERT INTO cell_plugin VALUES(13,'dataset',1);
INSERT INTO cell_plugin VALUES(14,'dataset',1);
INSERT INTO cell_plugin VALUES(1,'model',2);
INSERT INTO cell_plugin VALUES(2,'model',2);
INSERT INTO cell_plugin VALUES(4,'model',2);
INSERT INTO cell_plugin VALUES(5,'model',2);
INSERT INTO cell_plugin VALUES(6,'model',2);
INSERT INTO cell_plugin VALUES(7,'model',2);
INSERT INTO cell_plugin VALUES(8,'model',2);
INSERT INTO cell_plugin VALUES(9,'model',2);
INSERT INTO cell_plugin VALUES(10,'model',2);
INSERT INTO cell_plugin VALUES(11,'model',2);
INSERT INTO cell_plugin VALUES(12,'model',2);
INSERT INTO cell_plugin VALUES(13,'model',2);
INSERT INTO cell_plugin VALUES(1,'objective',3);
INSERT INTO cell_plugin VALUES(2,'objective',3);
INSERT INTO cell_plugin VALUES(3,'objective',3);
INSERT INTO cell_plugin VALUES(1,'solver',4);
INSERT INTO cell_plugin VALUES(2,'solver',4);
INSERT INTO cell_plugin VALUES(3,'solver',4);
INSERT INTO cell_plugin VALUES(4,'solver',4);
INSERT INTO cell_plugin VALUES(5,'solver',4);
INSERT INTO cell_plugin VALUES(6,'solver',4);
INSERT INTO cell_plugin VALUES(7,'solver',4);
INSERT INTO cell_plugin VALUES(8,'solver',4);
INSERT INTO cell_plugin VALUES(9,'solver',4);
INSERT INTO cell_plugin VALUES(11,'solver',4);
INSERT INTO cell_plugin VALUES(12,'solver',4);
INSERT INTO cell_plugin VALUES(13,'solver',4);
INSERT INTO cell_plugin VALUES(14,'solver',4);
INSERT INTO cell_plugin VALUES(3,'model',5);
INSERT INTO cell_plugin VALUES(14,'model',5);
INSERT INTO cell_plugin VALUES(4,'attack',6);
INSERT INTO cell_plugin VALUES(5,'attack',7);
INSERT INTO cell_plugin VALUES(6,'attack',7);
INSERT INTO cell_plugin VALUES(7,'attack',7);
INSERT INTO cell_plugin VALUES(9,'attack',7);
INSERT INTO cell_plugin VALUES(10,'attack',7);
INSERT INTO cell_plugin VALUES(13,'attack',7);
INSERT INTO cell_plugin VALUES(14,'attack',7);
INSERT INTO cell_plugin VALUES(6,'gradient',8);
INSERT INTO cell_plugin VALUES(10,'solver',8);
INSERT INTO cell_plugin VALUES(8,'attack',9);
INSERT INTO cell_plugin VALUES(11,'attack',10);
INSERT INTO cell_plugin VALUES(12,'probe',11);
CREATE TABLE run_cell (
  run_id  INTEGER NOT NULL REFERENCES run (id),
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  how     TEXT NOT NULL CHECK (how IN ('planned', 'hit', 'ran', 'failed', 'skipped')),
  reason  TEXT,                    -- why it was skipped
  PRIMARY KEY (run_id, cell_id)
) STRICT, WITHOUT ROWID;
INSERT INTO run_cell VALUES(1,1,'ran',NULL);
INSERT INTO run_cell VALUES(1,2,'ran',NULL);
INSERT INTO run_cell VALUES(1,3,'failed',NULL);
INSERT INTO run_cell VALUES(1,4,'ran',NULL);
INSERT INTO run_cell VALUES(1,5,'ran',NULL);
INSERT INTO run_cell VALUES(1,6,'ran',NULL);
INSERT INTO run_cell VALUES(1,7,'ran',NULL);
INSERT INTO run_cell VALUES(1,8,'ran',NULL);
INSERT INTO run_cell VALUES(1,9,'ran',NULL);
INSERT INTO run_cell VALUES(1,10,'ran',NULL);
INSERT INTO run_cell VALUES(1,11,'failed',NULL);
INSERT INTO run_cell VALUES(1,12,'ran',NULL);
INSERT INTO run_cell VALUES(1,13,'ran',NULL);
INSERT INTO run_cell VALUES(1,14,'skipped','its training failed');
CREATE TABLE attempt (
  id                TEXT PRIMARY KEY,               -- a random UUID
  cell_id           INTEGER NOT NULL REFERENCES cell (id),
  run_id            INTEGER NOT NULL REFERENCES run (id),
  n                 INTEGER NOT NULL CHECK (n >= 1),   -- 1 for the first try at the cell
  state             TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted', 'discarded')),
  failure_class     TEXT,
  message           TEXT,                           -- why it failed or was discarded
  log_tail          TEXT,                           -- the last lines that the worker printed
  signal            INTEGER,                        -- that ended the worker
  exit_code         INTEGER,                        -- of the worker
  started_at        TEXT NOT NULL,
  ended_at          TEXT,
  wall_s            REAL CHECK (wall_s >= 0),       -- seconds
  device            TEXT NOT NULL,
  peak_bytes        INTEGER CHECK (peak_bytes >= 0),   -- peak resident memory of the worker
  forwards          INTEGER CHECK (forwards >= 0),     -- samples passed forward
  backwards         INTEGER CHECK (backwards >= 0),    -- samples differentiated
  nfe               INTEGER CHECK (nfe >= 0),          -- vector-field evaluations, each on a batch
  worker_pid        INTEGER NOT NULL,
  checkpoint_sha256 TEXT,                           -- of the weights that it used
  source_sha256     TEXT,                           -- of the weights of the source, when it is another network
  UNIQUE (cell_id, n),
  CHECK ((state = 'failed') = (failure_class IS NOT NULL)),
  CHECK ((state = 'running') = (ended_at IS NULL))
) STRICT;
INSERT INTO attempt VALUES('65bbe952-a51d-4548-a13c-7b463895f547',1,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:41.881Z','2026-11-28T22:15:41.904Z',2.5,'cpu',1000,40,40,100,42,NULL,NULL);
INSERT INTO attempt VALUES('5c81c340-0f6c-4a5f-972b-cb923da01d1f',2,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:41.921Z','2026-11-28T22:15:41.931Z',2.5,'cpu',1000,40,40,100,42,NULL,NULL);
INSERT INTO attempt VALUES('9bafb3d0-22b2-4d2d-8517-c0fc105ce565',3,1,1,'failed','plugin_error','loss is not finite',replace('epoch 3\n','\n',char(10)),NULL,NULL,'2026-11-28T22:15:41.949Z','2026-11-28T22:15:41.961Z',0.00015042100000000000197,'cpu',NULL,NULL,NULL,NULL,42,NULL,NULL);
INSERT INTO attempt VALUES('ad9378ea-b07e-4bcc-9058-a95d1bf4d092',4,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:41.993Z','2026-11-28T22:15:42.004Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('e039a1fa-5539-4ebc-9d2d-761649261094',5,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.025Z','2026-11-28T22:15:42.032Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('0c013ad5-cb06-4bc2-b906-f4743d853a42',6,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.057Z','2026-11-28T22:15:42.073Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('10c2f2a2-f3c8-4bec-b273-a8ed0cc43dd3',7,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.093Z','2026-11-28T22:15:42.113Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('4840a550-389f-42b7-97ea-ce42ac4b9e88',8,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.125Z','2026-11-28T22:15:42.133Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('326c9f46-01e3-43f3-b806-5be97a0f3e78',9,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.154Z','2026-11-28T22:15:42.172Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('9211e310-790e-4c43-bd1e-1459910feae1',10,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.188Z','2026-11-28T22:15:42.200Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('98ea3336-a8cf-4863-b15f-b87ea10bf5c1',11,1,1,'failed','crash','the worker crashed',replace('first\n','\n',char(10)),11,NULL,'2026-11-28T22:15:42.216Z','2026-11-28T22:15:42.234Z',0.00012143699999999999622,'cpu',NULL,NULL,NULL,NULL,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('69d35a4d-c011-4e07-afb7-328e23da63fb',11,1,2,'failed','crash','it crashed again',replace('second\n','\n',char(10)),6,NULL,'2026-11-28T22:15:42.249Z','2026-11-28T22:15:42.269Z',0.00015740400000000001287,'cpu',NULL,NULL,NULL,NULL,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('b618576e-f65b-48f7-96b4-0eb05034051e',12,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.289Z','2026-11-28T22:15:42.313Z',0.5,'cpu',0,4,4,14,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('63bccee2-9293-4b89-ad86-a0970a80fe0c',13,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T22:15:42.329Z','2026-11-28T22:15:42.337Z',1.5,'cpu',2000,88,80,280,42,'3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d',NULL);
CREATE TABLE checkpoint (
  cell_id INTEGER PRIMARY KEY REFERENCES cell (id),
  sha256  TEXT NOT NULL CHECK (length(sha256) = 64),
  bytes   INTEGER NOT NULL CHECK (bytes >= 0),
  path    TEXT NOT NULL
) STRICT;
INSERT INTO checkpoint VALUES(1,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',1234,'ab/a.safetensors');
INSERT INTO checkpoint VALUES(2,'3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d',1234,'ab/b.safetensors');
CREATE TABLE adversarials (
  cell_id INTEGER PRIMARY KEY REFERENCES cell (id),
  sha256  TEXT NOT NULL CHECK (length(sha256) = 64),
  bytes   INTEGER NOT NULL CHECK (bytes >= 0),
  path    TEXT NOT NULL
) STRICT;
INSERT INTO adversarials VALUES(5,'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',4096,'kept.safetensors');
CREATE TABLE metric (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  name    TEXT NOT NULL,
  value   REAL,
  flag    TEXT CHECK (flag IN ('nan', 'inf', '-inf')),
  n       INTEGER CHECK (n >= 0), reason TEXT,   -- samples behind it
  PRIMARY KEY (cell_id, name),
  CHECK ((value IS NULL) = (flag IS NOT NULL)),
  CONSTRAINT accuracy_is_a_fraction CHECK (name NOT GLOB '*accuracy*' OR value IS NULL OR value BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;
INSERT INTO metric VALUES(1,'train_accuracy',0.75,NULL,4,NULL);
INSERT INTO metric VALUES(1,'train_loss',0.5,NULL,4,NULL);
INSERT INTO metric VALUES(2,'train_accuracy',0.75,NULL,4,NULL);
INSERT INTO metric VALUES(2,'train_loss',0.5,NULL,4,NULL);
INSERT INTO metric VALUES(12,'broken',NULL,'nan',4,NULL);
INSERT INTO metric VALUES(12,'median_norm',0.5,NULL,4,NULL);
CREATE TABLE series (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  name    TEXT NOT NULL,
  step    INTEGER NOT NULL CHECK (step >= 1),
  value   REAL,
  flag    TEXT CHECK (flag IN ('nan', 'inf', '-inf')),
  PRIMARY KEY (cell_id, name, step),
  CHECK ((value IS NULL) = (flag IS NOT NULL)),
  CONSTRAINT accuracy_is_a_fraction CHECK (name NOT GLOB '*accuracy*' OR value IS NULL OR value BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;
INSERT INTO series VALUES(1,'train_loss',1,2.0,NULL);
INSERT INTO series VALUES(1,'train_loss',2,NULL,'nan');
INSERT INTO series VALUES(1,'train_loss',3,0.5,NULL);
INSERT INTO series VALUES(2,'train_loss',1,2.0,NULL);
INSERT INTO series VALUES(2,'train_loss',2,NULL,'nan');
INSERT INTO series VALUES(2,'train_loss',3,0.5,NULL);
CREATE TABLE sample_metric (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  sample  INTEGER NOT NULL CHECK (sample >= 0),
  name    TEXT NOT NULL,
  value   REAL,
  flag    TEXT CHECK (flag IN ('nan', 'inf', '-inf')),
  PRIMARY KEY (cell_id, sample, name),
  CHECK ((value IS NULL) = (flag IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO sample_metric VALUES(12,0,'norm',0.25,NULL);
INSERT INTO sample_metric VALUES(12,1,'norm',NULL,'inf');
CREATE TABLE seed (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  purpose TEXT NOT NULL,
  seed    TEXT NOT NULL,
  PRIMARY KEY (cell_id, purpose)
) STRICT, WITHOUT ROWID;
INSERT INTO seed VALUES(1,'init','17');
INSERT INTO seed VALUES(1,'order','18');
INSERT INTO seed VALUES(2,'init','17');
INSERT INTO seed VALUES(2,'order','18');
INSERT INTO seed VALUES(4,'attack','19');
INSERT INTO seed VALUES(5,'attack','19');
INSERT INTO seed VALUES(6,'attack','19');
INSERT INTO seed VALUES(7,'attack','19');
INSERT INTO seed VALUES(8,'attack','19');
INSERT INTO seed VALUES(9,'attack','19');
INSERT INTO seed VALUES(10,'attack','19');
INSERT INTO seed VALUES(13,'attack','19');
CREATE TABLE plan (
  id          INTEGER PRIMARY KEY,
  manifest_id INTEGER NOT NULL REFERENCES manifest (id),
  sha256      TEXT CHECK (length(sha256) = 64),   -- of keys and names. NULL: from a file of schema
                                                  -- version 1, all cells that a run of the manifest asked for
  UNIQUE (manifest_id, sha256)
) STRICT;
INSERT INTO "plan" VALUES(1,1,'73a191f4f2aa742cdbd3a887a98b8463d44693831bb96487bdddafce2b37bd5c');
CREATE TABLE plan_cell (
  plan_id      INTEGER NOT NULL REFERENCES plan (id),
  place        INTEGER NOT NULL CHECK (place >= 1),   -- in the plan
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
  is_alias     INTEGER NOT NULL CHECK (is_alias IN (0, 1)),   -- another name of a cell that has one already
  dataset      TEXT NOT NULL,
  model        TEXT NOT NULL,
  objective    TEXT NOT NULL,
  train_solver TEXT NOT NULL,
  train_seed   INTEGER NOT NULL,
  solver       TEXT NOT NULL,      -- evaluation solver; '' for train cells
  gradient     TEXT NOT NULL,      -- gradient solver or their mean; '' is the one that answers the attack
  source       TEXT NOT NULL,      -- where adversarial images are made; '' is the attacked network itself
  method       TEXT NOT NULL,      -- attack or probe; '' for train cells
  epsilon      REAL CHECK (epsilon >= 0),
  epsilon_text TEXT NOT NULL,      -- as written, e.g. '8/255'
  seed         INTEGER NOT NULL,   -- of the attack or probe
  PRIMARY KEY (plan_id, place)
) STRICT, WITHOUT ROWID;
INSERT INTO plan_cell VALUES(1,1,1,0,'strokes','so_resnet','ce','bosh3',0,'','','','',NULL,'',0);
INSERT INTO plan_cell VALUES(1,2,2,0,'strokes','so_resnet','ce','bosh3',1,'','','','',NULL,'',0);
INSERT INTO plan_cell VALUES(1,3,3,0,'strokes','resnet','ce','bosh3',0,'','','','',NULL,'',0);
INSERT INTO plan_cell VALUES(1,4,4,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','none',0.0,'0',0);
INSERT INTO plan_cell VALUES(1,5,5,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO plan_cell VALUES(1,6,6,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','rk4','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO plan_cell VALUES(1,7,7,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','pgd',0.031372549019607842701,'8/255',1);
INSERT INTO plan_cell VALUES(1,8,8,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','spsa',0.031372549019607842701,'8/255',0);
INSERT INTO plan_cell VALUES(1,9,9,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','pgd',0.01568627450980392135,'4/255',0);
INSERT INTO plan_cell VALUES(1,10,10,0,'strokes','so_resnet','ce','bosh3',0,'rk4','','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO plan_cell VALUES(1,11,11,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','square',0.031372549019607842701,'8/255',0);
INSERT INTO plan_cell VALUES(1,12,12,0,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','gradient_norm',NULL,'',0);
INSERT INTO plan_cell VALUES(1,13,13,0,'strokes','so_resnet','ce','bosh3',1,'bosh3','','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO plan_cell VALUES(1,14,14,0,'strokes','resnet','ce','bosh3',0,'bosh3','','','pgd',0.031372549019607842701,'8/255',0);
CREATE TABLE IF NOT EXISTS "sample_outcome" (
  cell_id          INTEGER NOT NULL REFERENCES cell (id),
  sample           INTEGER NOT NULL CHECK (sample >= 0),   -- index in the evaluation split
  label            INTEGER NOT NULL CHECK (label >= 0),
  state            TEXT NOT NULL CHECK (state IN ('decided', 'undecided')),
  clean_prediction INTEGER CHECK (clean_prediction >= 0),   -- NULL: no answer
  prediction       INTEGER CHECK (prediction >= 0),         -- NULL: no answer
  distance         REAL CONSTRAINT distance_is_finite CHECK (distance >= 0 AND distance < 9e999),
  queries          INTEGER NOT NULL CHECK (queries >= 0),   -- answers that the attack asked for
  passes           INTEGER CHECK (passes >= 0),             -- forward passes that they and their gradients took;
                                                            -- NULL: not counted
  PRIMARY KEY (cell_id, sample),
  CONSTRAINT decided_has_answers CHECK (state = 'undecided'
    OR (clean_prediction IS NOT NULL AND prediction IS NOT NULL AND distance IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO sample_outcome VALUES(4,0,0,'decided',0,0,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(4,1,1,'decided',1,1,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(4,2,2,'decided',2,2,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(4,3,3,'decided',4,4,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(5,0,0,'decided',0,0,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(5,1,1,'decided',1,1,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(5,2,2,'decided',2,3,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(5,3,3,'decided',4,4,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(6,0,0,'decided',0,1,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(6,1,1,'decided',1,2,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(6,2,2,'decided',2,3,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(6,3,3,'decided',4,4,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(7,0,0,'decided',0,0,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(7,1,1,'decided',1,1,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(7,2,2,'decided',2,2,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(7,3,3,'decided',4,4,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(8,0,0,'decided',0,0,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(8,1,1,'decided',1,2,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(8,2,2,'decided',2,3,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(8,3,3,'decided',4,4,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(9,0,0,'decided',0,0,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(9,1,1,'decided',1,1,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(9,2,2,'decided',2,2,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(9,3,3,'decided',4,4,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(10,0,0,'decided',0,0,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(10,1,1,'decided',1,2,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(10,2,2,'decided',2,3,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(10,3,3,'decided',4,4,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(13,0,0,'decided',0,0,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(13,1,1,'decided',1,2,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(13,2,2,'decided',3,3,0.029999999999999998889,20,40);
INSERT INTO sample_outcome VALUES(13,3,3,'decided',4,4,0.029999999999999998889,20,40);
CREATE TABLE IF NOT EXISTS "solve_stats" (
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
  phase        TEXT NOT NULL,     -- 'train', 'evaluate', 'attack', 'gradient'
  solve        TEXT NOT NULL,     -- 'conv1', 'layer2.0', ...
  solves       INTEGER NOT NULL CHECK (solves >= 0),
  nfe_min      INTEGER NOT NULL CHECK (nfe_min >= 0),
  nfe_median   REAL NOT NULL CHECK (nfe_median >= nfe_min),
  nfe_max      INTEGER NOT NULL CHECK (nfe_max >= nfe_median),
  nfe_total    INTEGER NOT NULL CHECK (nfe_total >= nfe_max),
  accepted     INTEGER NOT NULL CHECK (accepted >= 0),
  rejected     INTEGER NOT NULL CHECK (rejected >= 0),
  failed       INTEGER NOT NULL CHECK (failed BETWEEN 0 AND solves),   -- did not reach the end time
  worst_status TEXT NOT NULL,     -- 'ok', or the status of a failed solve
  step_min     REAL,              -- NULL: no step was taken
  step_max     REAL,
  PRIMARY KEY (cell_id, phase, solve)
) STRICT, WITHOUT ROWID;
INSERT INTO solve_stats VALUES(1,'train','conv1',10,7,10.0,13,100,30,5,0,'ok',0.10000000000000000555,0.5);
INSERT INTO solve_stats VALUES(2,'train','conv1',10,7,10.0,13,100,30,5,0,'ok',0.10000000000000000555,0.5);
INSERT INTO solve_stats VALUES(4,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(4,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(5,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(5,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(6,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(6,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(7,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(7,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(8,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(8,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(9,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(9,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(10,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(10,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(13,'attack','conv1',0,0,0.0,0,0,0,0,0,'ok',NULL,NULL);
INSERT INTO solve_stats VALUES(13,'evaluate','conv1',2,14,14.0,14,28,8,0,0,'ok',0.25,0.25);
CREATE TABLE remark (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  n       INTEGER NOT NULL CHECK (n >= 1),
  text    TEXT NOT NULL,
  PRIMARY KEY (cell_id, n)
) STRICT, WITHOUT ROWID;
INSERT INTO remark VALUES(5,1,'attack pgd changed the rounding mode');
CREATE TABLE threshold (
  name          TEXT PRIMARY KEY,   -- of a metric; 'fooled_first_by': of a black box after a white one
  value         REAL NOT NULL,
  is_of_network INTEGER NOT NULL CHECK (is_of_network IN (0, 1)),   -- not of the attack that noticed it
  meaning       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO threshold VALUES('check.batch_dependence',0.00010000000000000000479,1,'answers depend on the other images of the batch');
INSERT INTO threshold VALUES('check.gradient_not_finite',0.0,0,'share of samples whose gradient was not finite');
INSERT INTO threshold VALUES('check.one_hot_output',0.0,1,'only zeros and ones come out: no loss has a gradient');
INSERT INTO threshold VALUES('check.randomised',0.00010000000000000000479,1,'the same images get other answers when asked again');
INSERT INTO threshold VALUES('check.softmax_output',0.0,1,'the network ends with a softmax');
INSERT INTO threshold VALUES('check.zero_gradient',0.0,0,'share of samples whose gradient was zero');
INSERT INTO threshold VALUES('fooled_first_by',0.0020000000000000000416,0,'share that a gradient-free attack fooled after the others');
INSERT INTO threshold VALUES('threat_violations',0.0,0,'points outside the ball or the box, put back by the host');
INSERT INTO threshold VALUES('undecided',0.0,0,'samples that the evaluation solver gave no answer for');
CREATE TABLE named_query (
  name        TEXT PRIMARY KEY,
  description TEXT NOT NULL,
  sql         TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO named_query VALUES('accuracy','accuracy per model, solver and attack, with the 95 % interval',replace('SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,\n  attack, norm, epsilon_text, seed, n, n_undecided, clean_accuracy, robust_accuracy, lower, upper\nFROM accuracy\nORDER BY study, dataset, model, objective, train_solver, train_seed, solver, epsilon, attack,\n  gradient, source, seed','\n',char(10)));
INSERT INTO named_query VALUES('cells','all cells with their state',replace('SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,\n  source, method, epsilon_text, seed, state, attempts, substr(key, 1, 12) AS key\nFROM cells\nORDER BY study, kind = ''train'' DESC, kind, cell_id, place','\n',char(10)));
INSERT INTO named_query VALUES('changes','what became other between two runs of a study: the latest and the one before, or see --run',replace('WITH side AS (\n  SELECT study, plan_id, run_id, 1 AS is_now FROM current_run\n  UNION ALL SELECT study, plan_id, run_id, 0 FROM earlier_run),\nanswer AS (\n  SELECT s.study, s.is_now, p.dataset, p.model, p.objective, p.train_solver, p.train_seed, p.solver, p.gradient,\n    p.source, p.method, p.epsilon_text, p.seed, p.place, c.key, c.kind,\n    (SELECT 1.0 * o.robust_correct / o.n FROM outcome_count o WHERE o.cell_id = c.id) AS accuracy\n  FROM side s JOIN plan_cell p ON p.plan_id = s.plan_id JOIN cell c ON c.id = p.cell_id)\nSELECT study, (SELECT run_id FROM earlier_run e WHERE e.study = a.study) AS earlier_run,\n  (SELECT run_id FROM current_run r WHERE r.study = a.study) AS run, kind, dataset, model, objective,\n  train_solver, train_seed, solver, gradient, source, method, epsilon_text, seed,\n  CASE WHEN count(*) = 2 THEN ''other'' WHEN max(is_now) THEN ''new'' ELSE ''gone'' END AS what,\n  max(accuracy) FILTER (WHERE NOT is_now) AS robust_accuracy_before,\n  max(accuracy) FILTER (WHERE is_now) AS robust_accuracy,\n  max(accuracy) FILTER (WHERE is_now) - max(accuracy) FILTER (WHERE NOT is_now) AS change\nFROM answer a\nWHERE EXISTS (SELECT 1 FROM earlier_run e WHERE e.study = a.study)\nGROUP BY study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient, source, method,\n  epsilon_text, seed\nHAVING count(DISTINCT key) = 2 OR count(*) = 1\nORDER BY study, kind = ''train'' DESC, kind, coalesce(max(place) FILTER (WHERE is_now), max(place))','\n',char(10)));
INSERT INTO named_query VALUES('cost','time, memory and work of each cell',replace('SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,\n  source, method, epsilon_text, seed, device,\n  wall_s, peak_bytes, forwards, backwards, nfe, attempts, lost_s\nFROM cost\nWHERE NOT is_alias\nORDER BY wall_s DESC, cell_id','\n',char(10)));
INSERT INTO named_query VALUES('effort','what each attack found, and what that cost in queries, passes and seconds',replace('SELECT a.study, a.dataset, a.model, a.objective, a.train_solver, a.train_seed, a.solver, a.gradient,\n  a.source, a.attack, a.norm, a.epsilon_text, a.seed, e.n_attacked, e.n_fooled, e.queries_mean,\n  e.queries_median, e.passes_mean, c.forwards, c.backwards, c.wall_s,\n  c.wall_s / nullif(e.n_fooled, 0) AS seconds_per_fooled\nFROM accuracy a JOIN attack_effort e ON e.cell_id = a.cell_id\n  JOIN attempt c ON c.cell_id = a.cell_id AND c.state = ''done''\nWHERE a.epsilon > 0\nORDER BY a.study, a.dataset, a.model, a.objective, a.train_solver, a.train_seed, a.solver, a.norm,\n  a.epsilon, e.n_fooled DESC, c.wall_s','\n',char(10)));
INSERT INTO named_query VALUES('elasticity','what more steps, queries or restarts change: attacks that differ in one of these alone',replace('SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,\n  norm, epsilon_text, seed, attack, parameter, value, n, robust_accuracy,\n  robust_accuracy_at_smallest - robust_accuracy AS drop_to_smallest\nFROM (SELECT *, count(*) OVER family AS members,\n        first_value(robust_accuracy) OVER (family ORDER BY value) AS robust_accuracy_at_smallest\n      FROM (SELECT a.*, p.key AS parameter, p.value,\n              json_remove(c.spec_json, ''$.attack.params.'' || p.key) AS others\n            FROM accuracy a JOIN cell c ON c.id = a.cell_id,\n              json_each(c.spec_json, ''$.attack.params'') p\n            WHERE p.key IN (''steps'', ''step_size'', ''queries'', ''restarts'') AND NOT a.is_alias)\n      WINDOW family AS (PARTITION BY study, parameter, others))\nWHERE members > 1\nORDER BY study, dataset, model, objective, train_solver, train_seed, solver, gradient, epsilon,\n  seed, parameter, others, value','\n',char(10)));
INSERT INTO named_query VALUES('failures','what failed and why',replace('SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,\n  source, method, epsilon_text, seed,\n  failure_class, message, signal, exit_code, attempt, blocks, substr(key, 1, 12) AS key\nFROM failures\nWHERE NOT is_alias\nORDER BY study, kind = ''train'' DESC, kind, cell_id','\n',char(10)));
INSERT INTO named_query VALUES('flips','every sample that an attack turned: from which class to which, how far, at what cost',replace('SELECT l.study, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver,\n  l.method AS attack, l.gradient, l.source, l.norm, l.epsilon_text, l.seed, o.sample,\n  o.clean_prediction AS class, o.prediction AS turned_into, o.distance, o.queries, o.passes\nFROM labelled_cell l JOIN sample_outcome o ON o.cell_id = l.cell_id\nWHERE o.state = ''decided'' AND o.clean_prediction = o.label AND o.prediction <> o.label\nORDER BY l.study, l.place, o.sample','\n',char(10)));
INSERT INTO named_query VALUES('gradient-matrix','the same attack through other gradient solvers, and the gap to the own gradient',replace('SELECT study, dataset, model, objective, train_solver, train_seed, attack, norm, epsilon_text, seed,\n  solver, gradient, source, n, robust_accuracy, own_robust_accuracy, gap\nFROM gradient_matrix\nORDER BY study, dataset, model, objective, train_solver, train_seed, attack, epsilon, seed,\n  solver, gradient','\n',char(10)));
INSERT INTO named_query VALUES('metrics','all numbers of all cells: training, attacks, probes',replace('SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,\n  source, method, epsilon_text, seed, name, value, flag, reason, n\nFROM metrics\nORDER BY study, kind = ''train'' DESC, kind, cell_id, name','\n',char(10)));
INSERT INTO named_query VALUES('plugins','plugins that took part, and in how many cells',replace('SELECT p.kind, p.name, p.version, substr(p.fingerprint, 1, 12) AS fingerprint,\n  (SELECT count(DISTINCT c.cell_id) FROM cell_plugin c WHERE c.plugin_id = p.id) AS cells\nFROM plugin p\nORDER BY p.kind, p.name, p.id','\n',char(10)));
INSERT INTO named_query VALUES('remarks','what workers had to say about a cell',replace('SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver,\n  l.gradient, l.source, l.method, l.epsilon_text, l.seed, r.text AS remark\nFROM labelled_cell l JOIN remark r ON r.cell_id = l.cell_id\nWHERE NOT l.is_alias\nORDER BY l.study, l.place, r.n','\n',char(10)));
INSERT INTO named_query VALUES('robustness','the table to begin with: accuracy in percent per network and attack, and against all attacks at once',replace('WITH open AS (SELECT * FROM cells WHERE kind = ''attack'' AND state <> ''done''),\nattacked AS (\n  SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, seed,\n    epsilon > 0 AS rank, attack || iif(source = ''@self'', '''', '' from '' || source) AS attack,\n    iif(gradient = ''@eval'', '''', gradient) AS gradient, epsilon_text, n,\n    robust_accuracy, lower, upper, n_undecided, threat_violations, NULL AS waits, NULL AS smaller\n  FROM accuracy\n  UNION ALL\n  SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, seed,\n    epsilon > 0, method || iif(source = ''@self'', '''', '' from '' || source),\n    iif(gradient = ''@eval'', '''', gradient), epsilon_text, NULL, NULL, NULL, NULL, 0, 0, ''failed'', NULL\n  FROM open WHERE state = ''failed''\n  UNION ALL\n  SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, NULL,\n    2, iif(n_missing = 0, ''all of them'',\n      ''all so far ('' || n_attacks || '' of '' || (n_attacks + n_missing) || '')''),\n    '''', epsilon_text, nullif(n, 0), robust_accuracy, lower, upper, n_undecided, threat_violations,\n    ltrim(coalesce(''; failed: '' || (SELECT group_concat(title, '', '') || iif(max(titles) > 3, '', ...'', '''') FROM (SELECT title, count(*) OVER () AS titles FROM (SELECT DISTINCT method || iif(gradient = ''@eval'', '''', '' via '' || gradient) || iif(source = ''@self'', '''', '' from '' || source) AS title FROM open o WHERE o.state = ''failed'' AND o.study = w.study AND o.checkpoint_cell_id = w.checkpoint_cell_id AND o.model = w.model AND o.dataset = w.dataset AND o.objective = w.objective AND o.train_solver = w.train_solver AND o.train_seed = w.train_seed AND o.solver = w.solver AND o.epsilon = w.epsilon AND o.epsilon_text IS w.epsilon_text AND (o.norm IS w.norm OR o.norm IS NULL)) ORDER BY title LIMIT 3)), '''')\n      || coalesce(''; missing: '' || (SELECT group_concat(title, '', '') || iif(max(titles) > 3, '', ...'', '''') FROM (SELECT title, count(*) OVER () AS titles FROM (SELECT DISTINCT method || iif(gradient = ''@eval'', '''', '' via '' || gradient) || iif(source = ''@self'', '''', '' from '' || source) AS title FROM open o WHERE o.state <> ''failed'' AND o.study = w.study AND o.checkpoint_cell_id = w.checkpoint_cell_id AND o.model = w.model AND o.dataset = w.dataset AND o.objective = w.objective AND o.train_solver = w.train_solver AND o.train_seed = w.train_seed AND o.solver = w.solver AND o.epsilon = w.epsilon AND o.epsilon_text IS w.epsilon_text AND (o.norm IS w.norm OR o.norm IS NULL)) ORDER BY title LIMIT 3)), ''''), ''; ''),\n    iif(cumulative_correct < robust_correct, cumulative_accuracy, NULL)\n  FROM worst_case w)\nSELECT study, dataset, model, objective, train_seed,\n  train_solver || iif(solver = train_solver, '''', '' -> '' || solver) AS solver,\n  attack, gradient,\n  iif(epsilon > 0, norm,\n    iif(min(norm) FILTER (WHERE epsilon > 0) OVER study = max(norm) FILTER (WHERE epsilon > 0) OVER study,\n      max(norm) FILTER (WHERE epsilon > 0) OVER study, NULL)) AS norm,\n  epsilon_text AS epsilon,\n  iif(min(seed) OVER study = max(seed) OVER study, NULL, seed) AS seed,\n  n, round(100 * robust_accuracy, 1) AS percent,\n  iif(robust_accuracy IS NULL, NULL, printf(''%.0f - %.0f'', 100 * lower, 100 * upper)) AS interval,\n  nullif(ltrim(iif(waits <> '''', ''; '' || waits, '''')\n    || iif(n_undecided > 0, ''; '' || n_undecided || '' undecided'', '''')\n    || iif(threat_violations > 0, ''; '' || threat_violations || '' points outside the ball or the box'', '''')\n    || coalesce(''; '' || round(100 * smaller, 1) || '' with all smaller radii'', ''''), ''; ''), '''') AS note\nFROM attacked\nWINDOW study AS (PARTITION BY study)\nORDER BY study, dataset, model, objective, train_solver, train_seed, solver, rank, norm IS NULL,\n  norm, epsilon, percent IS NULL, percent DESC, attack, gradient, seed','\n',char(10)));
INSERT INTO named_query VALUES('runs','every run: when, what, on which machine, what became of it',replace('SELECT r.id AS run, m.name AS study, r.started_at, r.ended_at, r.state, r.exit_code,\n  (SELECT count(*) FROM plan_cell p WHERE p.plan_id = r.plan_id AND NOT p.is_alias) AS cells,\n  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = ''hit'') AS hit,\n  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = ''ran'') AS ran,\n  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = ''failed'') AS failed,\n  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = ''skipped'') AS skipped,\n  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = ''planned'') AS not_run,\n  e.host, e.libtorch, substr(r.git_commit, 1, 12) AS git_commit, r.git_dirty\nFROM run r JOIN manifest m ON m.id = r.manifest_id JOIN environment e ON e.id = r.environment_id\nORDER BY r.id','\n',char(10)));
INSERT INTO named_query VALUES('sample-classes','samples by what it takes to fool them: attacks with a gradient, those without one, or none does',replace('SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,\n  count(*) AS n, sum(n_fooled = 0 AND NOT clean_correct) AS wrong_without_attack, sum(robust) AS never_fooled,\n  sum(n_fooled > 0 AND n_fooled_gradient_free = 0) AS fooled_by_gradients_alone,\n  sum(n_fooled > 0 AND n_fooled_gradient_free = n_fooled) AS fooled_without_gradients_alone,\n  sum(n_fooled_gradient_free > 0 AND n_fooled_gradient_free < n_fooled) AS fooled_by_both,\n  sum(n_fooled = 0 AND clean_correct AND NOT robust) AS undecided, sum(n_fooled = 1) AS fooled_by_one_attack,\n  avg(distance) AS distance_mean\nFROM worst_case_outcome\nGROUP BY threat\nORDER BY threat','\n',char(10)));
INSERT INTO named_query VALUES('seeds','robust accuracy over training and attack seeds: min, mean, max, variance',replace('SELECT study, dataset, model, objective, train_solver, solver, gradient, source, attack,\n  norm, epsilon_text, n, train_seeds, attack_seeds, clean_mean, min, mean, max, variance\nFROM seed_summary\nORDER BY study, dataset, model, objective, train_solver, solver, epsilon, attack, gradient,\n  source','\n',char(10)));
INSERT INTO named_query VALUES('solves','vector-field evaluations and steps per solve',replace('SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,\n  source, method, epsilon_text, seed, phase, solve,\n  solves, nfe_min, nfe_median, nfe_max, nfe_mean, accepted_mean, rejected_mean, failed,\n  worst_status\nFROM evaluations_per_solve\nWHERE NOT is_alias\nORDER BY study, kind = ''train'' DESC, kind, cell_id, phase, solve','\n',char(10)));
INSERT INTO named_query VALUES('status','how far each study is: cells done, failed, missing',replace('SELECT study, kind, cells, done, running, failed, missing FROM progress\nORDER BY study, kind = ''train'' DESC, kind','\n',char(10)));
INSERT INTO named_query VALUES('sweep','accuracy over any parameter that cells differ in alone: of attack, solver, training',replace('WITH evaluated AS (\n  SELECT a.*, e.spec_json AS spec, t.spec_json AS training,\n    json_remove(e.spec_json, ''$.checkpoint'', ''$.model'', ''$.dataset'') AS apart,\n    json_extract(e.spec_json, ''$.solver'') = json_extract(t.spec_json, ''$.solver'') AS is_same_solver\n  FROM accuracy a JOIN cell e ON e.id = a.cell_id JOIN cell t ON t.id = a.checkpoint_cell_id\n  WHERE NOT a.is_alias),\nswept AS (\n  SELECT a.*, substr(p.fullkey, 3) AS parameter, p.atom AS value, json_remove(a.spec, p.fullkey) AS others\n  FROM evaluated a, json_tree(a.spec) p\n  WHERE p.atom IS NOT NULL AND (p.fullkey = ''$.epsilon'' OR p.path GLOB ''$.attack*.params''\n    OR p.path GLOB ''$.solver*.params'' OR p.path GLOB ''$.gradient*.params'')\n  UNION ALL\n  SELECT a.*, ''training.'' || substr(p.fullkey, 3), p.atom,\n    json_remove(a.training, p.fullkey, ''$.dataset.content'') || a.apart\n  FROM evaluated a, json_tree(a.training) p\n  WHERE p.atom IS NOT NULL AND p.path GLOB ''$.*.params''\n  UNION ALL\n  SELECT a.*, ''both.'' || substr(p.fullkey, 3), p.atom,\n    json_remove(a.training, p.fullkey) || json_remove(a.apart, p.fullkey)\n  FROM evaluated a, json_tree(a.training) p\n  WHERE a.is_same_solver AND p.atom IS NOT NULL AND p.path = ''$.solver.params'')\nSELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,\n  attack, norm, epsilon_text, seed, replace(parameter, ''.params'', '''') AS parameter, value,\n  n, clean_accuracy, robust_accuracy, lower, upper\nFROM (SELECT *, min(value) OVER family AS smallest, max(value) OVER family AS largest\n      FROM swept\n      WINDOW family AS (PARTITION BY study, parameter, others))\nWHERE smallest <> largest\nORDER BY study, parameter, others, value','\n',char(10)));
INSERT INTO named_query VALUES('verdict-rules','what each rule found, behind each of these verdicts',replace('SELECT v.study, v.dataset, v.model, v.objective, v.train_solver, v.train_seed, v.solver, v.norm,\n  v.epsilon_text, v.judgement, r.rule, r.state, r.value, r.lower, r.upper, r.n, r.p_adjusted, r.threshold, r.sentence\nFROM verdict v JOIN verdict_rule r ON r.verdict_id = v.id\nORDER BY v.study, v.id, r.place','\n',char(10)));
INSERT INTO named_query VALUES('verdicts','what the last run of each study judged: masked, suspect, not detected, insufficient evidence',replace('SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,\n  judgement, n, clean_correct, plain_correct, robust_correct, strongest, n_attacks, n_missing, sentence AS note\nFROM verdict\nORDER BY study, id','\n',char(10)));
INSERT INTO named_query VALUES('verifications','stored cells that were executed again: equal, or what differs, and on which machines',replace('SELECT v.verified_at, l.study, c.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed,\n  l.solver, l.gradient, l.source, l.method, l.epsilon_text, l.seed, substr(c.key, 1, 12) AS key, v.outcome,\n  v.n_differences, d.source AS value_in, d.name, d.sample, d.field, d.stored, d.found, v.message,\n  v.stored_device, v.device, s.host AS stored_host,\n  json_extract(s.json, ''$.kernels'') AS stored_kernels, s.libtorch AS stored_libtorch,\n  n.host, json_extract(n.json, ''$.kernels'') AS kernels, n.libtorch\nFROM verification v JOIN cell c ON c.id = v.cell_id\nJOIN environment s ON s.id = v.stored_environment_id JOIN environment n ON n.id = v.environment_id\nLEFT JOIN verification_difference d ON d.verification_id = v.id\nLEFT JOIN labelled_cell l ON l.cell_id = v.cell_id AND NOT l.is_alias\nORDER BY v.id, l.study, d.place','\n',char(10)));
INSERT INTO named_query VALUES('warnings','what makes a verdict doubtful: random answers, no gradients, points outside, a black box that helps',replace('WITH ensemble_member AS (\n  SELECT r.cell_id, CAST(substr(r.role, 8) AS INTEGER) AS turn, p.name AS plugin,\n    json_extract(c.spec_json, ''$.attack.names['' || substr(r.role, 8) || '']'') AS name,\n    EXISTS (SELECT 1 FROM json_each(p.capabilities) WHERE value = ''gradient_free'')\n      AS is_gradient_free\n  FROM cell_plugin r JOIN plugin p ON p.id = r.plugin_id JOIN cell c ON c.id = r.cell_id\n  WHERE r.role GLOB ''attack.[0-9]*''),\nlate_black_box(cell_id, name) AS (\n  SELECT cell_id, ''fooled_first_by.'' || name || ''.mean'' FROM ensemble_member e\n  WHERE is_gradient_free AND EXISTS (SELECT 1 FROM ensemble_member b\n    WHERE b.cell_id = e.cell_id AND b.turn < e.turn AND NOT b.is_gradient_free)\n  UNION ALL\n  SELECT cell_id, name || ''.fooled_first_by.square.mean'' FROM ensemble_member\n  WHERE plugin = ''autoattack''\n  UNION ALL\n  SELECT id, ''fooled_first_by.square.mean'' FROM cell\n  WHERE json_extract(spec_json, ''$.attack.plugin'') = ''autoattack''),\nwatched(cell_id, name, threshold, is_of_network) AS (\n  SELECT m.cell_id, m.name, t.value, t.is_of_network FROM metric m JOIN threshold t ON t.name = m.name\n  UNION ALL\n  SELECT b.cell_id, b.name, t.value, t.is_of_network\n  FROM late_black_box b JOIN threshold t ON t.name = ''fooled_first_by'')\nSELECT m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver,\n  m.name AS warning, max(m.value) AS value, w.threshold, count(DISTINCT m.cell_id) AS cells,\n  iif(w.is_of_network, NULL, m.method) AS attack,\n  iif(w.is_of_network, NULL, m.gradient) AS gradient,\n  iif(w.is_of_network, NULL, m.source) AS source,\n  iif(w.is_of_network, NULL, m.norm) AS norm,\n  iif(w.is_of_network, NULL, m.epsilon_text) AS epsilon_text,\n  iif(w.is_of_network, NULL, m.seed) AS seed, ''not measured: '' || max(m.reason) AS note\nFROM metrics m JOIN watched w ON w.cell_id = m.cell_id AND w.name = m.name\nWHERE m.value > w.threshold OR m.reason IS NOT NULL\nGROUP BY m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver, m.name,\n  iif(w.is_of_network, NULL, m.cell_id), iif(w.is_of_network, NULL, m.method)\nORDER BY m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver,\n  NOT w.is_of_network, m.epsilon, m.cell_id, m.name','\n',char(10)));
INSERT INTO named_query VALUES('worst-case','robust accuracy when each sample faces all attacks of one radius',replace('SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,\n  n_attacks, n_missing, n_failed, n, n_undecided, clean_accuracy, robust_accuracy, lower, upper,\n  cumulative_accuracy\nFROM worst_case\nORDER BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon','\n',char(10)));
INSERT INTO named_query VALUES('worst-case-samples','which attacks fooled which sample',replace('SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,\n  sample, label, clean_prediction, robust, cumulative_robust, n_attacks, n_fooled, n_undecided, distance,\n  fooled_by\nFROM worst_case_sample\nORDER BY threat, sample, label','\n',char(10)));
CREATE TABLE verdict (
  id                 INTEGER PRIMARY KEY,
  run_id             INTEGER NOT NULL REFERENCES run (id),   -- whose plan and thresholds it follows
  study              TEXT NOT NULL,
  dataset            TEXT NOT NULL,
  model              TEXT NOT NULL,
  objective          TEXT NOT NULL,
  train_solver       TEXT NOT NULL,
  train_seed         INTEGER NOT NULL,
  solver             TEXT NOT NULL,      -- evaluation solver
  norm               TEXT NOT NULL,
  epsilon            REAL NOT NULL CHECK (epsilon > 0),
  epsilon_text       TEXT NOT NULL,
  checkpoint_cell_id INTEGER NOT NULL REFERENCES cell (id),
  judgement          TEXT NOT NULL CHECK (judgement IN ('masked', 'suspect', 'not detected', 'insufficient evidence')),
  sentence           TEXT NOT NULL,      -- why, for people
  n                  INTEGER NOT NULL CHECK (n >= 0),              -- samples that were attacked
  clean_correct      INTEGER NOT NULL CHECK (clean_correct >= 0),  -- of them right without an attack
  plain_correct      INTEGER CHECK (plain_correct >= 0),           -- right after the plain gradient attack; NULL: none
  robust_correct     INTEGER NOT NULL CHECK (robust_correct >= 0), -- right after all attacks
  strongest          TEXT NOT NULL,      -- the attack that leaves least; '' without any
  n_attacks          INTEGER NOT NULL CHECK (n_attacks >= 0),
  n_missing          INTEGER NOT NULL CHECK (n_missing >= 0),      -- attacks and probes without a result
  thresholds         TEXT NOT NULL,      -- all that were in force, a JSON object
  evidence_sha256    TEXT NOT NULL CHECK (length(evidence_sha256) = 64),   -- of all that the study's verdicts rest on
  tool               TEXT NOT NULL,      -- version of unmask
  made_at            TEXT NOT NULL,
  UNIQUE (study, checkpoint_cell_id, solver, norm, epsilon)
) STRICT;
INSERT INTO verdict VALUES(1,1,'small','strokes','so_resnet','ce','bosh3',0,'bosh3','linf',0.031372549019607842701,'8/255',1,'masked','attacks without gradients find what the gradient does not',4,3,2,1,'spsa',2,0,'{"gap_masked":0.1}','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','0.1.0','2026-11-28T22:15:42.361Z');
CREATE TABLE verdict_rule (
  verdict_id INTEGER NOT NULL REFERENCES verdict (id) ON DELETE CASCADE,
  place      INTEGER NOT NULL CHECK (place >= 1),
  rule       TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('decides', 'symptom', 'note', 'quiet', 'lacks evidence')),
  statistic  TEXT NOT NULL,   -- what `value` is
  value      REAL,            -- NULL: it lacks evidence
  lower      REAL,            -- 95 % interval, where the value is a share
  upper      REAL,
  n          INTEGER CHECK (n >= 0),           -- samples behind it
  p          REAL CHECK (p BETWEEN 0 AND 1),   -- of a paired test; NULL: the rule needs none
  p_adjusted REAL CHECK (p_adjusted BETWEEN 0 AND 1),   -- for all tests of the verdict
  threshold  REAL,            -- beyond which the rule is a symptom, or decides where it does; NULL: it never counts
  sentence   TEXT NOT NULL,   -- what was found, or what would supply the evidence
  PRIMARY KEY (verdict_id, rule),
  UNIQUE (verdict_id, place),
  CHECK ((state = 'lacks evidence') = (value IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO verdict_rule VALUES(1,2,'batch_cosine','lacks evidence','share of samples whose gradient in the batch points elsewhere than alone',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'probe batch_gradient');
INSERT INTO verdict_rule VALUES(1,1,'black_box_gap','decides','share of samples that only attacks without gradients fool',0.25,0.125,0.5,3,0.5,0.5,0.10000000000000000555,'spsa: 1 of 3 fooled that pgd left');
CREATE TABLE verdict_cell (
  verdict_id INTEGER NOT NULL REFERENCES verdict (id) ON DELETE CASCADE,
  rule       TEXT NOT NULL,
  cell_id    INTEGER NOT NULL REFERENCES cell (id),
  PRIMARY KEY (verdict_id, rule, cell_id)
) STRICT, WITHOUT ROWID;
INSERT INTO verdict_cell VALUES(1,'black_box_gap',5);
INSERT INTO verdict_cell VALUES(1,'black_box_gap',8);
CREATE TABLE verification (
  id                    INTEGER PRIMARY KEY,
  uuid                  TEXT NOT NULL UNIQUE,
  cell_id               INTEGER NOT NULL REFERENCES cell (id),
  stored_environment_id INTEGER NOT NULL REFERENCES environment (id),   -- where the stored result was made
  environment_id        INTEGER NOT NULL REFERENCES environment (id),   -- where it was executed again
  stored_device         TEXT NOT NULL,
  device                TEXT NOT NULL,
  stored_attempt        TEXT NOT NULL,   -- id of the attempt that had made the stored result
  outcome               TEXT NOT NULL CHECK (outcome IN ('equal', 'differs', 'failed')),
  n_differences         INTEGER NOT NULL CHECK (n_differences >= 0),   -- values that differ, all of them
  message               TEXT,            -- why it failed
  tool                  TEXT NOT NULL,   -- version of unmask that executed it again
  verified_at           TEXT NOT NULL,
  CHECK ((outcome = 'differs') = (n_differences > 0)),
  CHECK ((outcome = 'failed') = (message IS NOT NULL))
) STRICT;
INSERT INTO verification VALUES(1,'b5a0c5de-0000-4000-8000-000000000001',1,1,1,'cpu','cpu','0c013ad5-cb06-4bc2-b906-f4743d853a42','differs',1,NULL,'0.1.0','2026-11-28T12:00:00.000Z');
CREATE TABLE verification_difference (
  verification_id INTEGER NOT NULL REFERENCES verification (id) ON DELETE CASCADE,
  place           INTEGER NOT NULL CHECK (place >= 1),
  source          TEXT NOT NULL,      -- the table of the value; 'attempt' for counters, 'cell' for the norm
  name            TEXT NOT NULL,      -- of the metric, series, solve, quantity or seed; '' without any
  sample          INTEGER,            -- NULL: it belongs to no sample
  field           TEXT NOT NULL,      -- its column; 'row' when one side has no such row
  stored          TEXT,               -- NULL: none
  found           TEXT,               -- now; NULL: none
  PRIMARY KEY (verification_id, place)
) STRICT, WITHOUT ROWID;
INSERT INTO verification_difference VALUES(1,1,'metric','accuracy',NULL,'value','0.5','0.25');
CREATE TABLE cell_part (
  cell_id           INTEGER NOT NULL REFERENCES cell (id),
  first             INTEGER NOT NULL CHECK (first >= 0),   -- sample
  samples           INTEGER NOT NULL CHECK (samples > 0),
  total             INTEGER NOT NULL CHECK (total >= first + samples),   -- samples of the cell
  unit              INTEGER NOT NULL CHECK (unit > 0),     -- samples at whose multiples parts begin
  run_id            INTEGER NOT NULL REFERENCES run (id),
  checkpoint_sha256 TEXT,   -- weights of the network
  source_sha256     TEXT,   -- of the network on which images are made; NULL: none of its own
  device            TEXT NOT NULL,
  wall_s            REAL NOT NULL CHECK (wall_s >= 0),
  stored_at         TEXT NOT NULL,
  content           TEXT NOT NULL,   -- JSON, for the program
  PRIMARY KEY (cell_id, first)
) STRICT;
INSERT INTO cell_part VALUES(14,0,2,4,2,1,NULL,NULL,'cpu',0.5,'2026-11-28T12:00:00.000Z','{}');
CREATE INDEX run_manifest ON run (manifest_id);
CREATE INDEX cell_checkpoint ON cell (checkpoint_cell_id);
CREATE INDEX cell_source ON cell (source_cell_id);
CREATE INDEX cell_plugin_plugin ON cell_plugin (plugin_id);
CREATE INDEX run_cell_cell ON run_cell (cell_id);
CREATE UNIQUE INDEX attempt_done ON attempt (cell_id) WHERE state = 'done';
CREATE INDEX attempt_run ON attempt (run_id);
CREATE INDEX plan_cell_cell ON plan_cell (cell_id);
CREATE UNIQUE INDEX plan_cell_first_name ON plan_cell (plan_id, cell_id) WHERE NOT is_alias;
CREATE INDEX run_plan ON run (plan_id);
CREATE INDEX verdict_run ON verdict (run_id);
CREATE INDEX verdict_checkpoint ON verdict (checkpoint_cell_id);
CREATE INDEX verdict_cell_cell ON verdict_cell (cell_id);
CREATE INDEX verification_cell ON verification (cell_id);
CREATE INDEX verification_stored_environment ON verification (stored_environment_id);
CREATE INDEX verification_environment ON verification (environment_id);
CREATE INDEX cell_part_run ON cell_part (run_id);
CREATE VIEW current_run AS
SELECT m.name AS study, max(r.id) AS run_id, r.manifest_id, r.plan_id
FROM run r JOIN manifest m ON m.id = r.manifest_id
WHERE r.plan_id IS NOT NULL
GROUP BY m.name;
CREATE VIEW earlier_run AS
SELECT c.study, max(r.id) AS run_id, r.manifest_id, r.plan_id
FROM current_run c JOIN manifest m ON m.name = c.study JOIN run r ON r.manifest_id = m.id
WHERE r.id < c.run_id AND r.plan_id IS NOT NULL AND r.plan_id <> c.plan_id
GROUP BY c.study;
CREATE VIEW labelled_cell AS
SELECT r.study, c.kind, p.dataset, p.model, p.objective, p.train_solver, p.train_seed,
  nullif(p.solver, '') AS solver,
  CASE WHEN c.kind = 'train' THEN NULL WHEN p.gradient = '' THEN '@eval' ELSE p.gradient END AS gradient,
  CASE WHEN c.kind = 'train' THEN NULL WHEN p.source = '' THEN '@self' ELSE p.source END AS source,
  nullif(p.method, '') AS method,
  CASE WHEN c.kind = 'attack' THEN c.norm END AS norm,
  p.epsilon,
  nullif(p.epsilon_text, '') AS epsilon_text,
  CASE WHEN c.kind = 'train' THEN NULL ELSE p.seed END AS seed,
  p.place, p.is_alias, c.key, c.id AS cell_id, coalesce(c.checkpoint_cell_id, c.id) AS checkpoint_cell_id
FROM current_run r JOIN plan_cell p ON p.plan_id = r.plan_id JOIN cell c ON c.id = p.cell_id;
CREATE VIEW cells AS
SELECT l.*,
  coalesce((SELECT CASE a.state WHEN 'discarded' THEN 'missing' ELSE a.state END
            FROM attempt a WHERE a.cell_id = l.cell_id ORDER BY a.n DESC LIMIT 1), 'missing') AS state,
  (SELECT count(*) FROM attempt a WHERE a.cell_id = l.cell_id) AS attempts
FROM labelled_cell l;
CREATE VIEW progress AS
SELECT study, kind, count(*) AS cells, sum(state = 'done') AS done, sum(state = 'running') AS running,
  sum(state = 'failed') AS failed, sum(state IN ('missing', 'interrupted')) AS missing
FROM cells
WHERE NOT is_alias
GROUP BY study, kind;
CREATE VIEW outcome_count AS
SELECT cell_id, count(*) AS n, sum(state = 'undecided') AS n_undecided,
  sum(coalesce(clean_prediction = label, 0)) AS clean_correct,
  sum(state = 'decided' AND clean_prediction = label AND prediction = label) AS robust_correct
FROM sample_outcome
GROUP BY cell_id;
CREATE VIEW accuracy AS
SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source, attack, norm, epsilon, epsilon_text, seed,
  n, n_undecided, threat_violations, clean_correct, robust_correct,
  1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  max(0.0, centre - half) AS lower, min(1.0, centre + half) AS upper, is_alias, cell_id, checkpoint_cell_id
FROM (SELECT *, (robust_correct + 3.841458820694124 / 2) / (n + 3.841458820694124) AS centre, 1.959963984540054 / (n + 3.841458820694124) * (WITH RECURSIVE newton(i, x) AS (SELECT 0, (a + 1.0) / 2 UNION ALL SELECT i + 1, (x + a / x) / 2 FROM newton WHERE i < 24) SELECT x FROM newton WHERE i = 24) AS half
      FROM (SELECT l.*, l.method AS attack, o.n, o.n_undecided, o.clean_correct, o.robust_correct,
              (SELECT CAST(m.value AS INTEGER) FROM metric m
               WHERE m.cell_id = l.cell_id AND m.name = 'threat_violations') AS threat_violations,
              1.0 * robust_correct * (n - robust_correct) / n + 3.841458820694124 / 4 AS a
            FROM labelled_cell l JOIN outcome_count o ON o.cell_id = l.cell_id));
CREATE VIEW worst_case_cell AS
SELECT *, dense_rank() OVER (ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text, checkpoint_cell_id) AS threat,
  dense_rank() OVER (ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, norm, checkpoint_cell_id) AS family
FROM (SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text, checkpoint_cell_id, cell_id, state, min(place) AS place,
        method || CASE gradient WHEN '@eval' THEN '' ELSE ' via ' || gradient END
          || CASE source WHEN '@self' THEN '' ELSE ' from ' || source END AS name,
        coalesce((SELECT min(instr(p.capabilities, '"gradient_free"') > 0)
                  FROM cell_plugin r JOIN plugin p ON p.id = r.plugin_id
                  WHERE r.cell_id = cells.cell_id AND (r.role = 'attack' OR r.role GLOB 'attack.[0-9]*')), 0)
          AS gradient_free
      FROM cells
      WHERE kind = 'attack' AND epsilon > 0
      GROUP BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text, checkpoint_cell_id, cell_id);
CREATE VIEW worst_case_tally AS
SELECT *, min(robust) OVER (PARTITION BY family, sample ORDER BY epsilon) AS cumulative_robust
FROM (SELECT w.threat, w.family, w.epsilon, o.sample, o.label,
        CASE WHEN count(o.clean_prediction) = count(*) AND min(o.clean_prediction) = max(o.clean_prediction)
          THEN min(o.clean_prediction) END AS clean_prediction,
        min(coalesce(o.clean_prediction = o.label, 0)) AS clean_correct,
        min(o.state = 'decided' AND o.clean_prediction = o.label AND o.prediction = o.label) AS robust,
        count(*) AS n_attacks,
        sum(o.state = 'decided' AND o.clean_prediction = o.label AND o.prediction <> o.label) AS n_fooled,
        sum(w.gradient_free AND o.state = 'decided' AND o.clean_prediction = o.label
          AND o.prediction <> o.label) AS n_fooled_gradient_free,
        sum(o.state = 'undecided') AS n_undecided,
        min(o.distance) FILTER (WHERE o.state = 'decided' AND o.clean_prediction = o.label
          AND o.prediction <> o.label) AS distance
      FROM worst_case_cell w JOIN sample_outcome o ON o.cell_id = w.cell_id
      GROUP BY w.threat, o.sample, o.label);
CREATE VIEW worst_case_outcome AS
SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text, checkpoint_cell_id, t.sample, t.label, t.clean_prediction, t.clean_correct, t.robust,
  t.n_attacks, t.n_fooled, t.n_fooled_gradient_free, t.n_undecided, t.cumulative_robust, t.distance, t.threat
FROM worst_case_tally t JOIN (SELECT DISTINCT threat AS of, study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,
    checkpoint_cell_id FROM worst_case_cell) ON of = t.threat;
CREATE VIEW worst_case_sample AS
WITH attack AS MATERIALIZED (SELECT threat, cell_id, name FROM worst_case_cell)
SELECT w.*,
  (SELECT group_concat(name, ', ')
   FROM (SELECT a.name FROM attack a JOIN sample_outcome o ON o.cell_id = a.cell_id AND o.sample = w.sample
         WHERE a.threat = w.threat
           AND o.state = 'decided' AND o.clean_prediction = o.label AND o.prediction <> o.label
         ORDER BY a.cell_id)) AS fooled_by
FROM worst_case_outcome w;
CREATE VIEW worst_case AS
WITH tally AS (SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text, checkpoint_cell_id, threat,
    sum(state = 'done') AS n_attacks, sum(state <> 'done') AS n_missing, sum(state = 'failed') AS n_failed,
    CAST(sum((SELECT m.value FROM metric m WHERE m.cell_id = w.cell_id AND m.name = 'threat_violations'))
      AS INTEGER) AS threat_violations
  FROM worst_case_cell w
  GROUP BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text, checkpoint_cell_id),
counted AS (SELECT threat, count(*) AS n,
    sum(NOT robust AND n_fooled = 0 AND n_undecided > 0) AS n_undecided, sum(clean_correct) AS clean_correct,
    sum(robust) AS robust_correct, sum(cumulative_robust) AS cumulative_correct
  FROM worst_case_tally
  GROUP BY threat),
nameless AS (SELECT * FROM tally WHERE norm IS NULL AND n_missing > 0)
SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text,
  n_attacks, n_missing, n_failed, n, n_undecided, threat_violations, clean_correct, robust_correct,
  cumulative_correct, 1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  max(0.0, centre - half) AS lower, min(1.0, centre + half) AS upper, 1.0 * cumulative_correct / n AS cumulative_accuracy, checkpoint_cell_id
FROM (SELECT *, (robust_correct + 3.841458820694124 / 2) / (n + 3.841458820694124) AS centre, 1.959963984540054 / (n + 3.841458820694124) * (WITH RECURSIVE newton(i, x) AS (SELECT 0, (a + 1.0) / 2 UNION ALL SELECT i + 1, (x + a / x) / 2 FROM newton WHERE i < 24) SELECT x FROM newton WHERE i = 24) AS half
      FROM (SELECT *, 1.0 * robust_correct * (n - robust_correct) / n + 3.841458820694124 / 4 AS a
            FROM (SELECT t.*, coalesce(c.n, 0) AS n, c.n_undecided, c.clean_correct, c.robust_correct,
                    c.cumulative_correct
                  FROM (SELECT t.study, t.dataset, t.model, t.objective, t.train_solver, t.train_seed, t.solver,
                          t.norm, t.epsilon, t.epsilon_text, t.checkpoint_cell_id, t.threat, t.n_attacks,
                          t.threat_violations,
                          t.n_missing + coalesce(u.n_missing, 0) AS n_missing,
                          t.n_failed + coalesce(u.n_failed, 0) AS n_failed
                        FROM tally t LEFT JOIN nameless u ON t.norm IS NOT NULL
                          AND u.study = t.study AND u.checkpoint_cell_id = t.checkpoint_cell_id AND u.dataset = t.dataset AND u.model = t.model AND u.objective = t.objective AND u.train_solver = t.train_solver AND u.train_seed = t.train_seed AND u.solver = t.solver AND u.epsilon = t.epsilon AND u.epsilon_text IS t.epsilon_text
                        WHERE t.norm IS NOT NULL OR t.n_attacks > 0 OR NOT EXISTS (SELECT 1 FROM tally o
                          WHERE o.norm IS NOT NULL AND o.study = t.study AND o.checkpoint_cell_id = t.checkpoint_cell_id AND o.dataset = t.dataset AND o.model = t.model AND o.objective = t.objective AND o.train_solver = t.train_solver AND o.train_seed = t.train_seed AND o.solver = t.solver AND o.epsilon = t.epsilon AND o.epsilon_text IS t.epsilon_text)) t
                  LEFT JOIN counted c ON c.threat = t.threat)));
CREATE VIEW seed_summary AS
SELECT study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon, epsilon_text,
  count(*) AS n, count(DISTINCT train_seed) AS train_seeds, count(DISTINCT seed) AS attack_seeds,
  avg(clean_accuracy) AS clean_mean, min(robust_accuracy) AS min, max(robust_accuracy) AS max,
  min(centre) AS mean,
  sum((robust_accuracy - centre) * (robust_accuracy - centre)) / nullif(count(*) - 1, 0) AS variance
FROM (SELECT *, avg(robust_accuracy) OVER
        (PARTITION BY study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon,
           epsilon_text) AS centre
      FROM accuracy)
GROUP BY study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon,
  epsilon_text;
CREATE VIEW gradient_matrix AS
SELECT study, dataset, model, objective, train_solver, train_seed, attack, norm, epsilon, epsilon_text, seed,
  solver, gradient, source, n, robust_accuracy, lower, upper, own_robust_accuracy,
  own_robust_accuracy - robust_accuracy AS gap, cell_id, checkpoint_cell_id
FROM (SELECT *, max(robust_accuracy) FILTER (WHERE gradient = '@eval') OVER
        (PARTITION BY study, dataset, model, objective, train_solver, train_seed, checkpoint_cell_id, solver, source, attack, norm, epsilon,
           epsilon_text, seed) AS own_robust_accuracy
      FROM accuracy)
WHERE epsilon > 0;
CREATE VIEW attack_effort AS
SELECT cell_id, n_attacked, n_fooled, queries_mean, queries_median, passes_mean
FROM (SELECT cell_id, count(*) AS n_attacked, sum(state = 'decided' AND prediction <> label) AS n_fooled,
        avg(queries) AS queries_mean, avg(passes) AS passes_mean,
        avg(queries) FILTER (WHERE 2 * rank BETWEEN size AND size + 2) AS queries_median
      FROM (SELECT cell_id, state, label, prediction, queries, passes,
              row_number() OVER (PARTITION BY cell_id ORDER BY queries) AS rank,
              count(*) OVER (PARTITION BY cell_id) AS size
            FROM sample_outcome
            WHERE clean_prediction = label)
      GROUP BY cell_id);
CREATE VIEW failures AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, a.failure_class, a.message, a.log_tail, a.signal, a.exit_code,
  a.n AS attempt, a.device, a.wall_s, a.ended_at,
  (SELECT count(DISTINCT w.cell_id) FROM labelled_cell w
   WHERE w.study = l.study AND w.checkpoint_cell_id = l.cell_id AND w.cell_id <> l.cell_id
     AND NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = w.cell_id AND d.state = 'done')) AS blocks,
  l.is_alias, l.key, l.cell_id
FROM labelled_cell l
JOIN attempt a ON a.cell_id = l.cell_id
  AND a.n = (SELECT max(f.n) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state = 'failed')
WHERE NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = l.cell_id AND d.state = 'done');
CREATE VIEW cost AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, a.device, a.wall_s, a.peak_bytes, a.forwards, a.backwards, a.nfe,
  a.n AS attempts,
  (SELECT coalesce(sum(f.wall_s), 0.0) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state <> 'done') AS lost_s,
  a.started_at, a.ended_at, l.is_alias, l.cell_id
FROM labelled_cell l JOIN attempt a ON a.cell_id = l.cell_id AND a.state = 'done';
CREATE VIEW evaluations_per_solve AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, s.phase, s.solve, s.solves, s.nfe_min, s.nfe_median, s.nfe_max,
  1.0 * s.nfe_total / nullif(s.solves, 0) AS nfe_mean,
  1.0 * s.accepted / nullif(s.solves, 0) AS accepted_mean,
  1.0 * s.rejected / nullif(s.solves, 0) AS rejected_mean,
  s.failed, s.worst_status, s.step_min, s.step_max, l.is_alias, l.cell_id
FROM labelled_cell l JOIN solve_stats s ON s.cell_id = l.cell_id;
CREATE VIEW metrics AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, m.name, m.value, m.flag, m.reason, m.n, l.is_alias, l.cell_id
FROM labelled_cell l JOIN metric m ON m.cell_id = l.cell_id;
COMMIT;
