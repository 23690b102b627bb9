-- Fill an empty schema with a project's history of 90 days; :samples of them, a tenth annotated.
-- Numbers are of a hash of the row, so that each run has the same.
CREATE FUNCTION pg_temp.part(i bigint, of_what text) RETURNS float AS $$
  SELECT (('x' || substr(md5(of_what || i::text), 1, 7))::bit(28)::int)::float / 268435456
$$ LANGUAGE sql IMMUTABLE;

INSERT INTO image (sha256, width, height, media_type, size_bytes, quality, created_at)
SELECT md5('a' || i) || md5('b' || i), 1280, 960, 'image/jpeg', 150000, '{"sharpness": 0.2}', now()
FROM generate_series(1, :samples) AS i;

INSERT INTO sample (id, project_id, sample_id, payload_sha256, captured_at, received_at, tags, extra, subject, stream,
  capture_probability, stands_for, image_sha256, model_version, policy_version, state, reason, verdict, outcome,
  is_disputed, confidence, priority, inclusion_probability, window_ends_at, collapsed)
SELECT i, :project, gen_random_uuid(), md5(i::text), at, at, CASE WHEN i % 5 = 0 THEN '["night"]' ELSE '[]' END::json,
  json_build_object('site', (ARRAY['north', 'south', 'west'])[1 + i % 3]), 'subject-' || i % 5000, 'camera-' || i % 40,
  1, 1, md5('a' || i) || md5('b' || i), 'v' || (1 + 4 * i / (:samples + 1)), 1, state,
  CASE state WHEN 'archived' THEN (ARRAY['confirmed', 'affirmed', 'not_sampled'])[1 + i % 3]
    WHEN 'awaiting_feedback' THEN NULL
    ELSE (ARRAY['user_rejected', 'unconfirmed_low_confidence', 'empty', 'random'])[1 + i % 4] END,
  verdict, CASE WHEN state = 'annotated' AND verdict IS NOT NULL THEN 'user_right' END, false,
  0.3 + 0.7 * pg_temp.part(i, 'confidence'), 10 * (i % 10), CASE WHEN i % 4 = 0 THEN 1 ELSE 0.05 END, at + interval '1 day', 0
FROM (
  SELECT i, now() - interval '90 days' * (1 - i::float / :samples) AS at,
    CASE WHEN i > :samples - :samples / 50 THEN 'awaiting_feedback' WHEN i % 10 = 0 THEN 'annotated'
      WHEN i % 50 = 1 THEN 'queued' WHEN i % 50 = 2 THEN 'pushed' ELSE 'archived' END AS state,
    CASE WHEN i % 4 = 0 THEN 'rejected' WHEN i % 4 = 1 THEN 'confirmed' END AS verdict
  FROM generate_series(1, :samples) AS i
) AS made;

INSERT INTO prediction (sample_pk, model_version, document, payload_sha256, is_shown, received_at)
SELECT id, model_version, json_build_object('model_version', model_version, 'task', 'detection', 'image_size',
  '[1280, 960]'::json, 'boxes', (
    SELECT json_agg(json_build_object('label', 'pill', 'confidence', 0.8, 'x_min', 40 * b, 'y_min', 60, 'x_max',
      40 * b + 30, 'y_max', 100)) FROM generate_series(1, 4) AS b)), 'p', true, received_at
FROM sample;

INSERT INTO sample_metric (sample_pk, project_id, measured, custom_set, brightness, sharpness, contrast, object_count,
  entropy)
SELECT id, project_id, 1, 0, pg_temp.part(id, 'brightness'), pg_temp.part(id, 'sharpness'), 0.2, 4,
  pg_temp.part(id, 'entropy')
FROM sample;

INSERT INTO feedback (project_id, feedback_id, sample_id, sample_pk, payload_sha256, verdict, reporter, source,
  given_at, received_at)
SELECT project_id, gen_random_uuid(), sample_id, id, 'p', verdict, 'reporter-' || id % 900, 'key', received_at,
  received_at
FROM sample WHERE verdict IS NOT NULL;

INSERT INTO decision (sample_pk, trigger, policy_version, state, reason, priority, inclusion_probability, rules,
  decided_at)
SELECT id, 'arrival', 1, CASE WHEN state IN ('annotated', 'pushed') THEN 'queued' ELSE state END, reason, priority,
  inclusion_probability, json_build_array(
    json_build_object('rule', 'user_rejected', 'strategy', 'user_rejected', 'priority', 100, 'matched', id % 4 = 0,
      'probability', 1.0, 'draw', 0.4, 'selected', id % 4 = 0 AND state <> 'archived', 'compared', '{"verdict": null}'::json),
    json_build_object('rule', 'random', 'strategy', 'random', 'priority', 10, 'matched', true, 'probability', 0.05,
      'draw', 0.7, 'selected', id % 4 = 3 AND state <> 'archived', 'is_audit', true, 'compared', '{"rate": 0.05}'::json)),
  received_at
FROM sample;

INSERT INTO history_entry (project_id, sample_pk, state, reason, at)
SELECT project_id, id, state, reason, received_at FROM sample;

INSERT INTO labeling_task (project_id, sample_pk, generation, state, priority, rank, reasons, is_stale, revision, look,
  is_blind, annotators, is_withdrawal_wanted, available_at, attempts, label_studio_project_id, label_studio_task_id,
  created_at)
SELECT project_id, id, 1, CASE state WHEN 'queued' THEN 'waiting' ELSE 'pushed' END, priority, priority,
  json_build_array(reason), false, 0, 1, false, 1, false, received_at, 0, 1, id, received_at
FROM sample WHERE state IN ('queued', 'pushed', 'annotated');

INSERT INTO annotation (project_id, sample_pk, label_studio_annotation_id, look, is_blind, annotator, created_at,
  updated_at, pulled_at, lead_time_seconds, is_skipped, is_ground_truth, result, document, model_difference)
SELECT project_id, id, id, 1, false, 'annotator-' || id % 7, received_at, received_at, received_at, 20, false, false,
  '[]', '{"boxes": [{"label": "pill", "x_min": 40.0, "y_min": 60.0, "x_max": 70.0, "y_max": 100.0}]}',
  json_build_object('kept', 4, 'changed', 0, 'removed', 0, 'added', CASE WHEN id % 40 = 0 THEN 1 ELSE 0 END)
FROM sample WHERE state = 'annotated';
