import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { cancel, follow, submit, trace } from '../../frontend/jobs.js';
import { Incomplete, JobFailed, Malformed, Refused, Unreachable } from '../../frontend/ndjson.js';
import { JobServer, answer, hangUp, page, until } from './server.mjs';
import { collect, stream } from './streams.mjs';

const BATCHES = [[{ ID: 1 }, { ID: '焊接' }], [{ ID: 3 }], [{ ID: 4 }, { ID: 5 }]];
const LINES = stream(BATCHES);
const ALL = BATCHES.flat();
const WANTED = { profile: 'query_tool', container_ids: ['a', 'b'], domains: ['holds'] };
const FAST = { pause: 0.001, patience: 0.2, timeout: 5 };

let server;
beforeEach(async () => (server = await JobServer.started(LINES)));
afterEach(() => server.close());

const rowsOf = (lines) => lines.filter((line) => line.type === 'records').flatMap((line) => line.data);
const followed = (options) => collect(follow(server.url, server.jobId, { ...FAST, ...options }));
const traced = (options) => collect(trace(server.url, WANTED, { ...FAST, ...options }));

test('a job is submitted and followed to its end', async () => {
  assert.deepEqual(rowsOf(await traced()), ALL);
  assert.deepEqual(server.asked.map((asked) => asked.kind), ['events', 'stream']);
  const [{ body, headers }] = server.asked;
  assert.deepEqual(JSON.parse(body), WANTED);
  assert.equal(headers['content-type'], 'application/json');
  assert.match(headers.accept, /application\/x-ndjson/);
});

test('events that are read at once are the answer itself', async () => {
  server.script.events.push((_, response) => response.end(LINES.join('')));
  assert.deepEqual(rowsOf(await traced()), ALL);
  assert.equal(server.asked.length, 1);
});

test('submit tells a response from a job', async () => {
  assert.equal((await submit(server.url, WANTED)).job.job_id, server.jobId);
  server.script.events.push((_, response) => response.end(LINES.join('')));
  const { response } = await submit(server.url, WANTED);
  assert.equal(response.status, 200);
  await response.body.cancel();
});

test('too many ids are refused with their number and the limit', async () => {
  server.script.events.push(answer(413, { error: 'too many', code: 'CID_LIMIT_EXCEEDED', cid_count: 60_000, limit: 50_000 }));
  await assert.rejects(traced(), (error) => {
    assert.ok(error instanceof Refused);
    assert.deepEqual([error.status, error.problem.cid_count, error.problem.limit], [413, 60_000, 50_000]);
    return true;
  });
});

test('a busy server says when to come again', async () => {
  server.script.events.push(answer(503, { error: 'busy', code: 'BUSY' }, { 'Retry-After': '8' }));
  await assert.rejects(traced(), (error) => error instanceof Refused && error.retryAfter === 8 && error.problem.code === 'BUSY');
});

test('headers go with every request', async () => {
  server.script.stream.push(answer(404));
  await followed({ headers: { 'X-User': 'ann' } });
  await cancel(server.url, server.jobId, { headers: { 'X-User': 'ann' } });
  assert.deepEqual(server.asked.map((asked) => asked.headers['x-user']), server.asked.map(() => 'ann'));
  assert.equal(server.of('cancel').length, 1);
});

test('a stream that breaks off at any byte goes on where it was', async () => {
  const bytes = LINES.join('').length;
  for (let cut = 1; cut < bytes; cut += 19) {
    server.script.stream = [cut, 1, 0.5 * cut, bytes / 2];
    server.asked = [];
    assert.deepEqual(rowsOf(await followed()), ALL, `cut at ${cut}`);
    const firsts = server.of('stream').map((asked) => Number(asked.path.split('=')[1]));
    assert.deepEqual(firsts, firsts.toSorted?.() ?? firsts);
  }
});

test('a request that gets a 500, 502 or 429 in the middle is made again', async () => {
  server.script.stream = [300, page(500), page(502)];
  assert.deepEqual(rowsOf(await followed()), ALL);
  server.script.stream = [300, answer(429, {}, { 'Retry-After': '0.01' })];
  assert.deepEqual(rowsOf(await followed()), ALL);
});

test('credentials go with every request', async (t) => {
  const { fetch } = globalThis;
  const asked = [];
  t.mock.method(globalThis, 'fetch', (path, init) => fetch(path, asked.push(init.credentials) && init));
  await followed({ credentials: 'include' });
  await cancel(server.url, server.jobId, { credentials: 'include' });
  await submit(server.url, {}, { credentials: 'include' });
  assert.deepEqual([...new Set(asked)], ['include']);
  assert.ok(asked.length > 2);
});

test('progress has a percent or null', async () => {
  server.script.stream = [answer(404, { code: 'NOT_FOUND' })];
  server.script.status = [answer(200, { ...server.status, status: 'queued', progress: {} })];
  const told = (await followed()).filter((line) => line.type === 'progress');
  assert.deepEqual(told.map((line) => line.percent), [null, 100]);
});

