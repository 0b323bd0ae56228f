-- Every table is STRICT. Times are UTC ISO text. Scores run from 0 to 100; NULL means not measured.
-- Doses are relative: coefficient x norm of the vector / residual norm of the target at the layer.

CREATE TABLE models (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,           -- the name used on the command line
  label TEXT NOT NULL,                 -- the model's own published name
  repo TEXT NOT NULL,                  -- hub name, local folder, or embedded:NAME
  revision TEXT,                       -- hub revision; NULL: the default branch
  adapter TEXT,                        -- PEFT adapter on top of repo; NULL: none
  parent TEXT,                         -- name of the model it was trained from; NULL: none
  alignment TEXT NOT NULL DEFAULT 'other'
    CHECK (alignment IN ('base', 'sft', 'dpo', 'rlhf', 'other')),
  n_layers INTEGER,                    -- decoder blocks; NULL until first loaded
  hidden_size INTEGER,                 -- width of the residual stream; NULL until first loaded
  prompt_form TEXT CHECK (prompt_form IN ('chat', 'raw')), -- of questions; NULL: by its template
  dtype TEXT                           -- NULL: the setting's
) STRICT;

CREATE TABLE traits (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,           -- category/name
  definition TEXT NOT NULL,
  sha256 TEXT NOT NULL                 -- over all of the trait's files, as last seen
) STRICT;

CREATE TABLE scenarios (
  id INTEGER PRIMARY KEY,
  trait_id INTEGER NOT NULL REFERENCES traits(id),
  polarity TEXT NOT NULL CHECK (polarity IN ('positive', 'negative')),
  pair INTEGER NOT NULL,               -- 0-based line; line i of both polarities is a pair
  text TEXT NOT NULL,                  -- the unfinished text
  UNIQUE (trait_id, polarity, pair, text)
) STRICT;

CREATE TABLE questions (
  id INTEGER PRIMARY KEY,
  trait_id INTEGER NOT NULL REFERENCES traits(id),
  text TEXT NOT NULL,
  split TEXT NOT NULL CHECK (split IN ('select', 'report')), -- which numbers may use its answers
  UNIQUE (trait_id, text)
) STRICT;

CREATE TABLE prompts (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  sha256 TEXT NOT NULL UNIQUE,
  text TEXT NOT NULL                   -- with $name variables
) STRICT;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  label TEXT NOT NULL,
  command TEXT NOT NULL,
  argv_json TEXT NOT NULL,
  config_json TEXT NOT NULL,           -- the settings in force, without keys
  versions_json TEXT NOT NULL,         -- of Python and the libraries that decide results
  git_commit TEXT,                     -- NULL outside a checkout
  seed INTEGER NOT NULL,
  started_utc TEXT NOT NULL,
  finished_utc TEXT,                   -- NULL while running
  status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
  summary_json TEXT                    -- what the run computed and what it found done
) STRICT;

CREATE TABLE completions (
  id INTEGER PRIMARY KEY,
  scenario_id INTEGER NOT NULL REFERENCES scenarios(id),
  model_id INTEGER NOT NULL REFERENCES models(id),
  run_id INTEGER NOT NULL REFERENCES runs(id),
  text TEXT NOT NULL,                  -- the continuation alone
  n_tokens INTEGER NOT NULL,
  finish_reason TEXT NOT NULL CHECK (finish_reason IN ('stop', 'length')),
  prompt_form TEXT NOT NULL CHECK (prompt_form IN ('chat', 'raw')),
  token_ids_json TEXT NOT NULL,        -- of prompt and continuation: [[...], [...]]
  settings_sha256 TEXT NOT NULL,       -- of token limit, dtype, template and weights
  UNIQUE (scenario_id, model_id, settings_sha256)
) STRICT;

