-- A results database of schema version 1, as text (sqlite3 .dump): the schema of that version with
-- its views, and one run of a small study: two trainings, one that failed, attacks in two norms, a
-- probe. tests/unit/store/upgrade_test.cpp makes the file again and opens it with this version.
PRAGMA application_id = 0x756e6d6b;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('created_at','2026-11-28T10:00:00Z');
INSERT INTO meta VALUES('created_by','unmask 0.1.0');
INSERT INTO meta VALUES('uuid','22222222-2222-4222-8222-222222222222');
CREATE TABLE migration (
  version    INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  applied_at TEXT NOT NULL,
  tool       TEXT NOT NULL,   -- version of unmask that applied it
  sql_sha256 TEXT NOT NULL
) STRICT;
INSERT INTO migration VALUES(1,'initial schema','2026-11-28T10:00:00.000Z','0.1.0','ea0ea4f855d4f10a5460b134fe3a2f256741f05c01f32c78fb3f2b6477be7de6');
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
INSERT INTO manifest VALUES(1,'44eb9a3f0a5c820ca8c56a978793b156ba66a17d37cf3d2ae5ded05e6ddc60d4','small','made up for tests','studies/small.json',replace('{"name": "small"}\n','\n',char(10)),'2026-11-28T10:00:00.000Z');
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
INSERT INTO environment VALUES(1,'bb6c0d9bb1390b9ca4633d4381159cab421000f3847954a9a8d25abdd734e2a4','{"host":"lab1","libtorch":"1.13.1","gpu":["none"]}','lab1',NULL,NULL,'["none"]','1.13.1',NULL,NULL);
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
INSERT INTO plugin VALUES(11,'attack','cw_l2','51d4d4f233cc859c810b1b8f4931ace73d6adcbd924da2001d46a48f94076711','1.0','made-up attack','','[]');
INSERT INTO plugin VALUES(12,'probe','gradient_norm','ff8276a19af729c17e1bade6530178465424652e04bf28cc82e155181dc928bf','1.0','made-up probe','','[]');
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
  pid            INTEGER NOT NULL,
  CHECK ((state = 'ended') = (exit_code IS NOT NULL))
) STRICT;
INSERT INTO run VALUES(1,'11111111-1111-4111-8111-111111111111',1,1,'ended',1,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z','["unmask","run","studies/small.json"]','0.1.0','0123456789abcdef0123456789abcdef01234567',0,42);
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
INSERT INTO run_plugin VALUES(1,11,'plugins/attack_cw_l2.so','71ac0d6a464cf8e8ab42723de9217dbb15044aa861547900526df6a7b0fc3fb7','gcc12');
INSERT INTO run_plugin VALUES(1,12,'plugins/probe_gradient_norm.so','12ce8737a73241ceef6e016516b798d2420f2dd1ae369acc01ddebed0fae477b','gcc12');
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
INSERT INTO cell VALUES(4,'90d8254c41ff815c1ce5b92f1d70fcb3c4d27bb42ada4e455da34e5d1198b0cf','attack',1,NULL,'{"attack":{"fingerprint":"e471fcc51fbe0f283818b02b07b6b29f0b8dce08172eb91ff0a8d625c61b1a0d","params":{},"plugin":"none"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
INSERT INTO cell VALUES(5,'b425eb5405e4f75a9991967a24dd04dc81639b4110bfe3fa9a45002e0417ee8e','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(6,'889e6078e27e0cff47823b6b60c0b7e160bdab3618c42badd4d7965aa6a48c36','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":{"fingerprint":"b14a165fca3e12166cee5b84fb7c9706f9b13ebfe3d0b8279ce8462c9cdc8991","params":{},"plugin":"rk4"},"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(7,'0ac4fd62b090d3c1aab128f64775017f592cae2051f3acbd31f01236841d5363','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":1,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(8,'b49e70b10d14105940c963428ea8bad1eb013152094ff3db0dba4dac3bca3953','attack',1,NULL,'{"attack":{"fingerprint":"e4733ab99deb2b6536d15c65997586a6643dc7089291e6f25289d4898f755a88","params":{"norm":"linf"},"plugin":"spsa"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(9,'c176fa9731deebfcadae4f40b0141f5a97cb79ee9ad4e94fa334a39041cd96f8','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.01568627450980392,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(10,'0c530a787e198fc669ac528ac518bbc971451003d3cd656f7b22d0c727d17cc6','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"b14a165fca3e12166cee5b84fb7c9706f9b13ebfe3d0b8279ce8462c9cdc8991","params":{},"plugin":"rk4"}}','linf');
INSERT INTO cell VALUES(11,'c5f506e444eefc678320bca4b7df11d0dcb467e488cefb18edeaf1f00d46c17a','attack',1,NULL,'{"attack":{"fingerprint":"3db3ffd4174109803c513a65ca3aae791ab403a1519bf403658066322eccde25","params":{"norm":"linf"},"plugin":"square"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(12,'2719e44ab361e25d1b372adfcb7ad823d5dd01579b2378d41bc688088fd75c29','attack',1,NULL,'{"attack":{"fingerprint":"51d4d4f233cc859c810b1b8f4931ace73d6adcbd924da2001d46a48f94076711","params":{},"plugin":"cw_l2"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.5,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
INSERT INTO cell VALUES(13,'15589b7ecc00a921e50e67fa8c0c825cb377dc2db84175063120ba6aa213b9e7','attack',1,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"l2"},"plugin":"pgd"},"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.5,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','l2');
INSERT INTO cell VALUES(14,'e6fd2326b042206de3575f6f9701d613c0cd93fbad519b491ce7f4968f317b49','attack',2,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"52140d5c1282e0210834a166abf8ef594b4a7cf83573bf22e7c26ab367b9b8ad","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(15,'845abe7584d81d8f8f3db8449460104c296dd918e6099b603a49a727b8577439','attack',3,NULL,'{"attack":{"fingerprint":"a2726177c8692f1b951e2cdeebbc9d68aab2e28e209fd5be9187f69d963d2045","params":{"norm":"linf"},"plugin":"pgd"},"checkpoint":"97a3bfcb35dcd6fddfb1d0c16dbe86853debce1ddefb012a815059ae3e387caf","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"epsilon":0.03137254901960784,"gradient":null,"kind":"attack","model":{"fingerprint":"e78085bc34067b274e66bf22dde6f1c11579a60a1bbb4580783c8c485b216c46","params":{},"plugin":"resnet"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}','linf');
INSERT INTO cell VALUES(16,'37a57d20ed1196e452e01ba6ef2611eeba5129e33ef54d07f190d21daa8181c5','probe',1,NULL,'{"checkpoint":"e1c7ee7dc55e4fe1283a6c8cf0b3e7e05f66f8768208c9d0d4477da73951369c","dataset":{"fingerprint":"c8d98447ca7bb0a2efa5b1de60385e150caba8b361ae10c541a2ff2609aedaa3","params":{},"plugin":"strokes"},"gradient":null,"kind":"probe","model":{"fingerprint":"71a9ce3b67762468c197375f444c44ce752c505e9e13c7ac8b749d86b483a7db","params":{},"plugin":"so_resnet"},"probe":{"fingerprint":"ff8276a19af729c17e1bade6530178465424652e04bf28cc82e155181dc928bf","params":{},"plugin":"gradient_norm"},"seed":0,"solver":{"fingerprint":"8e3cae903c2fa26c45c01574559e85f4f93bd660d2e759224848d6480d82bcad","params":{},"plugin":"bosh3"}}',NULL);
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
INSERT INTO cell_plugin VALUES(15,'dataset',1);
INSERT INTO cell_plugin VALUES(16,'dataset',1);
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
INSERT INTO cell_plugin VALUES(14,'model',2);
INSERT INTO cell_plugin VALUES(16,'model',2);
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
INSERT INTO cell_plugin VALUES(15,'solver',4);
INSERT INTO cell_plugin VALUES(16,'solver',4);
INSERT INTO cell_plugin VALUES(3,'model',5);
INSERT INTO cell_plugin VALUES(15,'model',5);
INSERT INTO cell_plugin VALUES(4,'attack',6);
INSERT INTO cell_plugin VALUES(5,'attack',7);
INSERT INTO cell_plugin VALUES(6,'attack',7);
INSERT INTO cell_plugin VALUES(7,'attack',7);
INSERT INTO cell_plugin VALUES(9,'attack',7);
INSERT INTO cell_plugin VALUES(10,'attack',7);
INSERT INTO cell_plugin VALUES(13,'attack',7);
INSERT INTO cell_plugin VALUES(14,'attack',7);
INSERT INTO cell_plugin VALUES(15,'attack',7);
INSERT INTO cell_plugin VALUES(6,'gradient',8);
INSERT INTO cell_plugin VALUES(10,'solver',8);
INSERT INTO cell_plugin VALUES(8,'attack',9);
INSERT INTO cell_plugin VALUES(11,'attack',10);
INSERT INTO cell_plugin VALUES(12,'attack',11);
INSERT INTO cell_plugin VALUES(16,'probe',12);
CREATE TABLE study_cell (
  manifest_id  INTEGER NOT NULL REFERENCES manifest (id),
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
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
  PRIMARY KEY (manifest_id, cell_id)
) STRICT, WITHOUT ROWID;
INSERT INTO study_cell VALUES(1,1,'strokes','so_resnet','ce','bosh3',0,'','','','',NULL,'',0);
INSERT INTO study_cell VALUES(1,2,'strokes','so_resnet','ce','bosh3',1,'','','','',NULL,'',0);
INSERT INTO study_cell VALUES(1,3,'strokes','resnet','ce','bosh3',0,'','','','',NULL,'',0);
INSERT INTO study_cell VALUES(1,4,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','none',0.0,'0',0);
INSERT INTO study_cell VALUES(1,5,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO study_cell VALUES(1,6,'strokes','so_resnet','ce','bosh3',0,'bosh3','rk4','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO study_cell VALUES(1,7,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','pgd',0.031372549019607842701,'8/255',1);
INSERT INTO study_cell VALUES(1,8,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','spsa',0.031372549019607842701,'8/255',0);
INSERT INTO study_cell VALUES(1,9,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','pgd',0.01568627450980392135,'4/255',0);
INSERT INTO study_cell VALUES(1,10,'strokes','so_resnet','ce','bosh3',0,'rk4','','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO study_cell VALUES(1,11,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','square',0.031372549019607842701,'8/255',0);
INSERT INTO study_cell VALUES(1,12,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','cw_l2',0.5,'0.5',0);
INSERT INTO study_cell VALUES(1,13,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','pgd',0.5,'0.5',0);
INSERT INTO study_cell VALUES(1,14,'strokes','so_resnet','ce','bosh3',1,'bosh3','','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO study_cell VALUES(1,15,'strokes','resnet','ce','bosh3',0,'bosh3','','','pgd',0.031372549019607842701,'8/255',0);
INSERT INTO study_cell VALUES(1,16,'strokes','so_resnet','ce','bosh3',0,'bosh3','','','gradient_norm',NULL,'',0);
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
INSERT INTO run_cell VALUES(1,14,'ran',NULL);
INSERT INTO run_cell VALUES(1,15,'skipped','its training failed');
INSERT INTO run_cell VALUES(1,16,'ran',NULL);
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
INSERT INTO attempt VALUES('00000001-0000-4000-8000-000000000001',1,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',2.5,'cpu',1000,40,40,100,42,NULL,NULL);
INSERT INTO attempt VALUES('00000002-0000-4000-8000-000000000001',2,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',2.5,'cpu',1000,40,40,100,42,NULL,NULL);
INSERT INTO attempt VALUES('00000003-0000-4000-8000-000000000001',3,1,1,'failed','plugin_error','loss is not finite',replace('epoch 3\n','\n',char(10)),NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',NULL,NULL,NULL,NULL,42,NULL,NULL);
INSERT INTO attempt VALUES('00000004-0000-4000-8000-000000000001',4,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('00000005-0000-4000-8000-000000000001',5,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('00000006-0000-4000-8000-000000000001',6,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('00000007-0000-4000-8000-000000000001',7,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('00000008-0000-4000-8000-000000000001',8,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('00000009-0000-4000-8000-000000000001',9,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('0000000a-0000-4000-8000-000000000001',10,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('0000000c-0000-4000-8000-000000000001',12,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('0000000d-0000-4000-8000-000000000001',13,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb',NULL);
INSERT INTO attempt VALUES('0000000e-0000-4000-8000-000000000001',14,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',2000,88,80,280,42,'3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d',NULL);
INSERT INTO attempt VALUES('0000000b-0000-4000-8000-000000000001',11,1,1,'failed','crash','the worker crashed',replace('first\n','\n',char(10)),11,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',NULL,NULL,NULL,NULL,42,NULL,NULL);
INSERT INTO attempt VALUES('0000000b-0000-4000-8000-000000000002',11,1,2,'failed','crash','it crashed again',replace('second\n','\n',char(10)),6,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',NULL,NULL,NULL,NULL,42,NULL,NULL);
INSERT INTO attempt VALUES('00000010-0000-4000-8000-000000000001',16,1,1,'done',NULL,NULL,NULL,NULL,NULL,'2026-11-28T10:00:00.000Z','2026-11-28T10:00:00.000Z',1.5,'cpu',NULL,4,4,14,42,NULL,NULL);
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
  n       INTEGER CHECK (n >= 0),   -- samples behind it
  PRIMARY KEY (cell_id, name),
  CHECK ((value IS NULL) = (flag IS NOT NULL)),
  CONSTRAINT accuracy_is_a_fraction CHECK (name NOT GLOB '*accuracy*' OR value IS NULL OR value BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;
INSERT INTO metric VALUES(1,'train_accuracy',0.75,NULL,4);
INSERT INTO metric VALUES(2,'train_accuracy',0.75,NULL,4);
INSERT INTO metric VALUES(4,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(5,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(6,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(7,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(8,'threat_violations',2.0,NULL,4);
INSERT INTO metric VALUES(9,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(10,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(12,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(13,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(14,'threat_violations',0.0,NULL,4);
INSERT INTO metric VALUES(16,'broken',NULL,'nan',4);
INSERT INTO metric VALUES(16,'median_norm',0.5,NULL,4);
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
INSERT INTO series VALUES(2,'train_loss',1,2.0,NULL);
INSERT INTO series VALUES(2,'train_loss',2,NULL,'nan');
CREATE TABLE solve_stats (
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
  phase        TEXT NOT NULL,     -- 'train', 'evaluate', 'attack', 'gradient'
  solve        TEXT NOT NULL,     -- 'conv1', 'layer2.0', ...
  solves       INTEGER NOT NULL CHECK (solves >= 0),
  nfe_min      INTEGER NOT NULL CHECK (nfe_min >= 0),
  nfe_median   INTEGER NOT NULL CHECK (nfe_median >= nfe_min),
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
INSERT INTO solve_stats VALUES(1,'train','conv1',10,7,10,13,100,30,5,0,'ok',0.10000000000000000555,0.5);
INSERT INTO solve_stats VALUES(2,'train','conv1',10,7,10,13,100,30,5,0,'ok',0.10000000000000000555,0.5);
INSERT INTO solve_stats VALUES(4,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(5,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(6,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(7,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(8,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(9,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(10,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(12,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(13,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
INSERT INTO solve_stats VALUES(14,'evaluate','conv1',2,14,14,14,28,8,0,0,'ok',0.25,0.25);
CREATE TABLE sample_outcome (
  cell_id          INTEGER NOT NULL REFERENCES cell (id),
  sample           INTEGER NOT NULL CHECK (sample >= 0),   -- index in the evaluation split
  label            INTEGER NOT NULL CHECK (label >= 0),
  clean_prediction INTEGER NOT NULL CHECK (clean_prediction >= 0),
  prediction       INTEGER NOT NULL CHECK (prediction >= 0),
  distance         REAL NOT NULL CONSTRAINT distance_is_finite CHECK (distance >= 0 AND distance < 9e999),
  queries          INTEGER NOT NULL CHECK (queries >= 0),
  PRIMARY KEY (cell_id, sample)
) STRICT, WITHOUT ROWID;
INSERT INTO sample_outcome VALUES(4,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(4,1,1,1,1,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(4,2,2,2,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(4,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(5,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(5,1,1,1,1,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(5,2,2,2,3,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(5,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(6,0,0,0,1,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(6,1,1,1,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(6,2,2,2,3,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(6,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(7,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(7,1,1,1,1,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(7,2,2,2,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(7,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(8,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(8,1,1,1,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(8,2,2,2,3,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(8,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(9,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(9,1,1,1,1,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(9,2,2,2,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(9,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(10,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(10,1,1,1,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(10,2,2,2,3,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(10,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(12,0,0,0,1,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(12,1,1,1,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(12,2,2,2,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(12,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(13,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(13,1,1,1,1,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(13,2,2,2,3,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(13,3,3,4,4,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(14,0,0,0,0,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(14,1,1,1,2,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(14,2,2,3,3,0.029999999999999998889,20);
INSERT INTO sample_outcome VALUES(14,3,3,4,4,0.029999999999999998889,20);
CREATE TABLE sample_metric (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  sample  INTEGER NOT NULL CHECK (sample >= 0),
  name    TEXT NOT NULL,
  value   REAL,
  flag    TEXT CHECK (flag IN ('nan', 'inf', '-inf')),
  PRIMARY KEY (cell_id, sample, name),
  CHECK ((value IS NULL) = (flag IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO sample_metric VALUES(16,0,'norm',0.25,NULL);
INSERT INTO sample_metric VALUES(16,1,'norm',NULL,'inf');
CREATE TABLE seed (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  purpose TEXT NOT NULL,
  seed    TEXT NOT NULL,
  PRIMARY KEY (cell_id, purpose)
) STRICT, WITHOUT ROWID;
INSERT INTO seed VALUES(1,'init','17');
INSERT INTO seed VALUES(2,'init','17');
CREATE INDEX run_manifest ON run (manifest_id);
CREATE INDEX cell_checkpoint ON cell (checkpoint_cell_id);
CREATE INDEX cell_source ON cell (source_cell_id);
CREATE INDEX cell_plugin_plugin ON cell_plugin (plugin_id);
CREATE INDEX study_cell_cell ON study_cell (cell_id);
CREATE INDEX run_cell_cell ON run_cell (cell_id);
CREATE UNIQUE INDEX attempt_done ON attempt (cell_id) WHERE state = 'done';
CREATE INDEX attempt_run ON attempt (run_id);
CREATE VIEW current_manifest AS
SELECT m.name AS study, m.id AS manifest_id, max(r.id) AS run_id
FROM run r JOIN manifest m ON m.id = r.manifest_id
GROUP BY m.name;
CREATE VIEW labelled_cell AS
SELECT cm.study, c.kind, s.dataset, s.model, s.objective, s.train_solver, s.train_seed,
  nullif(s.solver, '') AS solver,
  CASE WHEN c.kind = 'train' THEN NULL WHEN s.gradient = '' THEN '@eval' ELSE s.gradient END AS gradient,
  CASE WHEN c.kind = 'train' THEN NULL WHEN s.source = '' THEN '@self' ELSE s.source END AS source,
  nullif(s.method, '') AS method,
  CASE WHEN c.kind = 'attack' THEN coalesce(c.norm, 'linf') END AS norm,
  s.epsilon,
  nullif(s.epsilon_text, '') AS epsilon_text,
  CASE WHEN c.kind = 'train' THEN NULL ELSE s.seed END AS seed,
  c.key, c.id AS cell_id, coalesce(c.checkpoint_cell_id, c.id) AS checkpoint_cell_id
FROM current_manifest cm
JOIN study_cell s ON s.manifest_id = cm.manifest_id
JOIN cell c ON c.id = s.cell_id;
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
GROUP BY study, kind;
CREATE VIEW outcome_count AS
SELECT cell_id, count(*) AS n, sum(clean_prediction = label) AS clean_correct,
  sum(clean_prediction = label AND prediction = label) AS robust_correct
FROM sample_outcome
GROUP BY cell_id;
CREATE VIEW accuracy AS
SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source, attack, norm, epsilon,
  epsilon_text, seed, n, clean_correct, robust_correct,
  1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  max(0.0, centre - half) AS lower, min(1.0, centre + half) AS upper, cell_id, checkpoint_cell_id
FROM (SELECT *, (robust_correct + 3.841458820694124 / 2) / (n + 3.841458820694124) AS centre, 1.959963984540054 / (n + 3.841458820694124) * (WITH RECURSIVE newton(i, x) AS (SELECT 0, (a + 1.0) / 2 UNION ALL SELECT i + 1, (x + a / x) / 2 FROM newton WHERE i < 24) SELECT x FROM newton WHERE i = 24) AS half
      FROM (SELECT l.*, l.method AS attack, o.n, o.clean_correct, o.robust_correct,
              1.0 * robust_correct * (n - robust_correct) / n + 3.841458820694124 / 4 AS a
            FROM labelled_cell l JOIN outcome_count o ON o.cell_id = l.cell_id));
CREATE VIEW worst_case_sample AS
SELECT w.*,
  (SELECT group_concat(name, ', ')
   FROM (SELECT l.method || CASE l.gradient WHEN '@eval' THEN '' ELSE ' via ' || l.gradient END
           || CASE l.source WHEN '@self' THEN '' ELSE ' from ' || l.source END AS name
         FROM labelled_cell l JOIN sample_outcome o ON o.cell_id = l.cell_id AND o.sample = w.sample
         WHERE l.study = w.study AND l.checkpoint_cell_id = w.checkpoint_cell_id AND l.solver = w.solver
           AND l.norm = w.norm AND l.epsilon_text IS w.epsilon_text AND l.epsilon = w.epsilon
           AND o.clean_prediction = o.label AND o.prediction <> o.label
         ORDER BY l.cell_id)) AS fooled_by
FROM (SELECT l.study, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.norm,
        l.epsilon, l.epsilon_text, o.sample, o.label, min(o.clean_prediction) AS clean_prediction,
        min(o.clean_prediction = o.label AND o.prediction = o.label) AS robust,
        count(*) AS n_attacks,
        sum(o.clean_prediction = o.label AND o.prediction <> o.label) AS n_fooled,
        l.checkpoint_cell_id
      FROM labelled_cell l JOIN sample_outcome o ON o.cell_id = l.cell_id
      WHERE l.epsilon > 0
      GROUP BY l.study, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.norm,
        l.epsilon, l.epsilon_text, o.sample, o.label, l.checkpoint_cell_id) w;
CREATE VIEW worst_case AS
SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text,
  n_attacks,
  (SELECT count(*) FROM labelled_cell l
   WHERE l.study = w.study AND l.checkpoint_cell_id = w.checkpoint_cell_id AND l.solver = w.solver
     AND l.norm = w.norm AND l.epsilon_text IS w.epsilon_text AND l.epsilon = w.epsilon
     AND NOT EXISTS (SELECT 1 FROM sample_outcome o WHERE o.cell_id = l.cell_id)) AS n_missing,
  n, clean_correct, robust_correct,
  1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  max(0.0, centre - half) AS lower, min(1.0, centre + half) AS upper, checkpoint_cell_id
FROM (SELECT *, (robust_correct + 3.841458820694124 / 2) / (n + 3.841458820694124) AS centre, 1.959963984540054 / (n + 3.841458820694124) * (WITH RECURSIVE newton(i, x) AS (SELECT 0, (a + 1.0) / 2 UNION ALL SELECT i + 1, (x + a / x) / 2 FROM newton WHERE i < 24) SELECT x FROM newton WHERE i = 24) AS half
      FROM (SELECT *, 1.0 * robust_correct * (n - robust_correct) / n + 3.841458820694124 / 4 AS a
            FROM (SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon,
                    epsilon_text, max(n_attacks) AS n_attacks, count(*) AS n,
                    sum(clean_prediction = label) AS clean_correct, sum(robust) AS robust_correct,
                    checkpoint_cell_id
                  FROM worst_case_sample
                  GROUP BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon,
                    epsilon_text, checkpoint_cell_id))) w;
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
GROUP BY study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon, epsilon_text;
CREATE VIEW gradient_matrix AS
SELECT study, dataset, model, objective, train_solver, train_seed, attack, norm, epsilon, epsilon_text, seed,
  solver, gradient, source, n, robust_accuracy, lower, upper, own_robust_accuracy,
  own_robust_accuracy - robust_accuracy AS gap, cell_id, checkpoint_cell_id
FROM (SELECT *, max(robust_accuracy) FILTER (WHERE gradient = '@eval') OVER
        (PARTITION BY study, checkpoint_cell_id, solver, source, attack, norm, epsilon, epsilon_text, seed)
        AS own_robust_accuracy
      FROM accuracy)
WHERE epsilon > 0;
CREATE VIEW failures AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, a.failure_class, a.message, a.log_tail, a.signal, a.exit_code,
  a.n AS attempt, a.device, a.wall_s, a.ended_at,
  (SELECT count(*) FROM labelled_cell w
   WHERE w.study = l.study AND w.checkpoint_cell_id = l.cell_id AND w.cell_id <> l.cell_id
     AND NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = w.cell_id AND d.state = 'done')) AS blocks,
  l.key, l.cell_id
FROM labelled_cell l
JOIN attempt a ON a.cell_id = l.cell_id
  AND a.n = (SELECT max(f.n) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state = 'failed')
WHERE NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = l.cell_id AND d.state = 'done');
CREATE VIEW cost AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, a.device, a.wall_s, a.peak_bytes, a.forwards, a.backwards, a.nfe,
  a.n AS attempts,
  (SELECT coalesce(sum(f.wall_s), 0.0) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state <> 'done') AS lost_s,
  a.started_at, a.ended_at, l.cell_id
FROM labelled_cell l JOIN attempt a ON a.cell_id = l.cell_id AND a.state = 'done';
CREATE VIEW evaluations_per_solve AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, s.phase, s.solve, s.solves, s.nfe_min, s.nfe_median, s.nfe_max,
  1.0 * s.nfe_total / nullif(s.solves, 0) AS nfe_mean,
  1.0 * s.accepted / nullif(s.solves, 0) AS accepted_mean,
  1.0 * s.rejected / nullif(s.solves, 0) AS rejected_mean,
  s.failed, s.worst_status, s.step_min, s.step_max, l.cell_id
FROM labelled_cell l JOIN solve_stats s ON s.cell_id = l.cell_id;
CREATE VIEW metrics AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, m.name, m.value, m.flag, m.n, l.cell_id
FROM labelled_cell l JOIN metric m ON m.cell_id = l.cell_id;
COMMIT;