test('nobody is asked before Retry-After', async () => {
  server.script.stream = [answer(503, {}, { 'Retry-After': '0.2' })];
  const began = performance.now();
  await followed();
  assert.ok(performance.now() - began >= 195);
});

test('connections that break for a while are made again', async () => {
  server.status.status = 'started';
  server.script.stream = [300, hangUp, hangUp, hangUp, hangUp, hangUp];
  server.script.status = [hangUp, hangUp];
  assert.deepEqual(rowsOf(await followed()), ALL);
  assert.equal(server.of('stream').length, 7);
});

test('where no stream passes, the status is polled and the result read in pages', async () => {
  const running = { ...server.status, status: 'started', progress: { percent: 40, rows: 3 } };
  server.script.stream = [answer(404, { code: 'NOT_FOUND' })];
  server.script.status = [answer(200, running), page(502), answer(429), hangUp, page(200), answer(200, running)];
  const lines = await followed();
  assert.deepEqual(rowsOf(lines), ALL);
  assert.equal(server.of('stream').length, 1);
  assert.deepEqual(lines.filter((line) => line.type === 'progress').map((line) => line.percent), [40, 40, 100]);
  assert.deepEqual(lines.slice(-2).map((line) => line.type), ['aggregation', 'complete']);
  assert.equal(lines.at(-1).total_records, ALL.length);
});

test('pages go on where the stream broke off', async () => {
  server.script.stream = [LINES.slice(0, 4).join('').length, answer(410)];
  assert.deepEqual(rowsOf(await followed()), ALL);
  assert.deepEqual(server.of('result').map((asked) => new URLSearchParams(asked.path.split('?')[1]).get('offset')), ['3']);
});

test('a result that the stream brought whole is still asked for its total', async () => {
  server.script.stream = [LINES.slice(0, -1).join('').length, answer(410)];
  assert.deepEqual(rowsOf(await followed()), ALL);
  assert.equal(server.of('result').length, 1);
});

test('after a while without streams they are tried again', async () => {
  server.status.status = 'started';
  server.script.stream = [page(502), page(502), page(502), page(502)];
  assert.deepEqual(rowsOf(await followed()), ALL);
  assert.ok(server.of('status').length >= 1);
});

test('pages that are fewer than their total are incomplete', async () => {
  const none = { data: [], count: 0, total: 5 };
  for (const [results, rest] of [
    [{ holds: none }, {}],
    [{}, {}],
    [{ holds: none }, { failed_domains: ['holds'] }],
    [{ holds: { data: [1, 2], count: 2, total: 1 } }, {}],
  ]) {
    server.script.stream = [answer(404)];
    server.script.result = [answer(200, { results, ...rest })];
    await assert.rejects(followed(), Incomplete, JSON.stringify(results));
  }
});

test('a domain that failed stands in the warning', async () => {
  server.script.stream = [answer(404)];
  server.status.domains = ['holds', 'jobs'];
  server.script.result = [
    answer(200, { results: { holds: { data: ALL, count: 5, total: 5 } } }),
    answer(200, { results: {}, code: 'EVENTS_PARTIAL_FAILURE', failed_domains: ['jobs'] }),
  ];
  const lines = await followed();
  assert.deepEqual(lines.find((line) => line.type === 'warning').failed_domains, ['jobs']);
  assert.equal(lines.at(-1).total_records, 5);
});

test('a result of the oldest layout is read in pages', async () => {
  server.lines = ['{"type":"full_result","data":{}}\n'];
  server.script.result = [answer(200, { results: { holds: { data: ALL, count: 5, total: 5 } } })];
  assert.deepEqual(rowsOf(await followed()), ALL);
});

test('a line over the cap is read in pages', async () => {
  server.lines = stream([[{ TEXT: 'x'.repeat(10_000) }]]);
  const lines = await followed({ maxLineBytes: 5_000 });
  assert.equal(rowsOf(lines)[0].TEXT.length, 10_000);
});

test('a job that ended without a result fails with its words', async () => {
  for (const status of ['failed', 'cancelled', 'lost']) {
    server.script.stream = [answer(404)];
    server.status = { ...server.status, status, error: status === 'failed' ? 'it took too long' : null };
    await assert.rejects(followed(), (error) => {
      assert.ok(error instanceof JobFailed);
      assert.equal(error.message, status === 'failed' ? 'it took too long' : `the job is ${status}`);
      return true;
    });
  }
});

test('an error line ends it at once', async () => {
  server.lines = [LINES[0], LINES[1], LINES[2], '{"type":"error","message":"chunk 2 is gone"}\n'];
  await assert.rejects(followed(), (error) => error instanceof JobFailed && /chunk 2/.test(error.message));
  assert.equal(server.asked.length, 1);
});

test('rows that do not fit their count end it at once', async () => {
  server.lines = stream(BATCHES, { rows: 6 });
  await assert.rejects(followed(), Incomplete);
  assert.equal(server.asked.length, 1);
});