CREATE TABLE vectors (
  id INTEGER PRIMARY KEY,
  label TEXT NOT NULL,
  model_id INTEGER NOT NULL REFERENCES models(id), -- the source it was extracted from
  trait_id INTEGER NOT NULL REFERENCES traits(id),
  method TEXT NOT NULL
    CHECK (method IN ('mean_diff', 'probe', 'gradient', 'random', 'shuffled')),
  layer INTEGER NOT NULL,              -- output of this decoder block, 0-based
  pooling TEXT NOT NULL CHECK (pooling IN ('response', 'all')),
  prompt_form TEXT NOT NULL CHECK (prompt_form IN ('chat', 'raw')), -- of the scenarios
  dim INTEGER NOT NULL,
  norm REAL NOT NULL,                  -- length of the vector, in the residual stream's unit
  gap REAL,                            -- distance of the class means along it; NULL for random
  sd_within REAL,                      -- pooled s.d. inside the classes along it; NULL for random
  vector BLOB NOT NULL,                -- gap x unit direction, float32 little-endian
  n_positive INTEGER NOT NULL,         -- passed completions it was fitted on
  n_negative INTEGER NOT NULL,
  n_pairs INTEGER NOT NULL,            -- complete pairs among them
  auc REAL,                            -- held out, cross-fitted by pair
  d_prime REAL,                        -- held out, in pooled s.d.
  auc_shuffled REAL,                   -- the same with labels exchanged in half of the pairs
  split_half_cosine REAL,              -- mean cosine between directions of random halves
  polarity_flip INTEGER NOT NULL DEFAULT 0 CHECK (polarity_flip IN (0, 1)), -- held-out gap < 0
  residual_norm REAL,                  -- the source's, median over pooled tokens at this layer
  derived_from_id INTEGER REFERENCES vectors(id), -- for controls: the vector they control
  seed INTEGER,                        -- for controls and folds
  sha256 TEXT NOT NULL,                -- of the blob
  inputs_sha256 TEXT NOT NULL,         -- of the completions and settings it was computed from
  run_id INTEGER REFERENCES runs(id),
  CHECK (length(vector) = 4 * dim),
  UNIQUE (model_id, trait_id, method, layer, pooling, sha256)
) STRICT;
CREATE INDEX vectors_by_inputs ON vectors (inputs_sha256, method, layer);

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  label TEXT NOT NULL,
  run_id INTEGER NOT NULL REFERENCES runs(id),   -- that started it
  trait_id INTEGER NOT NULL REFERENCES traits(id),
  source_id INTEGER NOT NULL REFERENCES models(id),
  target_id INTEGER NOT NULL REFERENCES models(id),
  vector_id INTEGER REFERENCES vectors(id),      -- NULL for unsteered, prompt and imported
  layer INTEGER,                                 -- NULL for unsteered and prompt
  condition TEXT NOT NULL CHECK (condition IN
    ('steer', 'unsteered', 'random', 'shuffled', 'negated', 'prompt', 'native')),
  position TEXT NOT NULL CHECK (position IN ('response', 'all')),
  split TEXT NOT NULL CHECK (split IN ('select', 'report')),
  judge TEXT NOT NULL,
  settings_json TEXT NOT NULL,
  base_coefficient REAL,                         -- the coefficient of dose 1
  residual_norm REAL,                            -- of the target's unsteered answers at the layer
  status TEXT NOT NULL,                          -- running, or how it ended
  recommended_coefficient REAL,                  -- what a search chose; NULL: nothing feasible
  recommended_dose REAL,
  key TEXT NOT NULL UNIQUE                       -- sha256 of what identifies it
) STRICT;
CREATE INDEX series_by_target ON series (trait_id, target_id, layer);

CREATE TABLE search_steps (
  id INTEGER PRIMARY KEY,
  series_id INTEGER NOT NULL REFERENCES series(id),
  step INTEGER NOT NULL,               -- from 1
  coefficient REAL NOT NULL,           -- multiplies the vector; unrounded
  dose REAL NOT NULL,                  -- relative, signed like the coefficient
  trait REAL,                          -- mean over scored answers; NULL: none scored (yet)
  trait_se REAL,                       -- standard error of that mean over questions
  coherence REAL,
  coherence_se REAL,
  n_answers INTEGER NOT NULL DEFAULT 0,
  n_trait INTEGER NOT NULL DEFAULT 0,  -- answers with a trait score
  n_coherence INTEGER NOT NULL DEFAULT 0,
  action TEXT,                         -- what the search did next; NULL outside a search
  recommended INTEGER NOT NULL DEFAULT 0 CHECK (recommended IN (0, 1)),
  source TEXT NOT NULL DEFAULT 'measured' CHECK (source IN ('measured', 'imported')),
  UNIQUE (series_id, step)
) STRICT;