test('a job of somebody else, or an expired one, is refused', async () => {
  server.script.stream = [answer(404, { error: 'there is no such job', code: 'JOB_NOT_FOUND' })];
  server.script.status = [answer(404, { error: 'there is no such job', code: 'JOB_NOT_FOUND' })];
  await assert.rejects(followed(), (error) => error instanceof Refused && error.problem.code === 'JOB_NOT_FOUND');
});

test('whoever may not look is told at once', async () => {
  server.script.stream = [answer(401, { error: 'sign in' })];
  server.script.status = [answer(401, { error: 'sign in' })];
  await assert.rejects(followed(), (error) => error instanceof Refused && error.status === 401);
});

test('a server that stays away ends it with a typed error', async () => {
  await server.close();
  await assert.rejects(followed({ patience: 0.05 }), Unreachable);
  await assert.rejects(traced(), Unreachable);
  server = await JobServer.started(LINES);
});

test('a proxy that answers everything with a page ends it with a typed error', async () => {
  const all = () => Array.from({ length: 1_000 }, () => page(200));
  server.script.stream = all();
  server.script.status = all();
  await assert.rejects(followed({ patience: 0.05 }), Malformed);
});

test('a stream that goes silent is asked for again', async () => {
  server.hold = true;
  server.lines = LINES.slice(0, 3);
  const following = followed({ timeout: 0.05 });
  await until(() => server.of('stream').length === 2);
  server.hold = false;
  server.lines = LINES;
  assert.deepEqual(rowsOf(await following), ALL);
});

test('a request that is never answered is asked for again', async () => {
  server.script.stream = [() => {}];
  assert.deepEqual(rowsOf(await followed({ timeout: 0.05 })), ALL);
});

// -- the end of everything

test('an abort ends the stream, and cancels the job that was submitted', async () => {
  server.hold = true;
  server.lines = LINES.slice(0, 3);
  const controller = new AbortController();
  const tracing = traced({ signal: controller.signal });
  await until(() => server.of('stream').length === 1);
  controller.abort(new Error('enough'));
  await assert.rejects(tracing, /enough/);
  await until(() => server.of('cancel').length === 1 && server.closed === 1);
});

test('an abort cancels the job at once, whatever the loop waits for', async () => {
  const controller = new AbortController();
  const lines = trace(server.url, WANTED, { ...FAST, signal: controller.signal });
  await lines.next();
  controller.abort();
  await until(() => server.of('cancel').length === 1);
  await assert.rejects(lines.next(), { name: 'AbortError' });
  await cancel(server.url, server.jobId); // the one and only: it would come after another
  assert.equal(server.of('cancel').length, 2);
});

test('leaving the loop cancels the job', async () => {
  for await (const line of trace(server.url, WANTED, FAST)) if (line.type === 'records') break;
  await until(() => server.of('cancel').length === 1);
});

test('a job that ended is not cancelled', async () => {
  await traced();
  await cancel(server.url, server.jobId); // the one and only: it would come after another
  assert.equal(server.of('cancel').length, 1);
});

test('an abort before the answer cancels the job that the answer names', async () => {
  let respond;
  server.script.events = [(_, response) => (respond = () => answer(202, { job_id: server.jobId })(_, response))];
  const controller = new AbortController();
  const tracing = traced({ signal: controller.signal });
  await until(() => respond);
  controller.abort();
  await assert.rejects(tracing, { name: 'AbortError' });
  assert.equal(server.of('cancel').length, 0);
  respond();
  await until(() => server.of('cancel').length === 1);
  assert.equal(server.of('stream').length, 0);
});

test('an abort before the answer hangs up on a stream', async () => {
  let closed = false;
  let respond;
  server.script.events = [(_, response) => (respond = () => response.write(LINES[0])) && response.on('close', () => (closed = true))];
  const controller = new AbortController();
  const tracing = traced({ signal: controller.signal });
  await until(() => respond);
  controller.abort();
  await assert.rejects(tracing, { name: 'AbortError' });
  respond();
  await until(() => closed);
});

test('an abort during a pause ends it, and nothing is asked any more', async () => {
  server.script.stream = Array.from({ length: 10 }, () => page(502));
  const controller = new AbortController();
  const following = followed({ pause: 100, signal: controller.signal });
  await until(() => server.of('stream').length === 1);
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(following, { name: 'AbortError' });
  assert.equal(server.asked.length, 1);
});

test('an abort while polling ends the polls', async () => {
  server.status.status = 'started';
  server.script.stream = [answer(404)];
  const controller = new AbortController();
  const following = followed({ signal: controller.signal, pause: 0.002 });
  await until(() => server.of('status').length >= 3);
  controller.abort();
  await assert.rejects(following, { name: 'AbortError' });
  const polls = server.of('status').length;
  await cancel(server.url, server.jobId); // a round trip later
  await cancel(server.url, server.jobId);
  assert.ok(server.of('status').length <= polls + 1);
});

test('what was aborted before is never asked', async () => {
  await assert.rejects(traced({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  await assert.rejects(followed({ signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(server.asked.length, 0);
});