CREATE TABLE answers (
  id INTEGER PRIMARY KEY,
  step_id INTEGER NOT NULL REFERENCES search_steps(id),
  question_id INTEGER NOT NULL REFERENCES questions(id),
  sample INTEGER NOT NULL DEFAULT 0,
  seed INTEGER NOT NULL DEFAULT 0,
  text TEXT NOT NULL,
  n_tokens INTEGER NOT NULL,
  finish_reason TEXT NOT NULL CHECK (finish_reason IN ('stop', 'length')),
  measures_json TEXT NOT NULL,         -- judge-free: nll (nats per token), distinct_2, ...
  token_ids_json TEXT NOT NULL,        -- of prompt and answer: [[...], [...]]
  UNIQUE (step_id, question_id, sample)
) STRICT;

CREATE TABLE judgements (
  id INTEGER PRIMARY KEY,
  answer_id INTEGER REFERENCES answers(id),
  completion_id INTEGER REFERENCES completions(id),
  criterion TEXT NOT NULL CHECK (criterion IN ('trait', 'coherence', 'vetting')),
  judge TEXT NOT NULL,                 -- name and fingerprint of what judged
  prompt_id INTEGER REFERENCES prompts(id),
  repeat INTEGER NOT NULL DEFAULT 0,
  score REAL CHECK (score BETWEEN 0 AND 100), -- NULL: unscored
  unscored_reason TEXT,
  reply TEXT NOT NULL,                 -- the raw reply, before it was parsed
  input_tokens INTEGER,
  output_tokens INTEGER,
  cost_usd REAL,
  cache_key TEXT NOT NULL,             -- sha256 of judge, criterion, question, text and repeat
  CHECK ((answer_id IS NULL) <> (completion_id IS NULL)),
  CHECK ((score IS NULL) = (unscored_reason IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX judgements_of_answers
  ON judgements (answer_id, criterion, judge, repeat) WHERE answer_id IS NOT NULL;
CREATE UNIQUE INDEX judgements_of_completions
  ON judgements (completion_id, criterion, judge, repeat) WHERE completion_id IS NOT NULL;
CREATE INDEX judgements_by_content ON judgements (cache_key);

CREATE TABLE vettings (
  id INTEGER PRIMARY KEY,
  completion_id INTEGER NOT NULL REFERENCES completions(id),
  run_id INTEGER NOT NULL REFERENCES runs(id),
  judgement_id INTEGER NOT NULL REFERENCES judgements(id),
  passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
  reason TEXT NOT NULL,
  threshold REAL NOT NULL,             -- least score of a positive, greatest of a negative
  UNIQUE (completion_id, judgement_id, threshold)
) STRICT;

CREATE TABLE residual_norms (
  id INTEGER PRIMARY KEY,
  series_id INTEGER NOT NULL REFERENCES series(id), -- the unsteered answers it was measured on
  layer INTEGER NOT NULL,
  norm REAL NOT NULL,                  -- median over response tokens, float32
  UNIQUE (series_id, layer)
) STRICT;

CREATE TABLE findings (
  id INTEGER PRIMARY KEY,
  run_id INTEGER REFERENCES runs(id),
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  verdict TEXT NOT NULL,               -- supported, contradicted, undetermined, or a kind's own
  estimate REAL,
  ci_low REAL,                         -- 95 % interval
  ci_high REAL,
  unit TEXT NOT NULL,
  statement TEXT NOT NULL,
  evidence_json TEXT NOT NULL,
  UNIQUE (kind, subject)
) STRICT;
